"""A place where the commands of the documents can be run."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.support.networks import SMALL, shaken


@dataclass
class Workplace:
    """A folder with what the commands name."""

    folder: Path

    def run(self, line, brief):
        """A line as a shell runs it, with what would take long made brief; it must succeed."""
        for long, short in brief.items():
            line = line.replace(long, short)
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, (line, result.stderr)
        return result


@pytest.fixture
def short_folder():
    """Where Ray keeps its sockets, whose paths have at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="irn-ray-") as folder:
        yield folder


@pytest.fixture
def workplace(tmp_path, photo, monkeypatch, standing):
    """A folder with photographs, a checkpoint, and irn on the path."""
    from irncli.zoo.checkpoint import Card, serialise

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "irn").write_text(standing)
    (tmp_path / "bin" / "irn").chmod(0o755)
    Image.fromarray(photo[100:150, 100:163]).save(tmp_path / "photo.png")
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo[:96, :96]).save(tmp_path / "photos" / "a.png")
    data = serialise(shaken(SMALL["irn-x4"]), Card(name="x"))
    (tmp_path / "IRN_x4.safetensors").write_bytes(data)
    (tmp_path / "Set5").mkdir()
    Image.fromarray(photo[:48, 100:150]).save(tmp_path / "Set5" / "a.png")
    return Workplace(tmp_path)
