"""Temporary files, and the deletion of those that killed processes left behind.

A process holds a lock on each temporary file while it writes the file. The system releases the lock
when the process ends, even if it is killed, so a file without a lock is abandoned. On a file system
without locks, no file is considered abandoned.
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
    # Windows does not delete open files, so no lock is needed. It does not rename them either, so
    # a file is closed for a moment before it gets its final name.
    LOCKED_UNTIL_NAMED = False
    _YOUNG_SECONDS = 24 * 3600.0

    def _lock(descriptor: int, *, wait: bool) -> None:
        pass

else:
    import fcntl

    LOCKED_UNTIL_NAMED = True
    """True if a file can stay open, and thus locked, while it gets its final name."""
    _YOUNG_SECONDS = 5.0
    """Age below which a file is kept, because its process may not have locked it yet."""

    def _lock(descriptor: int, *, wait: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@cache
def _machine() -> str:
    """Return a hash that identifies this machine.

    Locks may not show the processes of other machines, whose files must not be deleted.
    """
    return f"{zlib.crc32(platform.node().encode()):08x}"


def new_partial(path: Path) -> tuple[Path, BinaryIO]:
    """Create a hidden file beside `path`, open and locked.

    Returns:
        The path of the hidden file and the open file.

    Raises:
        OSError: the file cannot be created.
    """
    while True:
        # 40 characters have at most 160 bytes, so that the whole name fits on any file system.
        name = f".{path.name[:40]}.irn-{_machine()}{secrets.token_hex(4)}.tmp"
        partial = path.with_name(name)
        file = partial.open("xb")
        with contextlib.suppress(OSError):  # a file system without locks
            _lock(file.fileno(), wait=True)
        # Another process may have deleted the file as abandoned before it was locked.
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
    """Delete a temporary file; raise OSError if a process holds it or there are no locks."""
    # Do not follow links or block on a pipe. NFS requires write access for a lock.
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    try:
        _lock(descriptor, wait=False)
        state = os.fstat(descriptor)
        # st_mtime is not reliable, because --preserve-times changes it.
        old = time.time() - state.st_ctime > _YOUNG_SECONDS
        if not (old and stat.S_ISREG(state.st_mode)):
            return
        if LOCKED_UNTIL_NAMED:
            path.unlink()
    finally:
        os.close(descriptor)
    if not LOCKED_UNTIL_NAMED:
        path.unlink()
