"""Which formats there are: Pillow's own, less a few, and those of its plug-ins; what they raise."""

from __future__ import annotations

import importlib
import struct
import zlib
from functools import cache

from PIL import Image, ImageCms

__all__ = [
    "DECODER_ERRORS",
    "formats",
    "heif_is_here",
    "is_heif",
    "jxl_is_here",
    "readable_suffixes",
]

# What Pillow's decoders raise on bytes that are not what they seem. MemoryError is not among them.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    struct.error,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    ImageCms.PyCMSError,
)
# Programs rather than pictures; names for which Pillow has no decoder of its own; and IPTC, of
# which it opens what is inside, whatever that is.
_UNREAD = ("EPS", "PSD", "FPX", "MIC", "WMF", "PDF", "BUFR", "GRIB", "HDF5", "MPEG", "IPTC")

_PNG_OR_JPEG = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
# Brands of HEIF; under the last two are AV1 pictures too, which Pillow tries first.
_HEVC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_ANY_CODEC = frozenset((b"mif1", b"msf1"))
_LONGEST_BRANDS = 256
"""Bytes of the first box that are looked at."""


@cache
def jxl_is_here() -> bool:
    """Whether Pillow's plug-in for JPEG XL is installed; it is loaded."""
    try:
        importlib.import_module("pillow_jxl")
    except ImportError:
        return False
    return True


@cache
def heif_is_here() -> bool:
    """Whether Pillow's plug-in for HEIC is installed; it is loaded."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def is_heif(data: bytes) -> bool:
    """By the brands in its first box: HEVC, not AV1."""
    if data[4:8] != b"ftyp":
        return False
    major, end = data[8:12], int.from_bytes(data[:4], "big")
    others = [data[at : at + 4] for at in range(16, min(end, _LONGEST_BRANDS), 4)]
    return major in _HEVC or (major in _ANY_CODEC and not _HEVC.isdisjoint(others))


def formats(data: bytes) -> list[str]:
    """Those that may read a file which begins like this, and no plug-in that it does not need.

    All that Pillow reads, but EPS, which would start Ghostscript, and its like.
    """
    if data.startswith(_PNG_OR_JPEG):
        Image.preinit()
        return ["PNG", "JPEG"]
    Image.init()
    if data[4:8] == b"ftyp" and data[8:12] in _HEVC | _ANY_CODEC:
        heif_is_here()
    return _read()


def _read() -> list[str]:
    """List the formats that are loaded and that irn reads."""
    return [name for name in Image.ID if name not in _UNREAD]


def readable_suffixes() -> frozenset[str]:
    """File name endings of the formats that irn reads, lower case, with their dot."""
    Image.init()
    jxl_is_here()
    heif_is_here()
    opened = set(_read()) & set(Image.OPEN)
    return frozenset(s for s, name in Image.registered_extensions().items() if name in opened)
