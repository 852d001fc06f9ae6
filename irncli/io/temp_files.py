"""Temporary files: what a killed process left is told from what a living one is writing.

A process holds a lock on each file while it writes it, and the system lets go of the lock when the
process ends, however it ends. Where a file system has no locks nothing is taken for left.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import stat
import sys
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import BinaryIO

__all__ = ["LOCKED_UNTIL_NAMED", "new_partial", "remove_abandoned"]

if sys.platform == "win32":
    # What is open cannot be deleted there, so no lock is needed; but nor can it get another name,
    # so for a moment it is closed and not named yet.
    LOCKED_UNTIL_NAMED = False
    _YOUNG_SECONDS = 24 * 3600.0

    def _lock(descriptor: int, *, wait: bool) -> None:
        pass

else:
    import fcntl

    LOCKED_UNTIL_NAMED = True
    """A file may be open while it gets its name."""
    _YOUNG_SECONDS = 5.0
    """Changed so lately, a file may be locked any moment."""

    def _lock(descriptor: int, *, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@cache
def _machine() -> str:
    """Stands for this machine: of another's processes, locks may say nothing."""
    return f"{zlib.crc32(platform.node().encode()):08x}"


def new_partial(path: Path) -> tuple[Path, BinaryIO]:
    """A new hidden file beside `path`, open and locked.

    Raises:
        OSError: it cannot be made.
    """
    while True:
        # 40 characters have at most 160 bytes: with the rest, a name that any file system takes.
        name = f".{path.name[:40]}.irn-{_machine()}{secrets.token_hex(4)}.tmp"
        partial = path.with_name(name)
        file = partial.open("xb")
        with contextlib.suppress(OSError):  # a file system without locks
            _lock(file.fileno(), wait=True)
        # Between its making and its locking another process may have taken it for left.
        if os.fstat(file.fileno()).st_nlink or not LOCKED_UNTIL_NAMED:
            return partial, file
        file.close()


def remove_abandoned(directory: Path) -> None:
    """Delete the temporary files in a directory whose processes have ended."""
    with contextlib.suppress(OSError):
        for path in _partials(directory):
            with contextlib.suppress(OSError):
                _remove_unless_held(path)


def _partials(directory: Path) -> Iterator[Path]:
    ours = f".irn-{_machine()}"
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name[:1] == "." and ours in entry.name and entry.name.endswith(".tmp"):
                yield directory / entry.name


def _remove_unless_held(path: Path) -> None:
    """Raise OSError where a process holds it, or there are no locks."""
    # Nothing may be followed or waited for; NFS locks only what is open for writing.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        _lock(descriptor, wait=False)
        state = os.fstat(descriptor)
        # Not the time of change, which --preserve-times sets to any.
        old = time.time() - state.st_ctime > _YOUNG_SECONDS
        if not (old and stat.S_ISREG(state.st_mode)):
            return
        if LOCKED_UNTIL_NAMED:
            path.unlink()
    finally:
        os.close(descriptor)
    if not LOCKED_UNTIL_NAMED:
        path.unlink()
