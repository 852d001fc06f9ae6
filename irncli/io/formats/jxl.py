"""JPEG XL: XMP, depth, frames and size before decoding, which Pillow's plug-in does not report.

Source: ISO/IEC 18181-1, annex D, for the headers; 18181-2 for the boxes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image, ImageFile

from irncli.errors import ImageError, UnavailableError
from irncli.io.formats.base import check_size
from irncli.io.formats.extras import GAIN_MAP, iso_boxes
from irncli.io.formats.writable import EncoderSettings, Format, WritableFormat
from irncli.io.libraries import jxl_is_here
from irncli.io.picture import Picture

__all__ = ["Header", "Jxl", "find_xmp", "header_of", "is_jxl"]

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_WIDTHS = (9, 13, 18, 30)
_SMALLEST = 11
"""Smallest size of a file in bytes: 2 bytes of signature and 68 bits of the longest size."""
_HEADER = 64
"""Number of bytes that is sufficient for all fields that are read here."""
# Choices of a U32, selected by two bits: (base, number of further bits to add to the base).
_BITS = ((8, 0), (10, 0), (12, 0), (1, 6))
_FLOAT_BITS = ((32, 0), (16, 0), (24, 0), (1, 6))
_PREVIEW_BY_8 = ((16, 0), (32, 0), (1, 5), (33, 9))
_PREVIEW = ((1, 6), (65, 8), (321, 10), (1345, 12))


@dataclass(frozen=True)
class Header:
    """The header of a codestream.

    Attributes:
        width: width in pixels.
        height: height in pixels.
        bits: bits per channel.
        animated: True if the frames have durations.
    """

    width: int
    height: int
    bits: int = 8
    animated: bool = False


def is_jxl(data: bytes) -> bool:
    """Tell whether the plug-in would read a file as JPEG XL, with or without a container."""
    return data.startswith((_CODESTREAM, _CONTAINER)) or data[4:7] == b"JXL"


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, stop) of the content of each box; a damaged box is an error."""
    end = 0
    for kind, start, stop in iso_boxes(data):
        yield kind, start, stop
        end = stop
    if end + 8 <= len(data):
        raise ImageError("damaged JPEG XL: a box has an impossible size")


def find_xmp(data: bytes) -> bytes | None:
    """Return the XMP packet; None if there is none or it is compressed.

    Raises:
        ImageError: the boxes are damaged.
    """
    if not data.startswith(_CONTAINER):
        return None
    packets = (data[start:stop] for kind, start, stop in _boxes(data) if kind == b"xml ")
    return next(packets, None)


def _codestream(data: bytes) -> bytes:
    """Return the first bytes of the codestream."""
    if data.startswith(_CODESTREAM):
        return data[:_HEADER]
    found = b""
    for kind, start, stop in _boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            # The content of a partial codestream box (jxlp) starts with its number.
            start += 4 * (kind == b"jxlp")
            found += data[start : min(stop, start + _HEADER)]
        if len(found) >= _HEADER:
            break
    return found


class _Bits:
    """A bit reader for a codestream, which starts at the lowest bit."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value

    def choose(self, choices: tuple[tuple[int, int], ...]) -> int:
        """Read a U32 as defined in the standard."""
        least, count = choices[self.take(2)]
        return least + self.take(count)


def header_of(data: bytes) -> Header:
    """Read the header of a file.

    Raises:
        ImageError: there is no header.
    """
    stream = _codestream(data)
    if not stream.startswith(_CODESTREAM) or len(stream) < _SMALLEST:
        raise ImageError("damaged JPEG XL: no header")
    bits = _Bits(stream[2:])
    width, height = _size(bits)
    if bits.take(1):  # all other fields have their defaults
        return Header(width, height)
    animated = bool(bits.take(1)) and _extra_fields(bits)
    depth = bits.choose(_FLOAT_BITS if bits.take(1) else _BITS)
    return Header(width, height, depth, animated)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.take(_WIDTHS[bits.take(2)]) + 1

    height = side()
    above, below = _RATIOS[bits.take(3)]
    return height * above // below if above else side(), height


def _extra_fields(bits: _Bits) -> bool:
    """Skip orientation, intrinsic size and preview; tell whether the image is animated."""
    bits.take(3)
    if bits.take(1):
        _size(bits)
    if bits.take(1):
        choices = _PREVIEW_BY_8 if bits.take(1) else _PREVIEW
        bits.choose(choices)
        if bits.take(3) == 0:
            bits.choose(choices)
    animated = bool(bits.take(1))
    if animated:
        bits.choose(((100, 0), (1000, 0), (1, 10), (1, 30)))
        bits.choose(((1, 0), (1001, 0), (1, 8), (1, 10)))
        bits.choose(((0, 0), (0, 3), (0, 16), (0, 32)))
        bits.take(1)
    return animated


_GAIN_MAP_BOX = b"jhgm"
_BY_LIBJXL = b"jxl "
_NAMES_OF_SRGB = tuple(
    name.encode("utf-16-be") for name in ("sRGB", "RGB_D65_SRG_Rel_SRG", "Gra_D65_Rel_SRG")
)


class Jxl(WritableFormat):
    """JPEG XL, read and written by Pillow's plug-in."""

    pillow_names: ClassVar[tuple[str, ...]] = ("JXL",)
    name: ClassVar[Format] = "jxl"
    suffixes: ClassVar[tuple[str, ...]] = (".jxl",)
    beginning = re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL ")
    spoken: ClassVar[str] = "JPEG XL"
    one: ClassVar[str] = "a JPEG XL"

    def refuse(self, data: bytes, max_pixels: int) -> None:
        """See FileFormat. Check the header first: the plug-in decodes pixels on opening a file."""
        if not is_jxl(data):
            return
        if not jxl_is_here():
            raise ImageError("a JPEG XL file: to read it, pip install 'irncli[jxl]'")
        header = header_of(data)
        check_size(header.width, header.height, max_pixels)
        if header.animated:
            raise ImageError("an animation, expected one image: extract the frame you want first")

    def complete(self, image: ImageFile.ImageFile, data: bytes) -> None:
        """See FileFormat. libjxl generates a profile for an sRGB file without a profile."""
        del data
        icc = image.info.get("icc_profile") or b""
        if icc[4:8] == _BY_LIBJXL and any(name in icc for name in _NAMES_OF_SRGB):
            del image.info["icc_profile"]

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        del image
        return max(8, header_of(data).bits)

    def xmp(self, image: Image.Image, data: bytes) -> bytes | None:
        """See FileFormat."""
        del image
        return find_xmp(data)

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del image
        kinds = {kind for kind, _, _ in iso_boxes(data)} if data.startswith(_CONTAINER) else set()
        return [GAIN_MAP] * (_GAIN_MAP_BOX in kinds)

    def check_writable(self, picture: Picture, settings: EncoderSettings) -> None:
        """See WritableFormat."""
        super().check_writable(picture, settings)
        if not jxl_is_here():
            raise UnavailableError("JPEG XL needs a plug-in: pip install 'irncli[jxl]'")
        if picture.metadata.icc is not None:
            raise ImageError(
                "the JPEG XL plug-in cannot store the colour profile of this image: use another "
                "format, or convert it to sRGB first"
            )

    def options(self, picture: Picture, settings: EncoderSettings) -> dict[str, object]:
        """See WritableFormat."""
        del picture
        # At quality 100 the encoder switches to lossless and fails without the options for it.
        return {"quality": min(settings.quality, 99.9), "use_container": True}
