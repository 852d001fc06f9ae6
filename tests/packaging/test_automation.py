"""The hook of the guide does what it says, and the container is built from what there is."""

import re
import shutil
import subprocess
import tomllib

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import size
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "guide" / "automation.md").read_text(encoding="utf-8")
DOCKERFILE = ROOT / "docs" / "docker" / "Dockerfile"
LINES = [
    line
    for line in DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    if line and not line.startswith("#")
]


def test_the_hook_keeps_small_images_up_to_date(workplace, photo):
    """pre-commit runs `entry` with the changed files whose names match `files`."""
    files, entry = (re.search(rf"{key}: (.*)", PAGE)[1] for key in ("files", "entry"))
    changed = ["photo.png", "photos/a.png", "photos/notes.txt"]
    matching = [name for name in changed if re.search(files, name)]
    assert matching == ["photos/a.png"]
    workplace.run(f"{entry} {' '.join(matching)}", {})
    small = workplace.folder / "small" / "a_x2.png"
    first = small.stat()
    workplace.run(f"{entry} {' '.join(matching)}", {})
    assert small.stat().st_mtime_ns == first.st_mtime_ns
    Image.fromarray(np.ascontiguousarray(photo[:64, :80])).save(workplace.folder / "photos/a.png")
    workplace.run(f"{entry} {' '.join(matching)}", {})
    assert size(small) == (40, 32)


def test_the_container_is_built_from_what_there_is():
    instructions = [line.split(maxsplit=1) for line in LINES]
    known = {"FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions} <= known
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    bases = [rest.split()[0] for name, rest in instructions if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases)
    least = project["project"]["requires-python"].removeprefix(">=3.")
    assert all(int(base.split(".")[1].split("-")[0]) >= int(least) for base in bases)
    sent = {
        line[1:]
        for line in DOCKERFILE.with_name("Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for name, rest in instructions
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)
    assert ["ENTRYPOINT", '["irn"]'] in instructions
    assert "irn" in project["project"]["scripts"]
    users = [rest for name, rest in instructions if name == "USER"]
    assert users and "0" not in users, "it should not run as root"  # noqa: PT018


@pytest.mark.slow
def test_the_container_is_built_and_runs():
    asked = ["docker", "info"]
    if not shutil.which("docker") or subprocess.run(asked, capture_output=True).returncode:
        pytest.skip("no Docker daemon runs here")
    build = ["docker", "build", "-q", "-f", str(DOCKERFILE), "-t", "irn-test", str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    told = subprocess.run(
        ["docker", "run", "--rm", "irn-test", "--version"], check=True, capture_output=True
    )
    assert told.stdout.startswith(b"irn")
