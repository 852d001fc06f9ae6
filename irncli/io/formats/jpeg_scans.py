"""JPEG files from quantised coefficients.

Pillow encodes pixels only. Here the quantised coefficients of the discrete cosine transform are
given, as an encoder needs that chooses them itself. They are written as one baseline scan for each
plane, with codes of one length for all symbols; mozjpeg's lossless optimiser then turns the file
into a progressive one with the best Huffman codes.

Source: ITU-T T.81, annexes B and F.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from irncli.errors import ImageError

__all__ = ["MOST", "ZIGZAG", "Coefficients", "Integers", "bit_lengths", "jpeg_of"]

Integers = npt.NDArray[np.int32]

MOST: Final = 1023
"""Largest magnitude of a coefficient in steps: ten bits, and eleven for the difference of two."""


def _zigzag() -> npt.NDArray[np.intp]:
    """Return the positions in a block, row * 8 + column, in the order of the file."""

    def order(position: int) -> tuple[int, int]:
        row, column = divmod(position, 8)
        diagonal = row + column
        return diagonal, row if diagonal % 2 else column

    return np.array(sorted(range(64), key=order), dtype=np.intp)


ZIGZAG: Final = _zigzag()


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Quantised coefficients of a JPEG.

    Attributes:
        planes: Y, or Y, Cb and Cr: integers [rows, columns, 64], blocks of 8x8 pixels with the
            vertical frequency first.
        tables: quantisation steps 1 to 255 of luma, and of chroma if there is any: [1 or 2, 64].
        size: width and height of the image in pixels.
    """

    planes: tuple[Integers, ...]
    tables: Integers
    size: tuple[int, int]

    @property
    def subsampled(self) -> bool:
        """True if a block of chroma covers 16x16 pixels."""
        return len(self.planes) > 1 and self.planes[1].shape != self.planes[0].shape


_DC_SYMBOLS: Final = bytes(range(12))
_AC_SYMBOLS: Final = bytes(
    [0x00, 0xF0, *(16 * run + size for run in range(16) for size in range(1, 11))]
)
_END_OF_BLOCK, _SIXTEEN_ZEROS = 0, 1
"""Codes of two symbols: codes are positions in the list of symbols."""
_DC_BITS, _AC_BITS = 4, 8
"""Lengths of the codes."""


def jpeg_of(coefficients: Coefficients) -> bytes:
    """Return the progressive JPEG of some coefficients, without metadata.

    Raises:
        ImageError: a coefficient is out of range.
    """
    # Imported here, since only files of `compress` need it.
    from mozjpeg_lossless_optimization import optimize

    data: bytes = optimize(_baseline(coefficients))
    return data


def _baseline(coefficients: Coefficients) -> bytes:
    for plane in coefficients.planes:
        most = int(np.abs(plane).max(initial=0))
        if most > MOST:
            raise ImageError(f"coefficient of {most} steps: a JPEG stores at most {MOST}")
    planes = range(len(coefficients.planes))
    parts = [b"\xff\xd8"]
    for index, table in enumerate(coefficients.tables):
        parts.append(_segment(0xDB, bytes([index]) + table[ZIGZAG].astype(np.uint8).tobytes()))
    width, height = coefficients.size
    frame = bytes([8]) + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([len(planes)])
    for index in planes:
        sampling = 0x22 if coefficients.subsampled and index == 0 else 0x11
        frame += bytes([index + 1, sampling, min(index, 1)])
    parts.append(_segment(0xC0, frame))
    for kind, bits, symbols in ((0x00, _DC_BITS, _DC_SYMBOLS), (0x10, _AC_BITS, _AC_SYMBOLS)):
        lengths = bytes(len(symbols) if length == bits else 0 for length in range(1, 17))
        parts.append(_segment(0xC4, bytes([kind]) + lengths + symbols))
    for index, plane in enumerate(coefficients.planes):
        parts.append(_segment(0xDA, bytes([1, index + 1, 0x00, 0, 63, 0])))
        parts.append(_coded(plane.reshape(-1, 64)[:, ZIGZAG]).replace(b"\xff", b"\xff\x00"))
    return b"".join([*parts, b"\xff\xd9"])


def _segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


def bit_lengths(values: Integers) -> Integers:
    """Return the number of bits of the magnitudes of integers; 0 for 0."""
    return np.frexp(np.abs(values).astype(np.float64))[1].astype(np.int32)


def _coded(blocks: Integers) -> bytes:
    """Return the coded data of a scan; blocks [N, 64] in the order of the file."""
    count = len(blocks)
    # Each event has a key, which gives its place, a value, and the number of bits of that.
    means = np.diff(blocks[:, 0], prepend=0).astype(np.int32)
    sizes = bit_lengths(means)
    keys = [np.arange(count) * 256]
    values = [(sizes.astype(np.int64) << sizes) | _magnitudes(means, sizes)]
    lengths = [_DC_BITS + sizes]

    block, wave = np.nonzero(blocks[:, 1:])
    wave = wave + 1
    levels = blocks[block, wave]
    follows = np.concatenate(([False], block[1:] == block[:-1])) if len(block) else block > 0
    runs = wave - 1 - np.where(follows, np.roll(wave, 1), 0)
    sizes = bit_lengths(levels)
    codes = 2 + 10 * (runs % 16) + sizes - 1
    keys.append(block * 256 + 4 * wave - 1)
    values.append((codes.astype(np.int64) << sizes) | _magnitudes(levels, sizes))
    lengths.append(_AC_BITS + sizes)

    zeros = np.repeat(block * 256 + 4 * wave - 2, runs // 16)
    ends = np.flatnonzero(blocks[:, 63] == 0) * 256 + 255
    for places, code in ((zeros, _SIXTEEN_ZEROS), (ends, _END_OF_BLOCK)):
        keys.append(places)
        values.append(np.full(len(places), code, dtype=np.int64))
        lengths.append(np.full(len(places), _AC_BITS, dtype=np.int32))
    order = np.argsort(np.concatenate(keys), kind="stable")
    return _packed(np.concatenate(values)[order], np.concatenate(lengths)[order])


def _magnitudes(values: Integers, sizes: Integers) -> npt.NDArray[np.int64]:
    """Return the bits that follow a size: those of the value, or of a negative value less one."""
    values = values.astype(np.int64)
    return np.where(values < 0, values + (np.int64(1) << sizes) - 1, values)


def _packed(values: npt.NDArray[np.int64], lengths: Integers) -> bytes:
    """Return values of so many bits one after the other, with ones up to a whole byte."""
    ends = np.cumsum(lengths)
    total = int(ends[-1])
    left = np.repeat(ends, lengths) - 1 - np.arange(total)
    bits = (np.repeat(values, lengths) >> left) & 1
    filled = np.concatenate([bits, np.ones(-total % 8, dtype=np.int64)]).astype(np.uint8)
    return np.packbits(filled).tobytes()
