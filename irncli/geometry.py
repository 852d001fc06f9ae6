"""Sizes of HR and LR, and the grid of blocks by which the guard marks places of a small image.

A block is a square of LR pixels. Its side is a law of the size of LR alone, so that a file needs no
more than the bits: the smallest of 16, 32, 64 ... with at most MOST_BLOCKS blocks in the image.
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
"""[rows, columns] of the grid."""


def lr_size(hr_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of LR: ceil(size / scale) each."""
    width, height = (math.ceil(side / scale - 1e-9) for side in hr_size)
    return width, height


def hr_size_of(lr_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of the largest image with an LR of this size at most: LR size x scale."""
    width, height = (math.floor(side * scale + 1e-9) for side in lr_size)
    return width, height


def restored_size(hr_size: tuple[int, int], scale: float, lr: tuple[int, int]) -> tuple[int, int]:
    """Width and height of what comes out of LR: `hr_size`, unless LR was resized since."""
    return hr_size if lr_size(hr_size, scale) == lr else hr_size_of(lr, scale)


def block_side(size: tuple[int, int]) -> int:
    """Side of a block, in LR pixels, of an LR of this width and height."""
    side = SIDE
    while _count(size, side) > MOST_BLOCKS:
        side *= 2
    return side


def _count(size: tuple[int, int], side: int) -> int:
    width, height = size
    return -(-width // side) * -(-height // side)


def grid_shape(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of blocks; those at the right and at the bottom may be cut off."""
    width, height = size
    side = block_side(size)
    return -(-height // side), -(-width // side)


def pack(blocks: Blocks) -> bytes:
    """The bitmap, row by row, eight blocks a byte, compressed."""
    return zlib.compress(np.packbits(blocks).tobytes(), 9)


def unpack(data: bytes, size: tuple[int, int]) -> Blocks:
    """The blocks of an LR of this size, out of `pack`.

    Never takes more memory than a bitmap of this size needs, whatever the data say.

    Raises:
        ValueError: damaged, or not of this size.
    """
    rows, columns = grid_shape(size)
    length = -(-rows * columns // 8)
    reader = zlib.decompressobj()
    try:
        packed = reader.decompress(data, length + 1)
    except zlib.error as error:
        raise ValueError("it cannot be decompressed") from error
    if len(packed) != length or not reader.eof or reader.unused_data:
        raise ValueError(f"it does not have the {rows * columns} bits of {rows}x{columns} blocks")
    bits = np.unpackbits(np.frombuffer(packed, np.uint8)).astype(np.bool_)
    if bits[rows * columns :].any():
        raise ValueError("there are bits after its end")
    return bits[: rows * columns].reshape(rows, columns)
