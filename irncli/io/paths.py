"""Names of files, and writing them so that nothing is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from irncli.errors import ImageError, InputMissingError, OutputError, StorageError, UsageError
from irncli.io.temp_files import LOCKED_UNTIL_NAMED, new_partial, remove_abandoned

__all__ = [
    "STREAM",
    "Times",
    "atomic_write",
    "identity",
    "make_directory",
    "plan_outputs",
    "read_input",
    "real",
    "refuse_existing",
    "remove_partials",
    "times_of",
]

Times = tuple[int, int]
"""Last access and last change, in nanoseconds."""

STREAM = Path("-")
"""Standard input or output."""

_MEDIUM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def read_input(path: Path) -> bytes:
    """All bytes of an input file.

    Raises:
        InputMissingError: there is no such file.
        ImageError: a directory, a device (some never end), or an empty file.
        StorageError: it cannot be read.
    """
    if _kind(path) in (stat.S_IFCHR, stat.S_IFBLK):
        raise ImageError("a device, expected an image")
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputMissingError("no such file") from error
    except IsADirectoryError as error:
        raise ImageError("a directory, expected an image") from error
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot be read: {getattr(error, 'strerror', error)}") from error
    if not data:
        raise ImageError("0 bytes, expected an image")
    return data


def _kind(path: Path) -> int:
    """Type of a file, that of its target for a link; 0 where there is none."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        return 0


def _is_passage(path: Path) -> bool:
    """A named pipe, or a device such as a terminal: what is written there replaces nothing."""
    return _kind(path) in (stat.S_IFIFO, stat.S_IFCHR)


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Raise OutputError for an output that is there, and would be replaced unasked or cannot be."""
    if output == STREAM or not os.path.lexists(output) or _is_passage(output):
        return
    if _kind(output) not in (0, stat.S_IFREG):
        raise OutputError(f"{output} is no file: name one that is, or a new one")
    if not overwrite:
        raise OutputError(f"{output} exists already: pass --overwrite to replace it")


def times_of(path: Path) -> Times | None:
    """Return the times of a file; None if there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_atime_ns, status.st_mtime_ns


def atomic_write(path: Path, data: bytes, *, overwrite: bool, times: Times | None = None) -> None:
    """Write a file as a whole or not at all.

    The bytes go to a hidden file in the same directory, to the disk, and then under their name in
    one operation, which without `overwrite` fails if the name was taken meanwhile. With `times` the
    file has those. Hidden files that killed processes left there are deleted. A link stays one: the
    file it leads to is replaced. Into pipes and devices the bytes are written as they are.

    Raises:
        OutputError: the name is taken, or the directory cannot be written.
        StorageError: the disk is full or fails.
    """
    refuse_existing(path, overwrite)
    try:
        if _is_passage(path):
            path.write_bytes(data)
            return
        target = real(path) if path.is_symlink() else path
        if target.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        _tidy(target.parent)
        _write(target, data, overwrite, times)
    except FileExistsError as error:
        raise OutputError(f"{path} exists already: pass --overwrite to replace it") from error
    except OSError as error:
        if error.errno in _MEDIUM:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        raise OutputError(
            f"cannot create {path}: {error.strerror}; choose another place"
        ) from error


@lru_cache(maxsize=1024)
def _tidy(directory: Path) -> None:
    """Before the first file of this process there."""
    remove_abandoned(directory)


def _write(path: Path, data: bytes, overwrite: bool, times: Times | None) -> None:
    partial, file = new_partial(path)
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if not LOCKED_UNTIL_NAMED:
                file.close()
            if times is not None:
                os.utime(partial, ns=times)
            _publish(partial, path, overwrite)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _publish(partial: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        partial.replace(path)
        return
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        partial.rename(path)


def make_directory(path: Path) -> None:
    """Make a directory and those above it, where they are not there yet.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create the directory {path}: {error.strerror}; choose another"
        ) from error


def remove_partials(directory: Path) -> None:
    """Delete what `atomic_write` had not finished in a directory when its process was killed.

    Only for directories that one process writes at a time.
    """
    for partial in directory.glob(".*.irn-*.tmp"):
        with contextlib.suppress(OSError):
            partial.unlink()


def plan_outputs(inputs: Sequence[Path], outputs: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pairs of input and output, refused before any work where one would destroy another.

    Raises:
        UsageError: two inputs to one output, or an output that is an input.
    """
    pairs = list(zip(inputs, outputs, strict=True))
    sources = {identity(path) for path in inputs if path != STREAM}
    taken: dict[object, Path] = {}
    for path, output in pairs:
        if output == STREAM:
            continue
        name = identity(output)
        if name in sources:
            raise UsageError(f"{output} is an input: choose another output with -o")
        if taken.get(name) == path:
            raise UsageError(f"{path} is named twice: once is enough")
        if name in taken:
            raise UsageError(
                f"{taken[name]} and {path} would both become {output}: use --output-dir, or a "
                "template such as -o '{parent}/{name}{ext}'"
            )
        taken[name] = path
    return pairs


def real(path: Path) -> Path:
    """Without links, as far as they lead somewhere: Path.resolve raises at a loop of links."""
    return Path(os.path.realpath(path))


def identity(path: Path) -> object:
    """The same for all names of one file, links included."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return real(path)
    return status.st_dev, status.st_ino
