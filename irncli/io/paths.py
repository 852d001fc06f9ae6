"""File names, and writing files atomically."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from irncli.errors import ImageError, InputMissingError, OutputError, StorageError, UsageError
from irncli.io.temp_files import LOCKED_UNTIL_NAMED, new_partial, remove_abandoned

__all__ = [
    "STREAM",
    "Times",
    "atomic_write",
    "delete_file",
    "identity",
    "is_directory",
    "make_directory",
    "plan_outputs",
    "read_input",
    "real",
    "refuse_existing",
    "refuse_terminal",
    "remove_partials",
    "rename_file",
    "times_of",
    "write_error",
]

Times = tuple[int, int]
"""Times of last access and last modification, in nanoseconds."""

STREAM = Path("-")
"""Path that stands for standard input or output."""

NAMED_CLASHES = 10
"""Number of outputs that an error message names at most."""

_MEDIUM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def read_input(path: Path) -> bytes:
    """Return all bytes of an input file.

    Raises:
        InputMissingError: there is no such file.
        ImageError: the path is a directory, a device (some are endless) or an empty file.
        StorageError: the file cannot be read.
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
    """Return the type of a file, following links; 0 if there is no such file."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except (OSError, ValueError):
        return 0


def is_directory(path: Path) -> bool:
    """Tell whether a path is a directory; False if it cannot be looked at: reading it says why."""
    return _kind(path) == stat.S_IFDIR


def _is_passage(path: Path) -> bool:
    """Tell whether a path is a named pipe or a character device: writing there replaces nothing."""
    return _kind(path) in (stat.S_IFIFO, stat.S_IFCHR)


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Raise OutputError if an existing output must not or cannot be replaced."""
    if output == STREAM or not os.path.lexists(output) or _is_passage(output):
        return
    if _kind(output) not in (0, stat.S_IFREG):
        raise OutputError(f"{output} is not a regular file: choose another output")
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
    """Write a file completely or not at all.

    The bytes are written to a hidden file in the same directory and flushed to the disk; the hidden
    file then gets its final name in one operation. Without `overwrite`, that operation fails if the
    name was taken in the meantime. Hidden files left there by killed processes are deleted. If the
    path is a link, its target is replaced. Pipes and devices are written directly.

    Args:
        path: file to write.
        data: content of the file.
        overwrite: replace an existing file.
        times: access and modification times to set; None: the current time.

    Raises:
        OutputError: the name is taken, or the directory is not writable.
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
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> OutputError | StorageError:
    """Return the error that tells why a file or folder could not be written."""
    if error.errno in _MEDIUM:
        return StorageError(f"cannot write {path}: {error.strerror}")
    return OutputError(f"cannot create {path}: {error.strerror}; choose another place")


@lru_cache(maxsize=1024)
def _tidy(directory: Path) -> None:
    """Delete abandoned files, once per directory and process."""
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


def rename_file(old: Path, new: Path) -> None:
    """Rename a file without ever replacing another one.

    Raises:
        OutputError: the new name is taken, or the file cannot be renamed.
    """
    try:
        _publish(old, new, overwrite=False)
        old.unlink(missing_ok=True)
    except FileExistsError as error:
        raise OutputError(f"{new} exists already: choose another name") from error
    except OSError as error:
        raise OutputError(f"cannot rename {old} to {new}: {error.strerror}") from error


def delete_file(path: Path) -> None:
    """Delete a file.

    Raises:
        OutputError: the file cannot be deleted.
    """
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(f"cannot delete {path}: {error.strerror}") from error


def make_directory(path: Path) -> None:
    """Create a directory and its missing parents.

    Raises:
        OutputError: the directory cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create the directory {path}: {error.strerror}; choose another"
        ) from error


def refuse_terminal() -> None:
    """Raise an error if an image would be printed on a terminal.

    Raises:
        UsageError: standard output is a terminal.
    """
    if sys.stdout is not None and sys.stdout.isatty():
        raise UsageError(
            "standard output is a terminal: write the image to a file with -o FILE, or redirect "
            "the output with > FILE"
        )


def remove_partials(directory: Path) -> None:
    """Delete the hidden files that an interrupted `atomic_write` left in a directory.

    The directory must not be in use by another process.
    """
    for partial in directory.glob(".*.irn-*.tmp"):
        with contextlib.suppress(OSError):
            partial.unlink()


def plan_outputs(
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    left_out: Callable[[Path], bool] = lambda _: False,
) -> list[tuple[Path, Path]]:
    """Return pairs of input and output after checking that no output would destroy another file.

    Args:
        inputs: inputs of a batch.
        outputs: output of each input.
        left_out: function that tells whether an input will have no output; called only for inputs
            with the same output.

    Raises:
        UsageError: two inputs have the same output, or an output is an input.
    """
    pairs = list(zip(inputs, outputs, strict=True))
    sources = {identity(path) for path in inputs if path != STREAM}
    made: dict[object, list[tuple[Path, Path]]] = {}
    for path, output in pairs:
        if output == STREAM:
            continue
        name = identity(output)
        if name in sources:
            raise UsageError(f"{output} is an input: choose another output with -o")
        made.setdefault(name, []).append((path, output))
    same = [group for group in made.values() if len(group) > 1]
    same = [[pair for pair in group if not left_out(pair[0])] for group in same]
    clashes = [_clash(group) for group in same if len(group) > 1]
    if clashes:
        more = len(clashes) - NAMED_CLASHES
        named = [*clashes[:NAMED_CLASHES], *([f"and {more} more"] if more > 0 else [])]
        raise UsageError(
            f"{'; '.join(named)}: number the outputs with a template such as "
            "-o 'out/{index}_{stem}{ext}'"
        )
    return pairs


def _clash(group: Sequence[tuple[Path, Path]]) -> str:
    """Return what is wrong with inputs that have the same output."""
    *most, last = (str(path) for path, _ in group)
    every = "both" if len(most) == 1 else "all"
    return f"{', '.join(most)} and {last} would {every} become {group[0][1]}"


def real(path: Path) -> Path:
    """Return a path with links resolved as far as possible.

    Unlike Path.resolve, this function does not raise for a loop of links.
    """
    return Path(os.path.realpath(path))


def identity(path: Path) -> object:
    """Return a key that is equal for all names of one file, including links."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return real(path)
    return status.st_dev, status.st_ino
