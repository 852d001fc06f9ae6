"""Images in memory: arrays of 8 or 16 bits per channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pixels", "bits_of", "most", "to_bits"]

Pixels = NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16 array; the full range runs from black to white, or from transparent to opaque."""


def bits_of(pixels: Pixels) -> int:
    """Return the bits per channel: 8 or 16."""
    return 8 * pixels.dtype.itemsize


def most(pixels: Pixels) -> int:
    """Return the largest value, white: 255 or 65535."""
    return int(np.iinfo(pixels.dtype).max)


def to_bits(pixels: Pixels, bits: int) -> Pixels:
    """Return the nearest values at another bit depth; 65535 and 255 are both white."""
    if bits_of(pixels) == bits:
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * np.uint16(257)
    # Convert row by row, so that no wider copy of the whole image is made.
    reduced = np.empty(pixels.shape, np.uint8)
    for row, values in zip(reduced, pixels, strict=True):
        row[...] = (values.astype(np.uint32) * 255 + 32767) // 65535
    return reduced
