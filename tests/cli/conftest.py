"""The command line, in this process and as a real one."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest
from PIL import Image

from irncli.cli.app import run

DONE = re.compile(r".* -> .*: \d+x\d+( to \d+x\d+)?( by .*|, unchanged), [\d,]+ bytes")
"""The line about a file that was written."""
UNINSTALLED = re.compile(r"irn: warning: the model \S+ \(weights \w+\) is not installed: .*")
"""The line about tags that name a model that is given by a file, as in many tests."""


@dataclass
class Outcome:
    status: int
    out: bytes
    err: str

    @property
    def lines(self):
        """Messages, except what is usual: the lines about files, and about tiny models."""
        every = self.err.strip().splitlines()
        return [line for line in every if not (DONE.fullmatch(line) or UNINSTALLED.fullmatch(line))]

    @property
    def done(self):
        """The lines about files that were written."""
        return [line for line in self.err.strip().splitlines() if DONE.fullmatch(line)]


@pytest.fixture
def irn(capfdbinary, monkeypatch, tmp_path):
    """Run a command line in this process; the user data directory is a temporary one."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))

    def call(*arguments):
        capfdbinary.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Outcome(status, out, err.decode())

    return call


@pytest.fixture
def spawn(tmp_path, quick_irn):
    """Run a command line as a process of its own; `before` needs one that starts from nothing."""

    def call(*arguments, stdin=b"", before=None, cwd=None):
        program = [sys.executable, "-m", "irncli"] if before else [quick_irn]
        result = subprocess.run(
            [*program, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            preexec_fn=before,
            cwd=cwd,
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "xdg")},
        )
        return Outcome(result.returncode, result.stdout, result.stderr.decode())

    return call


@pytest.fixture
def picture(tmp_path, photo):
    """A small photograph on disk, of a size that no scale divides."""
    path = tmp_path / "photo.png"
    Image.fromarray(photo[190:237, 150:211]).save(path)
    return path


@pytest.fixture
def small(irn, picture):
    """The same, made small by 4."""
    path = picture.with_name("small.png")
    assert irn("downscale", picture, "--scale", 4, "-o", path).status == 0
    return path
