"""Input and output for the Python interface: paths, or binary files that are open."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from irncli.io.encoding import LOSSLESS_OR_JPEG, Format, chosen_format
from irncli.io.paths import atomic_write, read_input

__all__ = ["File", "format_of", "read", "warn", "write"]

File = str | os.PathLike[str] | BinaryIO
"""A path, or a binary file that is open."""


def warn(texts: Iterable[str]) -> None:
    """Issue warnings that point at the line from which the interface was called."""
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return the `stacklevel`, for the function that calls this one, of the first caller of irncli.

    From Python 3.12 on, `skip_file_prefixes` of `warnings.warn` does the same.
    """
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "irncli":
        frame, level = frame.f_back, level + 1
    return level


def read(file: File) -> bytes:
    """Read a file.

    Raises:
        InputMissingError, StorageError: there is no such file, or it cannot be read.
    """
    return read_input(Path(file)) if isinstance(file, str | os.PathLike) else file.read()


def write(file: File, data: bytes, *, overwrite: bool) -> None:
    """Write a file; a file given as a path is written completely or not at all.

    Raises:
        OutputError: the file exists, or cannot be created.
        StorageError: the disk is full or fails.
    """
    if isinstance(file, str | os.PathLike):
        atomic_write(Path(file), data, overwrite=overwrite)
    else:
        file.write(data)


def format_of(
    file: File,
    asked: Format | None,
    allowed: tuple[Format, ...] = LOSSLESS_OR_JPEG,
    default: Format = "png",
) -> Format:
    """Return the format to write: that of the suffix of a path, the one asked for, or the default.

    Raises:
        UsageError: see `chosen_format`.
    """
    if isinstance(file, str | os.PathLike):
        return chosen_format(Path(file), asked, allowed)
    return asked or default
