"""Files and warnings of the Python interface; a file is a path or a binary file that is open."""

from __future__ import annotations

import inspect
import os
import warnings
from pathlib import Path
from typing import BinaryIO

from irncli.io.encoding import Format, chosen_format
from irncli.io.paths import atomic_write, read_input

__all__ = ["File", "format_of", "read", "warn", "write"]

File = str | os.PathLike[str] | BinaryIO
"""A path, or a binary file that is open."""


def warn(*texts: str) -> None:
    """Issue warnings that point at the line from which the interface was called."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("irncli."):
        level, frame = level + 1, frame.f_back
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=level)


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
    file: File, asked: Format | None, allowed: tuple[Format, ...], default: Format
) -> Format:
    """Return the format to write: that of the suffix of a path, the one asked for, or the default.

    Raises:
        UsageError: see `chosen_format`.
    """
    if isinstance(file, str | os.PathLike):
        return chosen_format(Path(file), asked, allowed)
    return asked or default
