"""The latent z drawn on the GPU, by the generator of `irncli.engine.latent`.

Importing this module imports Triton.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from irncli.kernels.language import OPTIONS

__all__ = ["fill"]

_BLOCKS = 256
"""Philox blocks, of four values each, per program."""

_TAU = tl.constexpr(6.283185307179586)


@triton.jit
def _philox(
    c0: tl.tensor, c1: tl.tensor, c2: tl.tensor, c3: tl.tensor, seed: tl.tensor
) -> tl.tensor:
    """Return the four words of Philox4x64-10 for a counter and the key (seed, 0)."""
    k0 = seed
    k1 = tl.zeros_like(seed)
    for _ in tl.static_range(10):
        high_0 = tl.umulhi(c0, 0xD2E7470EE14C6C93)
        high_2 = tl.umulhi(c2, 0xCA5A826395121157)
        low_0 = c0 * 0xD2E7470EE14C6C93
        low_2 = c2 * 0xCA5A826395121157
        c0, c1, c2, c3 = high_2 ^ c1 ^ k0, low_2, high_0 ^ c3 ^ k1, low_0
        k0 += 0x9E3779B97F4A7C15
        k1 += 0xBB67AE8584CAA73B
    return c0, c1, c2, c3


@triton.jit
def _normal(word: tl.tensor) -> tl.tensor:
    """Return a standard normal value from 64 random bits, computed in float64."""
    unit = 1 / 4294967296
    u = ((word >> 32).to(tl.float64) + 1) * unit
    v = (word & 0xFFFFFFFF).to(tl.float64) * unit
    tau = tl.full(word.shape, _TAU, tl.float64)
    return (tl.sqrt(-2 * tl.log(u)) * tl.cos(tau * v)).to(tl.float32)


@triton.jit(do_not_specialize=["seed", "top", "left", "count", "width", "channels"])
def _fill(
    z: tl.tensor,
    seed: tl.tensor,
    top: tl.tensor,
    left: tl.tensor,
    count: tl.tensor,
    width: tl.tensor,
    channels: tl.tensor,
    BLOCKS: tl.constexpr,
) -> None:
    """Draw four values of a row and channel for each block; z is [rows, width, channels]."""
    at = tl.program_id(0).to(tl.int64) * BLOCKS + tl.arange(0, BLOCKS)
    first, last = left // 4, (left + width - 1) // 4
    across = last - first + 1
    channel = at % channels
    block = first + at // channels % across
    row = at // channels // across
    c0, c1, c2 = block.to(tl.uint64), (top + row).to(tl.uint64), channel.to(tl.uint64)
    zero = tl.zeros_like(c0)
    words = _philox(c0, c1, c2, zero, zero + seed.to(tl.uint64))
    for word in tl.static_range(4):
        column = 4 * block + word - left
        inside = (at < count) & (column >= 0) & (column < width)
        tl.store(z + (row * width + column) * channels + channel, _normal(words[word]), inside)


def fill(z: torch.Tensor, seed: int, top: int, left: int) -> None:
    """Draw a part of z in place.

    Args:
        z: float32 [1, channels, rows, width], channels-last, overwritten.
        seed: random seed, 0 to 2**64 - 1.
        top: first row in the whole z.
        left: first column in the whole z.
    """
    if not z.is_contiguous(memory_format=torch.channels_last):
        raise ValueError("z is not in channels-last layout")
    _, channels, rows, width = z.shape
    blocks = (left + width - 1) // 4 - left // 4 + 1
    count = rows * blocks * channels
    with torch.cuda.device_of(z):
        _fill[(-(-count // _BLOCKS),)](
            z, seed, top, left, count, width, channels, BLOCKS=_BLOCKS, **OPTIONS
        )
