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
    """By the brand in its first box: HEVC, not AV1."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc")


def formats() -> list[str]:
    """All that Pillow reads, but EPS, which would start Ghostscript, and its like."""
    Image.init()
    jxl_is_here()
    heif_is_here()
    return [name for name in Image.ID if name not in _UNREAD]


def readable_suffixes() -> frozenset[str]:
    """File name endings of the formats that irn reads, lower case, with their dot."""
    opened = set(formats()) & set(Image.OPEN)
    return frozenset(s for s, name in Image.registered_extensions().items() if name in opened)
