"""TIFF: 16 bits per channel, and tags that other formats store in EXIF.

Source: TIFF, revision 6.0.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from irncli.errors import ImageError
from irncli.io import opencv
from irncli.io.formats.extras import further_images
from irncli.io.formats.tiff_writer import write_tiff
from irncli.io.formats.writable import EncoderSettings, Format, Packet, WritableFormat
from irncli.io.libraries import DECODER_ERRORS
from irncli.io.picture import Deep, Metadata, Picture

__all__ = ["Tiff"]

_BITS_PER_SAMPLE, _PHOTOMETRIC, _PLANES = 258, 262, 284
_EXTRA_SAMPLES, _SAMPLE_FORMAT, _IPTC = 338, 339, 33723
_WIDTH, _COMPRESSION, _SAMPLES_PER_PIXEL = 256, 259, 277
_OTHER_TYPES = {
    2: "signed integers", 3: "floating-point numbers", 5: "complex integers",
    6: "complex floating-point numbers",
}  # fmt: skip
"""Types of values that are not supported, by SampleFormat."""
_MOST_BITS = 16
_SUBFILE_TYPE, _SUBORDINATE, _PHOTOSHOP_LAYERS = 254, 330, 37724
_UNSIGNED, _WHITE_IS_ZERO, _RGB, _TOGETHER = 1, 0, 2, 1
_UNSPECIFIED, _ASSOCIATED = 0, 1
"""Types of an extra channel: unspecified, or alpha by which the colours are premultiplied."""
# Tags: description, make, model, software, date, artist, copyright.
_DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


class Tiff(WritableFormat):
    """TIFF, which irn writes compressed without loss, with 8 or 16 bits per channel."""

    pillow_names: ClassVar[tuple[str, ...]] = ("TIFF",)
    name: ClassVar[Format] = "tiff"
    suffixes: ClassVar[tuple[str, ...]] = (".tif", ".tiff")
    spoken: ClassVar[str] = "TIFF"
    most_bits: ClassVar[int] = 16
    most_pixels: ClassVar[int] = 500_000_000  # offsets have 32 bits
    beginning = re.compile(rb"II[*+]\x00|MM\x00[*+]")
    one: ClassVar[str] = "a TIFF"

    def unreadable(self, data: bytes) -> str | None:
        """See FileFormat."""
        tags = _first_directory(data) if self.beginning.match(data) else None
        if tags is None or _WIDTH not in tags:
            return super().unreadable(data)
        return _unsupported_type(tags) or (
            f"a TIFF with {_samples(tags)}, photometric interpretation "
            f"{tags.get(_PHOTOMETRIC, 'unknown')} and compression {tags.get(_COMPRESSION, 1)}, "
            "which irn cannot read: convert it to PNG first"
        )

    def check(self, data: bytes) -> None:
        """See FileFormat. The type of the values alone decides, not the values."""
        tags = _first_directory(data)
        trouble = None if tags is None else _unsupported_type(tags)
        if trouble is not None:
            raise ImageError(trouble)

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        del data
        return max(8, int(max(_tags(image).get(_BITS_PER_SAMPLE, (1,)))))

    def exif(self, image: Image.Image) -> bytes | None:
        """See FileFormat.

        The orientation is left out, because the decoders turn the pixels of a TIFF upright.
        """
        stored = super().exif(image)
        if stored is not None:
            return stored
        found, kept = image.getexif(), Image.Exif()
        for tag in _DESCRIPTIVE_TAGS:
            if tag in found:
                kept[tag] = found[tag]
        for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            inside = found.get_ifd(directory)
            if inside:
                kept.get_ifd(directory).update(inside)
        return kept.tobytes() if len(kept) else None

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del data
        tags = _tags(image)
        subordinate = len(_numbers(tags, _SUBORDINATE, 0)) if _SUBORDINATE in tags else 0
        found = {
            "what was read is a small version of an image in the file": (
                _numbers(tags, _SUBFILE_TYPE, 0)[0] & 1
            ),
            "its Photoshop layers were left out": _PHOTOSHOP_LAYERS in tags,
            "its IPTC was left out": _IPTC in tags,
            "an extra channel that is not alpha was left out": _UNSPECIFIED
            in tags.get(_EXTRA_SAMPLES, ()),
        }
        said = [sentence for sentence, there in found.items() if there]
        return further_images(subordinate) + said

    def fitted(self, picture: Picture) -> tuple[Picture, list[str]]:
        """See WritableFormat. Opaque alpha stays, as in a PNG."""
        kept, lost = super().fitted(picture)
        return replace(kept, alpha=picture.alpha), lost

    def fitted_resolution(
        self, metadata: Metadata, dpi: tuple[float, float], lost: list[str]
    ) -> Metadata:
        """See WritableFormat."""
        del dpi, lost
        return metadata

    def stores_gray(self, picture: Picture) -> bool:
        """See WritableFormat."""
        return picture.gray and not _is_stored_as_colour(picture)

    def write(
        self,
        picture: Picture,
        settings: EncoderSettings,
        xmp: Packet | None,
        identify: Callable[[bytes], str],
    ) -> bytes:
        """See WritableFormat."""
        del settings
        values = picture.pixels[:, :, :1] if self.stores_gray(picture) else picture.pixels
        if picture.alpha is not None:
            values = np.dstack((values, picture.alpha))
        if xmp is None:
            return write_tiff(values, picture.metadata)
        bare = replace(picture.metadata, xmp=None)
        packet = xmp(identify(write_tiff(values, bare)))
        return write_tiff(values, replace(bare, xmp=packet))

    def deep(self, image: Image.Image, data: bytes, bits: int) -> Deep | None:
        """See FileFormat."""
        if bits <= 8:
            return None
        if bits == 16 and _is_unsigned_rgb(image):
            return _rgb(image, data)
        if image.mode in ("I;16", "I;16B"):
            return _gray(image, bits)
        return None


def _is_stored_as_colour(picture: Picture) -> bool:
    """Tell whether a gray image is stored as RGB: few programs read 16-bit gray with alpha."""
    return picture.bits > 8 and picture.alpha is not None


def _first_directory(data: bytes) -> Any:
    """Return the tags of the first image of a file; None if they cannot be read."""
    stream = io.BytesIO(data)
    head = stream.read(8)
    head += stream.read(8) if head[2:3] == b"+" else b""  # BigTIFF
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        stream.seek(tags.next)
        tags.load(stream)
        return dict(tags)
    except DECODER_ERRORS:
        return None


def _unsupported_type(tags: Any) -> str | None:
    """Say why the type of the values is not supported; None if it is.

    Integers without a sign of at most 16 bits are supported. The range of others is not known from
    the file, so any scaling of them could make the image black or white.
    """
    kinds, bits = _numbers(tags, _SAMPLE_FORMAT, _UNSIGNED), _numbers(tags, _BITS_PER_SAMPLE, 1)
    other = next((kind for kind in kinds if kind in _OTHER_TYPES), None)
    if other is None and max(bits) <= _MOST_BITS:
        return None
    name = "unsigned integers" if other is None else _OTHER_TYPES[other]
    return (
        f"a TIFF of {max(bits)}-bit {name}, expected unsigned integers of 8 or 16 bits: convert "
        "it first"
    )


def _samples(tags: Any) -> str:
    bits = _numbers(tags, _BITS_PER_SAMPLE, 1)
    count = max(len(bits), *_numbers(tags, _SAMPLES_PER_PIXEL, 1))
    return f"{count} channel{'s' * (count != 1)} of {max(bits)} bits"


def _numbers(tags: Any, tag: int, default: int) -> tuple[int, ...]:
    """Return the numbers of a tag, or the default if it has none."""
    value = tags.get(tag, default)
    found = value if isinstance(value, tuple) else (value,)
    return tuple(each for each in found if isinstance(each, int)) or (default,)


def _tags(image: Image.Image) -> Any:
    return image.tag_v2  # type: ignore[attr-defined]


def _is_unsigned_rgb(image: Image.Image) -> bool:
    tags = _tags(image)
    unsigned = set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))) == {_UNSIGNED}
    return unsigned and tags.get(_PHOTOMETRIC) == _RGB


def _rgb(image: Image.Image, data: bytes) -> Deep:
    tags = _tags(image)
    if tags.get(_PLANES, _TOGETHER) != _TOGETHER:
        raise ImageError(
            "a 16-bit TIFF that stores each colour in a separate plane: convert it to a 16-bit PNG "
            "first"
        )
    values = opencv.required(opencv.read(data))
    beside = tags.get(_EXTRA_SAMPLES, ())
    if values.shape[2] == 4 and _UNSPECIFIED in beside:
        return values[:, :, :3]
    return _divided_by_alpha(values) if _ASSOCIATED in beside else values


def _divided_by_alpha(values: Deep) -> Deep:
    """Undo the premultiplication of the colours by alpha."""
    alpha = np.maximum(values[:, :, 3:], 1).astype(np.float64)
    colours = (values[:, :, :3] * (65535 / alpha)).round().clip(0, 65535)
    return np.concatenate((colours.astype(np.uint16), values[:, :, 3:]), axis=2)


def _gray(image: Image.Image, bits: int) -> Deep | None:
    """Return the stored values, which Pillow does not scale, as 16-bit gray."""
    values = opencv.spread(np.array(image).astype(np.uint16), image, bits)
    white_is_zero = _tags(image).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return ~values if values is not None and white_is_zero else values
