"""Which files a batch is of: as named, in directories, in lists."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from irncli.errors import InputMissingError, StorageError
from irncli.io.paths import STREAM, real

__all__ = ["Input", "expand_inputs", "images_in", "listed"]

IMAGE_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        "png", "jpg", "jpeg", "jpe", "webp", "avif", "bmp", "gif", "tif", "tiff", "ppm", "pgm",
        "pbm", "pnm", "tga", "jp2", "heic", "heif", "jxl",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Input:
    """A file to work on.

    Attributes:
        path: as it is opened and shown.
        below: where it was found, from the directory that was named; None: it was named itself.
    """

    path: Path
    below: Path | None = None

    @property
    def found(self) -> bool:
        """In a directory, rather than named."""
        return self.below is not None


def listed(data: bytes) -> list[Path]:
    """The names in a list: one a line, or with NUL after each, as `find -print0` writes them.

    Names are bytes: they need not be UTF-8. Lines may end as on Windows, if all do, behind the mark
    that its editors put first.
    """
    if b"\0" in data:
        names = data.split(b"\0")
    else:
        data = data.removeprefix(codecs.BOM_UTF8)
        windows = data.count(b"\r\n") == data.count(b"\n")
        names = data.split(b"\r\n" if windows and b"\n" in data else b"\n")
    # Standard input cannot be both the list and in it.
    return [Path.cwd() / "-" if n == b"-" else Path(os.fsdecode(n)) for n in names if n]


def expand_inputs(
    inputs: Sequence[Path], *, recursive: bool = False, without: Path | None = None
) -> list[Input]:
    """Files as given; of a directory its images, by name.

    A directory without any stays: whoever reads it says so, and the others are done.

    Args:
        inputs: files, directories, `-`.
        recursive: also those in the directories below, not following links.
        without: a directory to leave out of those below: where outputs go.
    """
    expanded: list[Input] = []
    for path in inputs:
        if path == STREAM or not path.is_dir():
            expanded.append(Input(path))
            continue
        try:
            files = images_in(path, recursive=recursive, without=without)
        except (InputMissingError, StorageError):
            files = []
        expanded += [Input(file, file.parent.relative_to(path)) for file in files] or [Input(path)]
    return expanded


def images_in(
    directory: Path, *, recursive: bool = False, without: Path | None = None
) -> list[Path]:
    """Images in a directory, by name; hidden files and directories are left out.

    Raises:
        InputMissingError: there is none.
        StorageError: it cannot be read.
    """
    try:
        files = list(_walk(directory, recursive, without and real(without)))
    except OSError as error:
        raise StorageError(f"{directory} cannot be read: {error.strerror}") from error
    if not files:
        raise InputMissingError(f"no images in the directory {directory}")
    return files


def _walk(directory: Path, recursive: bool, without: Path | None) -> Iterator[Path]:
    visible = [each for each in os.scandir(directory) if not each.name.startswith(".")]
    visible.sort(key=lambda each: each.name)
    for each in visible:
        below = each.is_dir(follow_symlinks=False)
        path = directory / each.name
        if not below and path.suffix.lower() in IMAGE_SUFFIXES and not path.is_dir():
            yield path
        elif below and recursive and real(path) != without:
            yield from _walk(path, recursive, without)
