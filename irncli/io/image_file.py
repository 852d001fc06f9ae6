"""Reading of image files; `encoding` writes them. Only the package `io` imports Pillow.

Pixels are not turned: the orientation stays in EXIF. The exceptions are TIFF and HEIC, whose
decoders turn the pixels upright.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL import ImageFile as PillowFile

from irncli.errors import ImageError
from irncli.io.formats import FORMATS, format_of, mended, pillow_names, unreadable
from irncli.io.formats.base import check_size, equal_hashes, hash_of, pixel_sha256
from irncli.io.formats.others import is_icon
from irncli.io.libraries import DEEP_MODES
from irncli.io.metadata import checked_exif, profile_of
from irncli.io.picture import Chunk, Metadata, Picture, reduction
from irncli.io.pillow import (
    CONVERTED_MODES,
    deep_gray,
    has_alpha,
    limited,
    of_channels,
    resolution_of,
    shallow,
)
from irncli.io.tag import NAMESPACE, Tag, extract
from irncli.io.xmp import checked_xmp
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.wording import with_article

__all__ = ["Header", "ImageFile", "decode"]


@dataclass(frozen=True)
class Header:
    """Properties of a file that are known before its pixels are decoded.

    Attributes:
        format: `png`, `jpeg`, ...
        width: width in pixels.
        height: height in pixels.
        mode: Pillow's mode of the pixels.
        bits: bits per channel.
        xmp: XMP packet; None if there is none.
        carries: names of the data besides the pixels: EXIF, XMP, ...
    """

    format: str
    width: int
    height: int
    mode: str
    bits: int
    xmp: bytes | None
    carries: tuple[str, ...]


class ImageFile:
    """An image file in memory, whose parts are parsed when they are first requested.

    The header is read when the object is created. Decoded pixels are not stored in the object.

    Args:
        data: content of the file.
        max_pixels: largest number of pixels; larger images are refused before memory is allocated.

    Attributes:
        data: content of the file.
        damage: damaged parts that were left out, one sentence each.

    Raises:
        ImageError: the file is not an image, is damaged, or is too large.
    """

    def __init__(self, data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self.data = data
        self._sound, damage = mended(data)
        self.damage = tuple(damage)
        self._max_pixels = max_pixels
        self._unread: PillowFile.ImageFile | None
        with self._limited():
            image = self._unread = _open(self._sound, max_pixels)
            format_ = format_of(image)
            self._coded = format_.coded_sha256
            xmp = format_.xmp(image, self._sound)
            chunks = format_.chunks(image, self._sound)
            self._tables = format_.tables(image)
            self.header = Header(
                format=(image.format or "").lower(),
                width=image.width,
                height=image.height,
                mode=image.mode,
                bits=format_.bits(image, self._sound),
                xmp=xmp,
                carries=_carried(image, xmp, resolution_of(image), chunks),
            )

    def _limited(self) -> AbstractContextManager[None]:
        return limited(self._max_pixels, inside=is_icon(self.data))

    @contextmanager
    def _opened(self) -> Iterator[PillowFile.ImageFile]:
        """Yield the image that was opened for the header or, if it was already used, a new one."""
        with self._limited():
            opened, self._unread = self._unread, None
            with opened or _open(self._sound, self._max_pixels) as image:
                yield image

    @cached_property
    def tag(self) -> Tag | None:
        """The irn tag of the file; None if there is none.

        Raises:
            TagError: the tag is not usable.
        """
        return extract(self.header.xmp)

    @cached_property
    def content_sha256(self) -> str:
        """SHA-256 that identifies the image independently of its metadata.

        For JPEG, this is the hash of the coded segments, which does not depend on the decoder. For
        other formats, it is the hash of mode, size and pixels.

        Raises:
            ImageError: the file is damaged.
        """
        coded = self._coded(self._sound)
        if coded is not None:
            return coded
        with self._opened() as image:
            image.load()
            format_ = format_of(image)
            return _content(image, format_.deep(image, self._sound, self.header.bits))

    def holds(self, content_sha256: str) -> bool:
        """Tell whether the pixels are those of a `content_sha256`.

        Alpha that is opaque and was added or removed, and gray stored as colour or the reverse, are
        not a difference.

        Raises:
            ImageError: the file is damaged.
        """
        if self.content_sha256 == content_sha256:
            return True
        if self._coded(self._sound) is not None:
            return False
        with self._opened() as image:
            image.load()
            channels = format_of(image).deep(image, self._sound, self.header.bits)
            return content_sha256 in equal_hashes(image, channels)

    @property
    def tables(self) -> NDArray[np.uint8]:
        """Quantisation steps of a JPEG file for luma and chroma, in row order, uint8 [2, 64].

        If the file has a single table, both rows are equal.

        Raises:
            ImageError: the file is not a JPEG or has no usable tables.
        """
        if not self._tables:
            found = with_article(f"{self.header.format.upper()} file")
            raise ImageError(f"{found} has no quantisation tables, expected a JPEG")
        tables = [self._tables[key] for key in sorted(self._tables)]
        return np.array([tables[0], tables[min(1, len(tables) - 1)]]).clip(1, 255).astype(np.uint8)

    def decode(self, *, deep: bool = False) -> Picture:
        """Decode the pixels.

        Args:
            deep: keep more than 8 bits as 16; by default, they are reduced to 8 with a note.

        Raises:
            ImageError: the file is damaged, has several frames, or has pixels that cannot be
                converted to 8 or 16 bits.
        """
        data, bits = self._sound, self.header.bits
        with self._opened() as image:
            format_ = format_of(image)
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                raise ImageError(f"{frames} frames, expected one: extract the frame you want first")
            format_.check(data)
            # Pillow loads the image before OpenCV may read it, because only Pillow reports damage.
            image.load()
            notes = [*self.damage]
            notes += [f"{frames} images in one file: the first was taken"] * (frames > 1)
            notes += format_.left_out(image, data)
            gray = format_.gray_with_alpha(data)
            icc = profile_of(image, notes, gray=gray)
            channels = format_.deep(image, data, bits)
            if self._is_tagged and self._coded(data) is None:
                # Cache the hash, which restoring needs, while the pixels are in memory.
                self.content_sha256 = _content(image, channels)
            if channels is not None:
                picture = of_channels(channels, image, gray=gray)
            elif image.mode in DEEP_MODES:
                picture = deep_gray(image)
            else:
                picture = shallow(image, icc, notes)
                notes += [reduction(bits)] * (bits > 8)
            metadata = Metadata(
                icc=None if image.mode in CONVERTED_MODES else icc,
                exif=checked_exif(format_.exif(image), notes),
                xmp=checked_xmp(self.header.xmp, notes) or None,
                dpi=resolution_of(image),
                chunks=format_.chunks(image, data),
            )
        picture = replace(picture, metadata=metadata, notes=tuple(notes))
        return picture if deep else picture.reduced(bits)

    @property
    def _is_tagged(self) -> bool:
        return NAMESPACE.encode() in (self.header.xmp or b"")


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, deep: bool = False) -> Picture:
    """Decode a file of which only the pixels are needed; see ImageFile."""
    return ImageFile(data, max_pixels=max_pixels).decode(deep=deep)


def _content(image: Image.Image, channels: NDArray[np.uint16] | None) -> str:
    """Hash the pixels of a loaded image, or its 16-bit channels if it has any."""
    if channels is not None:
        return hash_of(f"{image.mode};16", image.size, channels.astype("<u2").tobytes())
    return pixel_sha256(image)


def _carried(
    image: Image.Image,
    xmp: bytes | None,
    dpi: tuple[float, float] | None,
    chunks: tuple[Chunk, ...],
) -> tuple[str, ...]:
    found = {
        "colour profile": image.info.get("icc_profile"),
        "EXIF": image.info.get("exif"),
        "XMP": xmp,
        "DPI": dpi,
        "text or gamma": chunks,
        "transparency": has_alpha(image),
    }
    return tuple(name for name, value in found.items() if value)


def _open(data: bytes, max_pixels: int) -> PillowFile.ImageFile:
    if not data:
        raise ImageError("0 bytes, expected an image")
    for each in FORMATS:
        each.refuse(data, max_pixels)
    try:
        image = Image.open(io.BytesIO(data), formats=pillow_names(data))
    except UnidentifiedImageError as error:
        raise ImageError(unreadable(data)) from error
    check_size(*image.size, max_pixels)
    format_of(image).complete(image, data)
    return image
