"""Measurements by which the guard selects blocks: departure from plain LR, and texture of HR.

The measurements are cheap by design: on ordinary photographs, the guard does little else. Errors
and departures are in 8-bit code values. Grids [rows, columns] have one value for each block of
`irncli.geometry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from irncli.engine.tensors import Pixels

__all__ = [
    "Texture",
    "clamp_flat",
    "flat_blocks",
    "largest",
    "means",
    "needed_blend",
    "shifts",
    "texture",
]

MOST_SHIFT_8 = 6.0
"""Largest departure of the mean of 8x8 LR pixels, in any channel."""
MOST_SHIFT_16 = 2.75
"""Largest departure of the mean of 16x16 LR pixels, in any channel, for rescaling. A larger one is
visible as a tint in flat colours."""
MOST_ERROR = 255**2 * 10**-2.4
"""Largest mean square departure in a block of 16x16 LR pixels: 24 dB."""
MOST_IN_FLAT = 1
"""Largest departure of a pixel in a block that is flat in plain LR, for rescaling."""
FLAT = 1.5
"""Difference of the largest and smallest values below which a block of plain LR is flat."""

DRAWN_EQUAL = 0.45
DRAWN_STEP = 3.0
"""Thresholds for drawn blocks of HR: pixel art, text, dithers, charts. A block counts as drawn if
more than a share DRAWN_EQUAL of its pixels equal the next pixel, although the mean step between
neighbours is larger than DRAWN_STEP. In patterns of two by two pixels, half of the neighbours are
equal. Smooth parts of photographs also have equal neighbours, but not such large steps."""

NOISE_SQUARE = 15.0
"""Mean square of the step to the next pixel, below which noise is too faint to matter."""
NOISE_GROWTH = 1.3
"""Threshold for noise. A block is noise if the mean square of the step to the pixel after the next
is less than NOISE_GROWTH times that of the step to the next pixel. In photographs, where neighbours
resemble each other, the ratio is 2 or more."""
COLOUR_NOISE_GROWTH = 1.8
COLOUR_NOISE_GRAY = 0.6
"""Thresholds for colour noise. A block is colour noise if the ratio described at NOISE_GROWTH is
less than COLOUR_NOISE_GROWTH, and the steps of the three channels are so weakly correlated that the
mean square of their mean is less than COLOUR_NOISE_GRAY times the mean of their squares. That share
is a third for noise, and mostly 0.8 or more in photographs."""

Grid = NDArray[np.bool_]


def means(x: torch.Tensor, side: int) -> torch.Tensor:
    """Return the means over squares, including those cut off at the right and bottom edges."""
    return functional.avg_pool2d(x, side, ceil_mode=True, count_include_pad=False)


def shifts(x: torch.Tensor, side: int) -> torch.Tensor:
    """Return the absolute means over squares.

    A square that is cut off is padded with zeros, since the mean of a few pixels says little. Along
    an axis where the whole image is shorter than a square, the padding does not count.
    """
    height, width = x.shape[2:]
    padded = functional.pad(x, (0, -width % side, 0, -height % side))
    filled = side * side / (min(side, height) * min(side, width))
    return functional.avg_pool2d(padded, side).abs() * filled


def largest(x: torch.Tensor, side: int) -> torch.Tensor:
    """Return the largest value over channels in each square: [rows, columns]."""
    x = x.amax(dim=1, keepdim=True)
    return functional.max_pool2d(x, side, ceil_mode=True)[0, 0]


def needed_blend(departure: torch.Tensor, side: int, *, color: bool) -> torch.Tensor:
    """Return, for each block, the share of plain LR that brings it within the limits.

    Args:
        departure: difference of LR and plain LR, [1, C, h, w].
        side: side of a block in LR pixels.
        color: true for gray images of a colour network, where the limit for small tints does not
            apply.
    """
    shift = largest(shifts(departure, 8), side // 8)
    error = largest(means(departure.square().mean(1, keepdim=True), 16), side // 16)
    kept = torch.minimum(MOST_SHIFT_8 / shift, (MOST_ERROR / error).sqrt())
    if not color:
        kept = torch.minimum(kept, MOST_SHIFT_16 / largest(shifts(departure, 16), side // 16))
    return (1 - kept).clamp(0, 1)


def flat_blocks(plain: torch.Tensor, side: int) -> torch.Tensor:
    """Return the grid of the blocks of plain LR, [1, C, h, w], whose values hardly differ."""
    height, width = plain.shape[2:]
    filled = functional.pad(plain, (0, -width % side, 0, -height % side), mode="replicate")
    most, least = functional.max_pool2d(filled, side), -functional.max_pool2d(-filled, side)
    return (most - least).amax(dim=(0, 1)) < FLAT


def clamp_flat(
    low: Pixels, plain: Pixels, flat: torch.Tensor, side: int
) -> tuple[Pixels, torch.Tensor]:
    """Clamp the pixels of flat blocks to within MOST_IN_FLAT of plain LR.

    Pixels outside these blocks stay as they are, since a soft border would take detail from the
    neighbours.

    Returns:
        LR, which is `low` itself if nothing changes, and the grid of the blocks that changed.
    """
    inside = flat.numpy().repeat(side, 0).repeat(side, 1)[: low.shape[0], : low.shape[1], None]
    limit = MOST_IN_FLAT * (np.iinfo(low.dtype).max // 255)
    departure = low.astype(np.int32) - plain
    far = inside & (np.abs(departure) > limit)
    if not far.any():
        return low, torch.zeros_like(flat)
    near = (plain + departure.clip(-limit, limit)).astype(low.dtype)
    changed = largest(torch.from_numpy(far).movedim(2, 0)[None].float(), side) > 0
    return np.where(inside, near, low), changed


@dataclass(frozen=True, eq=False)
class Texture:
    """Texture of HR, as grids with one value for each block.

    Attributes:
        synthetic: true for blocks that were drawn or lie in an area of noise.
        growth: ratio of the mean square of the step to the pixel after the next to that of the
            step to the next pixel: 1 for noise, 2 or more for smooth blocks, infinite where the
            pixels hardly vary.
    """

    synthetic: torch.Tensor
    growth: torch.Tensor


def texture(hr: Pixels, shape: tuple[int, int], side: float) -> Texture:
    """Measure the texture of HR from the steps between neighbours, along rows and along columns.

    Args:
        hr: HR image, uint8 or uint16 [H, W, 3].
        shape: rows and columns of the grid.
        side: side of a block in HR pixels.
    """
    height, width = hr.shape[:2]
    drawn, noisy = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    growth = np.full(shape, np.inf, np.float32)
    lefts = np.minimum(np.floor(np.arange(shape[1]) * side).astype(int), max(0, width - 3))
    for row in range(shape[0]):
        top = int(row * side)
        band = hr[top : max(top + 1, min(height, int((row + 1) * side)))]
        # Channel by channel: sums over three neighbouring values are slow.
        values = np.ascontiguousarray(np.moveaxis(band, 2, 0), np.float32)
        if band.dtype == np.uint16:
            values *= 255 / 65535
        along = _classify_steps(values, lefts, axis=2)
        across = _classify_steps(values, lefts, axis=1)
        growth[row] = along.growth
        drawn[row] = along.drawn | across.drawn
        # Stripes that run along the rows have steps only across the rows.
        noisy[row] = along.noisy | (across.noisy & np.isinf(along.growth))
    # Noise fills whole areas; in photographs, single blocks of fine texture look like noise.
    area = torch.from_numpy(noisy)[None, None].float()
    share = functional.avg_pool2d(area, 3, stride=1, padding=1, count_include_pad=False)[0, 0]
    return Texture(torch.from_numpy(drawn) | (share > 0.5), torch.from_numpy(growth))


@dataclass(frozen=True, eq=False)
class _Steps:
    """Classification of each block in a row of blocks, by the steps along one axis.

    Attributes:
        drawn: true for blocks that were drawn.
        noisy: true for blocks of noise.
        growth: see `Texture`.
    """

    drawn: Grid
    noisy: Grid
    growth: NDArray[np.float64]


def _classify_steps(values: NDArray[np.float32], lefts: NDArray[np.int_], axis: int) -> _Steps:
    """Classify a row of blocks by the steps along an axis; `lefts` holds their first columns."""
    if values.shape[axis] < 3:
        nothing = np.zeros(len(lefts), np.bool_)
        return _Steps(nothing, nothing, np.full(len(lefts), np.inf))
    first, second, third = (_cut(values, axis, start) for start in range(3))
    step, next_but_one = third - second, third - first
    height, width = step.shape[1:]
    counts = np.maximum(np.diff(np.append(lefts, width)), 1) * height

    def mean(of_pixels: NDArray[Any]) -> NDArray[np.float64]:
        columns = of_pixels.sum(axis=0, dtype=np.float32).astype(np.float64)
        return np.asarray(np.add.reduceat(columns, lefts) / counts)

    def mean_square(steps: NDArray[np.float32]) -> NDArray[np.float64]:
        return mean(np.einsum("chw,chw->hw", steps, steps)) / len(steps)

    square = mean_square(step)
    strong, unit = square > NOISE_SQUARE, np.maximum(square, 1e-3)
    growth = mean_square(next_but_one) / unit
    gray = mean_square(step.sum(axis=0, keepdims=True)) / len(step) ** 2 / unit
    most = np.abs(step, out=step).max(axis=0)
    drawn = (mean(most == 0) > DRAWN_EQUAL) & (mean(most) > DRAWN_STEP)
    colour_noise = (growth < COLOUR_NOISE_GROWTH) & (gray < COLOUR_NOISE_GRAY)
    noisy = strong & ((growth < NOISE_GROWTH) | colour_noise)
    return _Steps(drawn, noisy, np.where(strong, growth, np.inf))


def _cut(values: NDArray[np.float32], axis: int, start: int) -> NDArray[np.float32]:
    """Return the pixels along an axis, without the first `start` and the last 2 - `start`."""
    part = slice(start, values.shape[axis] - 2 + start)
    return values[:, :, part] if axis == 2 else values[:, part]
