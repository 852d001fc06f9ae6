"""The latent z of a whole image, from a counter-based random number generator.

Each value depends only on seed, channel, row and column, not on tiles, batch, threads or device.
One word of Philox4x64-10 gives one value:

    key = (seed, 0);  counter = (column // 4, row, channel, 0), word column % 4
    u = (high 32 bits + 1) / 2^32;  v = low 32 bits / 2^32
    z = sqrt(-2 ln u) cos(2 pi v)

The stream of raw words is covered by the compatibility promise of numpy, but the normal
distribution is not. This module therefore uses the Box-Muller transform.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import secrets

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.kernels.available import reason

__all__ = ["MAX_SEED", "draw", "draw_row", "draw_seed"]

MAX_SEED = 2**64 - 1

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_UNIT = 2.0**-32


def draw_seed() -> int:
    """Return a random seed, 0 to 2**32 - 1, which is short enough to type."""
    return secrets.randbelow(2**32)


def _words(seed: int, channel: int, row: int, width: int) -> NDArray[np.uint64]:
    # numpy increments the counter before the first block, so start one below, modulo 2^256.
    counter = (row << 64 | channel << 128) - 1
    generator = np.random.Philox(key=seed, counter=counter % 2**256)
    return generator.random_raw(width)


def draw_row(seed: int, row: int, channels: int, width: int) -> NDArray[np.float32]:
    """Return one row of a standard normal z: float32 [channels, width].

    Args:
        seed: random seed, 0 to 2**64 - 1.
        row: row of the latent image, counted from 0.
        channels: number of channels of z.
        width: width of the latent image.
    """
    words = np.stack([_words(seed, channel, row, width) for channel in range(channels)])
    u = ((words >> _SHIFT).astype(np.float64) + 1) * _UNIT
    v = (words & _LOW).astype(np.float64) * _UNIT
    z: NDArray[np.float64] = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
    return z.astype(np.float32)


def draw(
    seed: int, rows: slice, columns: slice, channels: int, device: torch.device
) -> torch.Tensor:
    """Return a part of a standard normal z on a device: float32 [1, channels, rows, columns].

    On a GPU with the fused kernels, one of them draws z. Its logarithm and cosine may differ from
    those of numpy in the last of 53 bits, hence a value of z in a hundred million by one float32.

    Args:
        seed: random seed, 0 to 2**64 - 1.
        rows: rows of the latent image.
        columns: columns of the latent image.
        channels: number of channels of z.
        device: device of the result.
    """
    height, width = rows.stop - rows.start, columns.stop - columns.start
    fused = reason(device) is None
    z = torch.empty(
        (1, channels, height, width),
        device=device if fused else None,
        memory_format=torch.channels_last,
    )
    if fused:
        from irncli.kernels.latent import fill

        fill(z, seed, rows.start, columns.start)
        return z
    for row in range(height):
        noise = draw_row(seed, rows.start + row, channels, columns.stop)
        z[0, :, row] = torch.from_numpy(noise[:, columns])
    return z.to(device)
