"""Pictures side by side, for eyes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irncli.engine.metrics import luma

__all__ = ["comparison", "side_by_side", "worst_places"]

Pixels = NDArray[np.uint8]

GAP = 8
CROP = 64
"""Side of a crop in HR pixels."""


def side_by_side(pictures: Sequence[Pixels]) -> Pixels:
    """Pictures [H, W, 3] of any height in a row, on white, tops aligned, 8 pixels apart."""
    height = max(picture.shape[0] for picture in pictures)
    width = sum(picture.shape[1] for picture in pictures) + GAP * (len(pictures) - 1)
    canvas = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for picture in pictures:
        canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + GAP
    return canvas


def _stacked(rows: Sequence[Pixels]) -> Pixels:
    """Rows of pictures below each other, left-aligned, 8 pixels apart."""
    return side_by_side([row.swapaxes(0, 1) for row in rows]).swapaxes(0, 1)


def enlarged(pixels: Pixels, times: int) -> Pixels:
    """Each pixel repeated, times x times: nothing is interpolated."""
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def worst_places(a: Pixels, b: Pixels, side: int, count: int = 2) -> list[tuple[int, int]]:
    """Top left corners of the squares where two pictures differ most, which do not overlap.

    Squared differences of Y are summed over squares on a grid of half their side.

    Args:
        a: uint8 [H, W, 3].
        b: the same shape.
        side: of a square, at most H and W.
        count: how many; fewer come back where the picture has no room for them.
    """
    height, width = a.shape[:2]
    sums = np.pad((luma(a) - luma(b)) ** 2, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    step = max(1, side // 2)
    corners = [(y, x) for y in range(0, height - side + 1, step)
               for x in range(0, width - side + 1, step)]  # fmt: skip

    def error(corner: tuple[int, int]) -> float:
        y, x = corner
        return float(sums[y + side, x + side] - sums[y, x + side] - sums[y + side, x] + sums[y, x])

    chosen: list[tuple[int, int]] = []
    for y, x in sorted(corners, key=error, reverse=True):
        if all(abs(y - v) >= side or abs(x - u) >= side for v, u in chosen):
            chosen.append((y, x))
        if len(chosen) == count:
            break
    return chosen


def comparison(low: Pixels, bicubic: Pixels, restored: Pixels, original: Pixels) -> Pixels:
    """LR with its pixels repeated, bicubic, restored, original; under them crops, enlarged.

    The crops are the two places where bicubic is furthest from the original, each row one place in
    all four pictures, made as wide as the pictures above.

    Args:
        low: uint8 [h, w, 3], where H = scale * h.
        bicubic: uint8 [H, W, 3].
        restored: the same.
        original: the same.
    """
    height, width = original.shape[:2]
    pictures = [enlarged(low, height // low.shape[0]), bicubic, restored, original]
    side = min(CROP, height, width)
    times = max(1, width // side)
    rows = [side_by_side(pictures)]
    for y, x in worst_places(bicubic, original, side):
        crops = [enlarged(p[y : y + side, x : x + side], times) for p in pictures]
        rows.append(side_by_side([_padded(crop, width) for crop in crops]))
    return np.ascontiguousarray(_stacked(rows))


def _padded(crop: Pixels, width: int) -> Pixels:
    """White at the right, so that crops stand under their picture."""
    missing = ((0, 0), (0, max(0, width - crop.shape[1])), (0, 0))
    return np.pad(crop, missing, constant_values=255)
