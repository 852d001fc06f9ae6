"""Files with a tag, for the Python interface: written, and read again with what they want."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from irncli.errors import ImageError, TagError, UsageError
from irncli.geometry import restored_size
from irncli.io.encoding import Format, encode, fitted, format_for_suffix
from irncli.io.images import content_sha256, decode, quantization_tables
from irncli.io.paths import atomic_write, read_input
from irncli.io.picture import Picture
from irncli.io.tag import Tag, embed, extract, remove

__all__ = ["File", "Tagged", "read", "warn", "write"]

File = str | os.PathLike[str] | BinaryIO
"""A path, or a binary file that is open."""


@dataclass(frozen=True, eq=False)
class Tagged:
    """A file with a tag, as it was read.

    Attributes:
        picture: what it shows, without our tag.
        tag: how it is to be restored.
        hr_size: width and height of what comes out.
        tables: quantisation tables of a JPEG.
        doubts: what may keep it from being restored well, a sentence each.
    """

    picture: Picture
    tag: Tag
    hr_size: tuple[int, int]
    tables: NDArray[np.uint8] | None
    doubts: tuple[str, ...]


def warn(texts: Sequence[str]) -> None:
    """Warnings that point at the line where a function of the interface was called."""
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=3)


def write(
    picture: Picture,
    tag: Callable[..., Tag],
    file: File,
    *,
    format: Format | None,  # noqa: A002
    quality: int,
    overwrite: bool,
) -> list[str]:
    """Write a file of a picture with a tag.

    Args:
        picture: small or gray.
        tag: made of a `content_sha256`.
        file: where to.
        format: None: by the suffix of a path, else PNG.
        quality: of JPEG.
        overwrite: replace a file that exists.

    Returns:
        What the file could not hold, a sentence each.

    Raises:
        UsageError: a format that irn does not write, or what it cannot hold.
        OutputError: the file exists, or cannot be created.
        StorageError: the disk is full or fails.
    """
    chosen = format or _format_of(file)
    if chosen not in ("png", "jpeg"):
        raise UsageError(f"{file}: irn writes small pictures as .png and .jpg: choose one of them")
    held, lost = fitted(picture, chosen)

    def packet(content: str) -> bytes:
        try:
            return embed(held.metadata.xmp, tag(content_sha256=content))
        except TagError as error:
            lost.append(f"XMP was dropped: {error}")
            return embed(None, tag(content_sha256=content))

    data = encode(held, format=chosen, quality=quality, xmp=packet)
    if isinstance(file, str | os.PathLike):
        atomic_write(Path(file), data, overwrite=overwrite)
    else:
        file.write(data)
    return lost


def _format_of(file: File) -> Format | None:
    if isinstance(file, str | os.PathLike):
        return format_for_suffix(Path(file).suffix)
    return "png"


def read(file: File, *, strict: bool, max_pixels: int) -> Tagged:
    """A file with a tag.

    Raises:
        InputMissingError, StorageError: no such file, or one that cannot be read.
        ImageError: no image, a damaged one, or one of more than `max_pixels`, small or restored.
        TagError: no tag, an unusable one, or with `strict` pixels that were changed since.
    """
    data = read_input(Path(file)) if isinstance(file, str | os.PathLike) else file.read()
    picture = decode(data, max_pixels=max_pixels, deep=True)
    tag = extract(picture.metadata.xmp)
    if tag is None:
        raise TagError(
            "no irn tag: irn did not make this file, or it was stripped. If irn made it, use "
            "load(NAME).upscale(image)"
        )
    hr_size, doubts = _size_and_doubts(tag, picture, content_sha256(data, max_pixels=max_pixels))
    if doubts and strict:
        raise TagError(f"{'; '.join(doubts)} (strict)")
    if hr_size[0] * hr_size[1] > max_pixels:
        raise ImageError(
            f"it would become {hr_size[0]}x{hr_size[1]}, more than max_pixels {max_pixels}: "
            "raise it if you trust the file"
        )
    metadata = replace(picture.metadata, xmp=remove(picture.metadata.xmp))
    metadata = replace(metadata, icc=tag.icc or metadata.icc)
    return Tagged(replace(picture, metadata=metadata), tag, hr_size, _tables(data), tuple(doubts))


def _size_and_doubts(tag: Tag, picture: Picture, content: str) -> tuple[tuple[int, int], list[str]]:
    doubts = []
    if content != tag.content_sha256:
        doubts.append("the pixels were changed since irn wrote them: detail cannot be restored")
    if tag.task == "plain":
        return picture.size, doubts
    width, height = hr_size = restored_size(tag.hr_size, tag.scale, picture.size)
    if hr_size != tag.hr_size:
        doubts.append(f"resized since: restoring to {width}x{height}")
    return hr_size, doubts


def _tables(data: bytes) -> NDArray[np.uint8] | None:
    try:
        return quantization_tables(data)
    except ImageError:
        return None
