"""Sets of test images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from irncli.errors import ImageError, InputMissingError, UsageError
from irncli.io.image_file import decode
from irncli.io.inputs import images_in
from irncli.io.paths import STREAM, is_directory, read_input
from irncli.pixels import Pixels

__all__ = ["ImageSet", "find_sets", "load_cropped"]


@dataclass(frozen=True)
class ImageSet:
    """A named set of images, over which measurements are averaged."""

    name: str
    paths: tuple[Path, ...]


def find_sets(data: Sequence[Path]) -> list[ImageSet]:
    """Return a set for each directory, named after it; single files form the set `files`.

    Raises:
        InputMissingError: a file or directory does not exist, or a directory has no images.
        UsageError: two sets have the same name, or standard input is named.
    """
    if STREAM in data:
        raise UsageError("eval measures directories and files, not standard input: name one")
    for path in data:
        if not os.path.lexists(path):
            raise InputMissingError(f"no such file or directory: {path}")
    folders = [path for path in data if is_directory(path)]
    sets = [ImageSet(_name(folder), tuple(images_in(folder))) for folder in folders]
    files = tuple(path for path in data if not is_directory(path))
    if files:
        sets.append(ImageSet("files", files))
    names = [one.name for one in sets]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"two sets would be called {name}: rename a directory, or measure one at a time"
            )
    return sets


def _name(folder: Path) -> str:
    return folder.resolve().name or "root"


def load_cropped(path: Path, scale: int, max_pixels: int) -> Pixels:
    """Load HR, cropped at the bottom and right to a multiple of the scale: uint8 [H, W, 3].

    Raises:
        ImageError: the file is not an image, or the image has too many or too few pixels.
    """
    picture = decode(read_input(path), max_pixels=max_pixels)
    width, height = picture.size
    if min(width, height) < scale:
        raise ImageError(f"{width}x{height} px, x{scale} needs at least {scale}x{scale}")
    cropped = picture.pixels[: height // scale * scale, : width // scale * scale]
    return np.ascontiguousarray(cropped)
