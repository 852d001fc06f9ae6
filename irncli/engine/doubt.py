"""What the guard looks at: how far an LR departs, and what kind of image it was made of.

Cheap by design: on ordinary photographs this is all that the guard does. Errors and departures are
in code values of 8 bits. Grids have a value for each block of `irncli.geometry`: [rows, columns].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from irncli.engine.tensors import Pixels

__all__ = ["Texture", "flat_blocks", "largest", "means", "needed_blend", "shifts", "texture"]

MOST_SHIFT_8 = 6.0
"""Departure of the mean of 8x8 LR pixels, in any channel."""
MOST_SHIFT_16 = 2.75
"""The same of 16x16 pixels, for rescaling: more is a tint that the eye sees in flat colours."""
MOST_ERROR = 255**2 * 10**-2.4
"""Mean square of the departure in a block of 16x16 LR pixels: 24 dB."""
MOST_IN_FLAT = 1.0
"""Departure of a pixel of a block that is flat in plain LR, for rescaling."""
FLAT = 1.5
"""The range of values below which a block of plain LR is flat."""

DRAWN_EQUAL = 0.5
DRAWN_STEP = 3.0
"""A block of HR was drawn if more than the first share of its pixels equals the next one, although
the mean step between neighbours is larger than the second: pixel art, text, dithers, charts. Smooth
parts of photographs have equal neighbours too, but no such steps."""

NOISE_SQUARE = 15.0
"""Mean square of the step to the next pixel below which noise is too faint to matter."""
NOISE_GROWTH = 1.3
"""A block is noise if the mean square of the step to the pixel after the next is less than so many
times that to the next. In photographs neighbours resemble each other: it is twice that, or more."""
COLOUR_NOISE_GROWTH = 1.8
COLOUR_NOISE_GRAY = 0.6
"""It is colour noise if it is less than the first times as large, and the steps of the three
channels have so little in common that the mean square of their mean is less than the second times
the mean of their squares: a third for noise, mostly 0.8 and more in photographs."""

Grid = NDArray[np.bool_]


def means(x: torch.Tensor, side: int) -> torch.Tensor:
    """Means over squares, those that are cut off at the right and at the bottom, too."""
    return functional.avg_pool2d(x, side, ceil_mode=True, count_include_pad=False)


def shifts(x: torch.Tensor, side: int) -> torch.Tensor:
    """Absolute means over squares.

    One that is cut off counts as if it were filled up with zeros, since the mean of a few pixels
    says little; but not where the whole image is smaller than a square.
    """
    height, width = x.shape[2:]
    padded = functional.pad(x, (0, -width % side, 0, -height % side))
    filled = side * side / (min(side, height) * min(side, width))
    return functional.avg_pool2d(padded, side).abs() * filled


def largest(x: torch.Tensor, side: int) -> torch.Tensor:
    """The largest value over channels and squares: [rows, columns]."""
    x = x.amax(dim=1, keepdim=True)
    return functional.max_pool2d(x, side, ceil_mode=True)[0, 0]


def needed_blend(
    departure: torch.Tensor, flat: torch.Tensor, side: int, *, color: bool
) -> torch.Tensor:
    """For each block the share of plain LR that brings it within the limits.

    Args:
        departure: of LR from plain LR, [1, C, h, w].
        flat: blocks that are flat in plain LR.
        side: of a block.
        color: gray images of a colour network, where small tints and flat blocks do not count.
    """
    shift = largest(shifts(departure, 8), side // 8)
    error = largest(means(departure.square().mean(1, keepdim=True), 16), side // 16)
    kept = torch.minimum(MOST_SHIFT_8 / shift, (MOST_ERROR / error).sqrt())
    if not color:
        kept = torch.minimum(kept, MOST_SHIFT_16 / largest(shifts(departure, 16), side // 16))
        spread = MOST_IN_FLAT / largest(departure.abs(), side)
        kept = torch.where(flat, torch.minimum(kept, spread), kept)
    return (1 - kept).clamp(0, 1)


def flat_blocks(plain: torch.Tensor, side: int) -> torch.Tensor:
    """Blocks of plain LR, [1, C, h, w], whose values hardly differ."""
    height, width = plain.shape[2:]
    filled = functional.pad(plain, (0, -width % side, 0, -height % side), mode="replicate")
    most, least = functional.max_pool2d(filled, side), -functional.max_pool2d(-filled, side)
    return (most - least).amax(dim=(0, 1)) < FLAT


@dataclass(frozen=True, eq=False)
class Texture:
    """What the pixels of HR are like, a value for each block.

    Attributes:
        unphotographed: drawn, or in an area of noise.
        growth: mean square of the step to the pixel after the next, over that to the next: 1 for
            noise, 2 and more for what is smooth; infinite where hardly anything varies.
    """

    unphotographed: torch.Tensor
    growth: torch.Tensor


def texture(hr: Pixels, shape: tuple[int, int], side: float) -> Texture:
    """Measure the texture of HR by the steps between neighbours, along rows and along columns.

    Args:
        hr: [H, W, 3].
        shape: of the grid.
        side: of a block, in HR pixels.
    """
    height, width = hr.shape[:2]
    drawn, noisy = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    growth = np.full(shape, np.inf, np.float32)
    lefts = np.minimum(np.floor(np.arange(shape[1]) * side).astype(int), max(0, width - 3))
    for row in range(shape[0]):
        top = int(row * side)
        band = hr[top : max(top + 1, min(height, int((row + 1) * side)))]
        values = band.astype(np.float32) * (255 / np.iinfo(band.dtype).max)
        along, across = _judged(values, lefts, axis=1), _judged(values, lefts, axis=0)
        growth[row] = along.growth
        drawn[row] = along.drawn | across.drawn
        # Of stripes that run along the rows, only the columns tell.
        noisy[row] = along.noisy | (across.noisy & np.isinf(along.growth))
    # Noise fills areas; single blocks of fine texture in photographs look the same.
    area = torch.from_numpy(noisy)[None, None].float()
    share = functional.avg_pool2d(area, 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return Texture(torch.from_numpy(drawn) | (share > 0.5), torch.from_numpy(growth))


@dataclass(frozen=True, eq=False)
class _Steps:
    """What the steps along one axis say of each block of a row of blocks.

    Attributes:
        drawn: the block was drawn.
        noisy: the block is noise.
        growth: see Texture.
    """

    drawn: Grid
    noisy: Grid
    growth: NDArray[np.float64]


def _judged(values: NDArray[np.float32], lefts: NDArray[np.int_], axis: int) -> _Steps:
    """Judge a row of blocks by the steps along an axis; `lefts`: the column where each begins."""
    if values.shape[axis] < 3:
        nothing = np.zeros(len(lefts), np.bool_)
        return _Steps(nothing, nothing, np.full(len(lefts), np.inf))
    first, second, third = (_cut(values, axis, start) for start in range(3))
    step, next_but_one = third - second, third - first
    counts = np.maximum(np.diff(np.append(lefts, step.shape[1])), 1) * len(step)

    def mean(of_pixels: NDArray[Any]) -> NDArray[np.float64]:
        sums = np.add.reduceat(of_pixels.sum(axis=0, dtype=np.float64), lefts)
        return np.asarray(sums / counts)

    most = np.abs(step).max(axis=2)
    drawn = (mean(most == 0) > DRAWN_EQUAL) & (mean(most) > DRAWN_STEP)
    square = mean((step**2).mean(axis=2))
    strong, unit = square > NOISE_SQUARE, np.maximum(square, 1e-3)
    growth = mean((next_but_one**2).mean(axis=2)) / unit
    gray = mean(step.mean(axis=2) ** 2) / unit
    colour_noise = (growth < COLOUR_NOISE_GROWTH) & (gray < COLOUR_NOISE_GRAY)
    noisy = strong & ((growth < NOISE_GROWTH) | colour_noise)
    return _Steps(drawn, noisy, np.where(strong, growth, np.inf))


def _cut(values: NDArray[np.float32], axis: int, start: int) -> NDArray[np.float32]:
    """Return all pixels of an axis from `start` on, but for the last 2 - start."""
    part = slice(start, values.shape[axis] - 2 + start)
    return values[:, part] if axis == 1 else values[part]
