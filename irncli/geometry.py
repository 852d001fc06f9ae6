"""Sizes of HR and LR, and the grid of blocks that the guard marks in a small image.

A block is a square of LR pixels. The side of a block depends only on the size of LR: it is the
smallest of 16, 32, 64 ... for which the image has at most MOST_BLOCKS blocks. A file therefore
needs to store nothing but one bit per block.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Blocks",
    "block_side",
    "grid_shape",
    "hr_size_of",
    "lr_size",
    "pack",
    "restored_size",
    "unpack",
]

SIDE = 16
MOST_BLOCKS = 1 << 16

Blocks = NDArray[np.bool_]
"""Boolean array [rows, columns] with one value per block of the grid."""


def lr_size(hr_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the width and height of LR, each ceil(side / scale)."""
    width, height = (math.ceil(side / scale - 1e-9) for side in hr_size)
    return width, height


def hr_size_of(lr_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the width and height of the largest HR image whose LR is no larger than `lr_size`.

    Each side is floor(side * scale).
    """
    width, height = (math.floor(side * scale + 1e-9) for side in lr_size)
    return width, height


def restored_size(hr_size: tuple[int, int], scale: float, lr: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height of the image restored from an LR of size `lr`.

    This is `hr_size`, or LR size times scale if LR has been resized since it was made.
    """
    return hr_size if lr_size(hr_size, scale) == lr else hr_size_of(lr, scale)


def block_side(size: tuple[int, int]) -> int:
    """Return the side of a block in LR pixels, for an LR of this width and height."""
    side = SIDE
    while _count(size, side) > MOST_BLOCKS:
        side *= 2
    return side


def _count(size: tuple[int, int], side: int) -> int:
    width, height = size
    return -(-width // side) * -(-height // side)


def grid_shape(size: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of the grid, for an LR of this width and height.

    Blocks at the right and bottom edges may be cut off.
    """
    width, height = size
    side = block_side(size)
    return -(-height // side), -(-width // side)


def pack(blocks: Blocks) -> bytes:
    """Return the zlib-compressed bitmap: row by row, eight blocks per byte."""
    return zlib.compress(np.packbits(blocks).tobytes(), 9)


def unpack(data: bytes, size: tuple[int, int]) -> Blocks:
    """Undo `pack` for an LR of this size.

    Memory use is limited to the bitmap of an LR of this size, whatever the data contain.

    Raises:
        ValueError: the data are damaged, or the bitmap does not fit this size.
    """
    rows, columns = grid_shape(size)
    length = -(-rows * columns // 8)
    reader = zlib.decompressobj()
    try:
        packed = reader.decompress(data, length + 1)
    except zlib.error as error:
        raise ValueError("it cannot be decompressed") from error
    if len(packed) != length or not reader.eof or reader.unused_data:
        raise ValueError(f"it does not hold {rows * columns} bits for {rows}x{columns} blocks")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8)).astype(np.bool_)
    if bits[rows * columns :].any():
        raise ValueError("there are bits after its end")
    return bits[: rows * columns].reshape(rows, columns)
