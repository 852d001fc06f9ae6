"""How deep the channels of a file are, whatever Pillow makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable

from PIL import Image

from irncli.io.jpeg2000 import components
from irncli.io.jxl import header_of
from irncli.io.png import bit_depth

__all__ = ["DEEP_MODES", "depth_of"]

DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_BITS_PER_SAMPLE = 258


def depth_of(image: Image.Image, data: bytes) -> int:
    """Bits of a channel; 8 where it has fewer, and in a format that has no more."""
    find = _DEPTHS.get(image.format or "")
    if find is not None:
        return max(8, find(image, data))
    return 16 if image.mode in DEEP_MODES else 8


def _png(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    return bit_depth(data)[0]


def _tiff(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))))  # type: ignore[attr-defined]


def _ppm(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    """Source: Netpbm, ppm."""
    # One way only to read each byte: a second would take for ever on bytes made for that.
    header = re.match(rb"P[2356](?:\s|#[^\n]*\n)+(?:\d+(?:\s|#[^\n]*\n)+){2}(\d{1,5})", data)
    return int(header[1]).bit_length() if header else 8


def _sgi(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    return 8 * data[3]


def _avif(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    """Source: AV1 codec ISO media file format binding, section 2.3, for the av1C box."""
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _heif(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    return int(image.info.get("bit_depth", 8))


def _jpeg2000(image: Image.Image, data: bytes) -> int:
    # Of a palette the components are places in it.
    indexed = image.mode in ("P", "PA")
    return 8 if indexed else max((each.bits for each in components(data)), default=8)


def _jxl(image: Image.Image, data: bytes) -> int:  # noqa: ARG001
    return header_of(data).bits


_DEPTHS: dict[str, Callable[[Image.Image, bytes], int]] = {
    "PNG": _png,
    "TIFF": _tiff,
    "PPM": _ppm,
    "SGI": _sgi,
    "AVIF": _avif,
    "HEIF": _heif,
    "JPEG2000": _jpeg2000,
    "JXL": _jxl,
}
