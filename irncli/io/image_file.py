"""Reading of image files; `encoding` writes them. Only the package `io` imports Pillow.

Pixels are not turned: the orientation stays in EXIF. The exceptions are TIFF and HEIC, whose
decoders turn the pixels upright.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL import ImageFile as PillowFile

from irncli.errors import ImageError, UsageError
from irncli.io.animation import Animation, FramesHash
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
from irncli.wording import counted, with_article

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

    def _limited(self, *, inside: bool = False) -> AbstractContextManager[None]:
        return limited(self._max_pixels, inside=inside or is_icon(self.data))

    @contextmanager
    def _opened(self) -> Iterator[PillowFile.ImageFile]:
        """Yield the image that was opened for the header or, if it was already used, a new one."""
        with self._limited():
            opened, self._unread = self._unread, None
            with opened or _open(self._sound, self._max_pixels) as image:
                yield image

    @cached_property
    def frames(self) -> int:
        """Number of frames; 1 for a JPEG that holds other images beside the main one.

        Raises:
            ImageError: the file is damaged.
        """
        with self._limited():
            self._unread = image = self._unread or _open(self._sound, self._max_pixels)
            return len(_numbers(image))

    @cached_property
    def animation(self) -> Animation:
        """What several frames have in common. All frames are decoded for it, one after another.

        Raises:
            ImageError: a frame is damaged, the sizes of the frames differ, or they have too many
                pixels together.
        """
        size = width, height = self.header.width, self.header.height
        count, choose = self.frames, f"pick one with --frame N (0 to {self.frames - 1})"
        if count * width * height > self._max_pixels:
            raise ImageError(
                f"{counted(count, 'frame')} of {width}x{height} are {count * width * height} "
                f"pixels, more than --max-pixels {self._max_pixels}: raise it if you trust the "
                f"file, or {choose}"
            )
        digest, times, notes = FramesHash(size), [], dict[str, None]()
        alpha, gray, neutral = False, True, True
        for number, (picture, milliseconds) in enumerate(self.each_frame()):
            if picture.size != size:
                found = "frame {} is {}x{}".format(number, *picture.size)
                raise ImageError(f"{found}, frame 0 is {width}x{height}: {choose}")
            digest.add(picture)
            times.append(milliseconds)
            notes |= dict.fromkeys(picture.notes)
            alpha, gray = alpha or not picture.opaque, gray and picture.gray
            neutral = neutral and picture.neutral
        return Animation(
            tuple(times), self._plays, alpha, gray, neutral, digest.hexdigest(), tuple(notes)
        )

    @property
    def _plays(self) -> int:
        with self._opened() as image:
            return format_of(image).plays(image)

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
        other formats, it is the hash of mode, size and pixels; of several frames, of all of them.

        Raises:
            ImageError: the file is damaged.
        """
        if self.frames > 1:
            return self.animation.content_sha256
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
        if self._coded(self._sound) is not None or self.frames > 1:
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

    def decode(self, *, deep: bool = False, frame: int | None = None) -> Picture:
        """Decode the pixels.

        Args:
            deep: keep more than 8 bits as 16; by default, they are reduced to 8 with a note. One of
                several frames always has 8.
            frame: number of the frame, from 0; None: the file must have a single one.

        Raises:
            ImageError: the file is damaged, has several frames, or has pixels that cannot be
                converted to 8 or 16 bits.
            UsageError: there is no frame of this number.
        """
        count = self.frames
        if frame is not None and not 0 <= frame < count:
            known = f"0 to {count - 1}" if count > 1 else "0"
            raise UsageError(f"--frame {frame}: found {counted(count, 'frame')}, expected {known}")
        if count > 1:
            if frame is None:
                raise ImageError(f"{count} frames, expected one: extract the frame you want first")
            return next(self.each_frame(frame))[0]
        with self._opened() as image:
            picture = self._picture(image)
        return picture if deep else picture.reduced(self.header.bits)

    def each_frame(self, first: int = 0) -> Iterator[tuple[Picture, float]]:
        """Yield several frames, of 8 bits per channel, and their times in milliseconds.

        Args:
            first: number of the first frame to be decoded, from 0.

        Raises:
            ImageError: a frame is damaged, or has pixels that cannot be converted.
        """
        with contextlib.ExitStack() as stack:
            with self._limited():
                image = stack.enter_context(_open(self._sound, self._max_pixels))
            format_ = format_of(image)
            for number, stored in list(enumerate(_numbers(image)))[first:]:
                try:
                    with self._limited(inside=True):
                        image.seek(stored)
                        check_size(*image.size, self._max_pixels)
                        picture = self._picture(image, one_of_several=True)
                        told = image.info.get("duration")
                except ImageError as error:
                    raise ImageError(f"frame {number}: {error}") from error
                timed = isinstance(told, int | float) and 0 <= told < math.inf
                milliseconds = float(told or 0) if timed else format_.untimed
                yield picture.reduced(self.header.bits), milliseconds

    def _picture(self, image: PillowFile.ImageFile, *, one_of_several: bool = False) -> Picture:
        """Decode an opened image, or the frame at which it is."""
        data, bits, format_ = self._sound, self.header.bits, format_of(image)
        format_.check(data)
        # Pillow loads the image before OpenCV may read it, because only Pillow reports damage.
        image.load()
        notes = [*self.damage]
        more = getattr(image, "n_frames", 1)
        if more > 1 and not one_of_several:
            notes.append(f"{more} images in one file: the first was taken")
        notes += format_.left_out(image, data)
        gray = format_.gray_with_alpha(data)
        icc = profile_of(image, notes, gray=gray)
        channels = None
        if not one_of_several or image.mode in DEEP_MODES:  # OpenCV reads the first frame
            channels = format_.deep(image, data, bits)
        if self._is_tagged and self._coded(data) is None and not one_of_several:
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
        return replace(picture, metadata=metadata, notes=tuple(notes))

    @property
    def _is_tagged(self) -> bool:
        return NAMESPACE.encode() in (self.header.xmp or b"")


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, deep: bool = False) -> Picture:
    """Decode a file of which only the pixels are needed; see ImageFile."""
    return ImageFile(data, max_pixels=max_pixels).decode(deep=deep)


def _numbers(image: Image.Image) -> range:
    """Return the numbers that Pillow gives to the frames of a file, without an image for viewers
    that cannot show frames. The other images in an MPO are not frames.
    """
    count = getattr(image, "n_frames", 1)
    if count == 1 or image.format == "MPO":
        return range(1)
    found = range(bool(image.info.get("default_image")), count)
    return found if len(found) > 1 else range(1)


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
