"""Decoding libraries: the exceptions they raise, and the plug-ins that are installed."""

from __future__ import annotations

import importlib
import struct
import zlib
from functools import cache

from PIL import ImageCms

__all__ = ["DECODER_ERRORS", "DEEP_MODES", "heif_is_here", "jxl_is_here"]

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
"""Exceptions that Pillow's decoders raise on malformed data, except MemoryError."""

DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Pillow's modes of gray images with more than 8 bits."""


@cache
def jxl_is_here() -> bool:
    """Load Pillow's plug-in for JPEG XL if installed, and tell whether it is."""
    try:
        importlib.import_module("pillow_jxl")
    except ImportError:
        return False
    return True


@cache
def heif_is_here() -> bool:
    """Load Pillow's plug-in for HEIC if installed, and tell whether it is."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True
