"""Input files of a batch: named files, files in directories, and lists of files."""

from __future__ import annotations

import codecs
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

from irncli.errors import InputMissingError, StorageError
from irncli.io.paths import STREAM, is_directory, real

__all__ = ["Input", "expand_inputs", "images_in", "listed", "refuse_directory", "unsearched"]

IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        "png", "jpg", "jpeg", "jpe", "webp", "avif", "bmp", "gif", "tif", "tiff", "ppm", "pgm",
        "pbm", "pnm", "tga", "jp2", "heic", "heif", "jxl",
    )
)  # fmt: skip
MOST_LOOKED_AT = 1000
"""Number of entries of a directory that are looked at for a hint."""


@dataclass(frozen=True)
class Input:
    """An input file.

    Attributes:
        path: path by which the file is opened and shown.
        below: directory of the file, relative to the directory that was named; None if the file
            itself was named.
    """

    path: Path
    below: Path | None = None

    @property
    def found(self) -> bool:
        """True if the file was found in a directory; False if it was named."""
        return self.below is not None


def listed(data: bytes) -> list[Path]:
    """Return the names in a list: one per line, or each followed by NUL, as from `find -print0`.

    Names are bytes and need not be UTF-8. Windows line endings are accepted if all lines have them,
    and a UTF-8 byte order mark at the beginning is ignored.
    """
    if b"\0" in data:
        names = data.split(b"\0")
    else:
        data = data.removeprefix(codecs.BOM_UTF8)
        windows = data.count(b"\r\n") == data.count(b"\n")
        names = data.split(b"\r\n" if windows and b"\n" in data else b"\n")
    # Standard input may be the list itself, so a "-" in the list is a file of that name.
    return [Path.cwd() / "-" if n == b"-" else Path(os.fsdecode(n)) for n in names if n]


def expand_inputs(
    inputs: Sequence[Path], *, recursive: bool = False, without: Path | None = None
) -> list[Input]:
    """Return the named files, and the images in the named directories sorted by name.

    A directory without images or that cannot be read is returned itself: reading it then fails with
    a message (see `refuse_directory`), and the other inputs are not affected. A file that is named
    several times, or is in several of the directories, is returned once.

    Args:
        inputs: files, directories and `-`.
        recursive: search subdirectories, too, without following links.
        without: subdirectory to skip, usually the output directory.
    """
    expanded: list[Input] = []
    for path in inputs:
        if path == STREAM or not is_directory(path):
            expanded.append(Input(path))
            continue
        try:
            files = images_in(path, recursive=recursive, without=without)
        except (InputMissingError, StorageError):
            files = []
        expanded += [Input(file, file.parent.relative_to(path)) for file in files] or [Input(path)]
    once: dict[Path, Input] = {}
    for each in expanded:
        once.setdefault(each.path if each.path == STREAM else _absolute(each.path), each)
    return list(once.values())


def _absolute(path: Path) -> Path:
    """Return the absolute name of a file; links stay, since they name outputs of their own."""
    return Path(os.path.abspath(path))  # noqa: PTH100 -- Path.resolve follows links


def refuse_directory(path: Path) -> NoReturn:
    """Raise the error for a directory that was given as an image by `expand_inputs`.

    Raises:
        InputMissingError: there are no images in the directory.
        StorageError: the directory cannot be read.
    """
    try:
        os.scandir(path).close()
    except OSError as error:
        raise StorageError(f"cannot be read: {error.strerror}") from error
    raise InputMissingError("no images in this directory: name one that contains images")


def images_in(
    directory: Path, *, recursive: bool = False, without: Path | None = None
) -> list[Path]:
    """Return the images in a directory, sorted by name, without hidden files and directories.

    A subdirectory that cannot be read is returned like an image.

    Args:
        directory: directory to search.
        recursive: search subdirectories, too, without following links.
        without: subdirectory to skip.

    Raises:
        InputMissingError: there are no images.
        StorageError: the directory cannot be read.
    """
    try:
        files = list(_walk(directory, recursive, without and real(without)))
    except OSError as error:
        raise StorageError(f"{directory} cannot be read: {error.strerror}") from error
    if not files:
        raise InputMissingError(f"no images in the directory {directory}")
    return files


def unsearched(inputs: Sequence[Path], *, without: Path | None = None) -> int:
    """Return the number of subdirectories of the named directories that hold images themselves.

    This is for a hint, so at most MOST_LOOKED_AT subdirectories of a directory are looked at.

    Args:
        inputs: files, directories and `-`.
        without: subdirectory that is not counted, usually the output directory.
    """
    skipped = without and real(without)
    count = 0
    for path in inputs:
        if path == STREAM or not is_directory(path):
            continue
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            below = (
                Path(each.path)
                for each in entries
                if not each.name.startswith(".") and each.is_dir(follow_symlinks=False)
            )
            for folder in islice(below, MOST_LOOKED_AT):
                count += real(folder) != skipped and _holds_images(folder)
    return count


def _holds_images(directory: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        return any(
            Path(each.name).suffix.lower() in IMAGE_SUFFIXES and not each.name.startswith(".")
            for each in islice(entries, MOST_LOOKED_AT)
        )
    return False


def _walk(directory: Path, recursive: bool, without: Path | None) -> Iterator[Path]:
    """Yield the images in a directory, and the subdirectories that cannot be read."""
    visible = [each for each in os.scandir(directory) if not each.name.startswith(".")]
    visible.sort(key=lambda each: each.name)
    for each in visible:
        below = each.is_dir(follow_symlinks=False)
        path = directory / each.name
        if not below and path.suffix.lower() in IMAGE_SUFFIXES and not is_directory(path):
            yield path
        elif below and recursive and real(path) != without:
            try:
                yield from _walk(path, recursive, without)
            except OSError:
                yield path
