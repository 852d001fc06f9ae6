"""SSIMULACRA2, a perceptual metric without weights, by the optional library of that name
(irncli[ssimulacra2]).

100 means that no difference can be seen, 70 a high and 30
a low quality; heavy artifacts give negative values.
"""

from __future__ import annotations

import importlib
from functools import cache
from io import BytesIO
from typing import Any

from irncli.io.encoding import encode
from irncli.io.picture import Picture
from irncli.pixels import Pixels

__all__ = ["is_here", "ssimulacra2"]

SMALLEST = 8
"""Least side of an image that the metric is defined for."""


def is_here() -> bool:
    """Tell whether the library is installed."""
    return _library() is not None


def ssimulacra2(restored: Pixels, hr: Pixels) -> float | None:
    """Return the score of an image against the original, both uint8 [H, W, 3].

    None: the library is not installed, or a side is shorter than 8 pixels.
    """
    library = _library()
    if library is None or min(hr.shape[:2]) < SMALLEST:
        return None
    # The library reads files, and only those.
    files = (BytesIO(encode(Picture(pixels), image_format="png")) for pixels in (hr, restored))
    return float(library.compute_ssimulacra2(*files))


@cache
def _library() -> Any:
    try:
        return importlib.import_module("ssimulacra2")
    except ImportError:
        return None
