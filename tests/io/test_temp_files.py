"""Temporary files that killed processes left are deleted, those of living ones never."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from irncli.io import temp_files
from irncli.io.paths import _tidy, atomic_write

fcntl = pytest.importorskip("fcntl", reason="on Windows what is open cannot be deleted")

WRITER = """
import os, sys
from pathlib import Path
from irncli.io import paths

def wait(descriptor):
    print("now", flush=True)
    sys.stdin.readline()

os.fsync = wait
paths.atomic_write(Path(sys.argv[1]), b"whole", overwrite=True, times=(0, 0))
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has written a temporary file and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "theirs"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"now\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def no_wait(monkeypatch):
    """Whatever is not held is old enough."""
    monkeypatch.setattr(temp_files, "_YOUNG_SECONDS", -1)


@pytest.fixture
def abandoned(tmp_path):
    """What a killed process would have left."""
    path, file = temp_files.new_partial(tmp_path / "killed")
    file.close()
    return path


def mine(folder):
    """Write there as a process does that has not been there yet."""
    _tidy.cache_clear()
    atomic_write(folder / "mine", b"1", overwrite=True)
    return sorted(os.listdir(folder))


def test_what_a_kill_left_goes_and_what_is_being_written_stays(tmp_path, writer, no_wait):
    (held,) = os.listdir(tmp_path)
    assert mine(tmp_path) == [held, "mine"]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert mine(tmp_path) == ["mine"]


def test_who_lives_ends_well_beside_others(tmp_path, writer, no_wait):
    mine(tmp_path)
    writer.communicate(b"\n")
    assert writer.returncode == 0
    assert (tmp_path / "theirs").read_bytes() == b"whole"
    assert mine(tmp_path) == ["mine", "theirs"]


def test_what_is_young_may_not_be_locked_yet(tmp_path, abandoned):
    assert mine(tmp_path) == [abandoned.name, "mine"]


def test_a_directory_is_looked_at_once(tmp_path, no_wait):
    mine(tmp_path)
    path, file = temp_files.new_partial(tmp_path / "killed")
    file.close()
    atomic_write(tmp_path / "more", b"2", overwrite=False)
    assert path.exists()


def test_a_file_that_was_taken_before_its_lock_is_made_again(tmp_path, monkeypatch):
    taken = []

    def lock(descriptor, *, wait):
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].unlink()

    monkeypatch.setattr(temp_files, "_lock", lock)
    path, file = temp_files.new_partial(tmp_path / "a")
    file.close()
    assert path.exists()
    assert path != taken[0]


def test_without_locks_nothing_is_taken_for_left(tmp_path, monkeypatch, abandoned, no_wait):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert mine(tmp_path) == [abandoned.name, "mine"]


def test_only_files_of_this_machine_and_of_that_name(tmp_path, abandoned, no_wait):
    names = {kind: abandoned.name.replace("killed", kind) for kind in ("link", "pipe", "folder")}
    (tmp_path / "precious").write_bytes(b"1")
    (tmp_path / names["link"]).symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / names["pipe"])
    (tmp_path / names["folder"]).mkdir()
    others = (".a.irn-0123456789abcdef.tmp", abandoned.name[1:], abandoned.name + ".png")
    for name in others:
        (tmp_path / name).write_bytes(b"1")
    assert mine(tmp_path) == sorted([*names.values(), *others, "mine", "precious"])


def test_names_as_long_as_a_file_system_takes(tmp_path):
    for name in ("\u4e16" * 85, "\U0001f600" * 63):
        atomic_write(tmp_path / name, b"1", overwrite=False)
        assert (tmp_path / name).read_bytes() == b"1"
