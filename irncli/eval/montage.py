"""Montages: images side by side, with enlarged crops, for visual comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from irncli.io.text import draw_text
from irncli.pixels import Pixels

__all__ = [
    "CROP",
    "Panel",
    "comparison",
    "enlarged",
    "labelled_row",
    "shrunk",
    "side_by_side",
    "worst_places",
]

GAP = 8
STRIP = 1 << 18
"""Approximate number of pixels in a strip."""
CROP = 64
"""Side of a crop in HR pixels."""
TEXT = 14
"""Smallest size of the letters of a label in pixels."""


@dataclass(frozen=True, eq=False)
class Panel:
    """An image of a montage with its label.

    Attributes:
        pixels: uint8 [H, W, 3].
        lines: lines of text above the image, such as its name, its PSNR and its bytes.
    """

    pixels: Pixels
    lines: Sequence[str]


def side_by_side(images: Sequence[Pixels]) -> Pixels:
    """Place images [H, W, 3] of any height in a row on white, tops aligned, 8 pixels apart."""
    height = max(image.shape[0] for image in images)
    width = sum(image.shape[1] for image in images) + GAP * (len(images) - 1)
    canvas = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for image in images:
        canvas[: image.shape[0], left : left + image.shape[1]] = image
        left += image.shape[1] + GAP
    return canvas


def _stacked(rows: Sequence[Pixels]) -> Pixels:
    """Place rows of images below each other, left-aligned, 8 pixels apart."""
    return side_by_side([row.swapaxes(0, 1) for row in rows]).swapaxes(0, 1)


def enlarged(pixels: Pixels, times: int) -> Pixels:
    """Repeat each pixel times x times, without interpolation."""
    return pixels.repeat(times, axis=0).repeat(times, axis=1)


def shrunk(
    rows: Callable[[slice], Pixels],
    height: int,
    width: int,
    times: int,
    keep: Literal["mean", "root mean square"] = "mean",
) -> Pixels:
    """Reduce each block of times x times pixels to one pixel.

    Blocks at the right and bottom edges may be smaller.

    Args:
        rows: function that returns the requested rows of the image, uint8 [n, W, 3].
        height: height of the image in pixels.
        width: width of the image in pixels.
        times: side of a block in pixels.
        keep: statistic of a block that is kept, per channel.

    Returns:
        uint8 [ceil(H / times), ceil(W / times), 3].
    """
    out = np.empty((-(-height // times), -(-width // times), 3), np.uint8)
    for row, top in enumerate(range(0, height, times)):
        strip = rows(slice(top, min(top + times, height)))
        # Repeat the last column to complete the blocks at the right edge.
        strip = np.pad(strip, ((0, 0), (0, -width % times), (0, 0)), mode="edge")
        blocks = strip.reshape(len(strip), -1, times, 3)
        if keep == "mean":
            out[row] = blocks.mean(axis=(0, 2)).round()
        else:
            out[row] = np.sqrt((blocks.astype(np.float64) ** 2).mean(axis=(0, 2))).round()
    return out


def worst_places(a: Pixels, b: Pixels, side: int, count: int = 2) -> list[tuple[int, int]]:
    """Return the top left corners (y, x) of the squares where two images differ most.

    The squares do not overlap. Squared differences are summed over squares on a grid with a step of
    half their side, and over squares that end at the right and bottom edges. The sums are computed
    strip by strip, so that no copy of an image in a wider type is made.

    Args:
        a: uint8 or uint16 [H, W, 3].
        b: array of the same type and shape.
        side: side of a square in pixels, at most H and W.
        count: number of squares; fewer are returned if the image has no room for more, or no
            further differences.
    """
    height, width = a.shape[:2]
    tops, lefts = _corners(height, side), _corners(width, side)
    sums = np.zeros((height + 1, len(lefts)), np.int64)
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        squares = ((a[rows].astype(np.int64) - b[rows]) ** 2).sum(axis=2)
        across = np.pad(squares.cumsum(axis=1), ((0, 0), (1, 0)))
        within = (across[:, lefts + side] - across[:, lefts]).cumsum(axis=0)
        sums[top + 1 : rows.stop + 1] = sums[top] + within
    errors = sums[tops + side] - sums[tops]
    chosen: list[tuple[int, int]] = []
    while len(chosen) < count and errors.any():
        row, column = np.unravel_index(errors.argmax(), errors.shape)
        y, x = int(tops[row]), int(lefts[column])
        chosen.append((y, x))
        errors[np.ix_(abs(tops - y) < side, abs(lefts - x) < side)] = 0
    return chosen


def _corners(length: int, side: int) -> NDArray[np.int64]:
    """Return the first pixels of the squares along one edge of an image."""
    starts = range(0, length - side + 1, max(1, side // 2))
    return np.array(sorted({*starts, length - side}), np.int64)


def comparison(panels: Sequence[Panel], plain: Pixels, crop: int = CROP, count: int = 2) -> Pixels:
    """Return a montage of labelled images, with the places where `plain` is worst below them.

    Each row below the images shows one place in all images, enlarged to about their width. The
    places are those where `plain` differs most from the last image, the original.

    Args:
        panels: the images; a small image is enlarged by repeating its pixels. The last image is
            the original.
        plain: image to compare with the original, uint8 [H, W, 3].
        crop: side of a place in pixels.
        count: number of places.
    """
    original = panels[-1].pixels
    height, width = original.shape[:2]
    images = [enlarged(each.pixels, height // each.pixels.shape[0]) for each in panels]
    side = min(crop, height, width)
    times = max(1, width // side)
    large = [replace(each, pixels=pixels) for each, pixels in zip(panels, images, strict=True)]
    columns, _ = _columns(large)
    rows = [labelled_row(large)]
    for y, x in worst_places(plain, original, side, count):
        crops = [enlarged(p[y : y + side, x : x + side], times) for p in images]
        rows.append(side_by_side([_padded(*pair) for pair in zip(crops, columns, strict=True)]))
    return np.ascontiguousarray(_stacked(rows))


def labelled_row(panels: Sequence[Panel]) -> Pixels:
    """Return images in a row on white, each below its lines of text."""
    widths, size = _columns(panels)
    columns = []
    for panel, width in zip(panels, widths, strict=True):
        lines = [_padded(_line(text, size), width) for text in panel.lines]
        columns.append(np.concatenate([*lines, _padded(panel.pixels, width)]))
    return side_by_side(columns)


def _columns(panels: Sequence[Panel]) -> tuple[list[int], int]:
    """Return the widths of the columns of a row, and the size of its letters, in pixels.

    A column is as wide as its image, or as its text if that is wider.
    """
    size = max(TEXT, max(panel.pixels.shape[1] for panel in panels) // 32)
    return [
        max([panel.pixels.shape[1], *(_line(text, size).shape[1] for text in panel.lines)])
        for panel in panels
    ], size


def _line(text: str, size: int) -> Pixels:
    """Return a line of black text on white, uint8 [H, W, 3]."""
    return np.repeat(255 - draw_text(text, size)[:, :, None], 3, axis=2)


def _padded(pixels: Pixels, width: int) -> Pixels:
    """Pad an image with white at the right, so that images in a column are aligned."""
    missing = ((0, 0), (0, max(0, width - pixels.shape[1])), (0, 0))
    return np.pad(pixels, missing, constant_values=255)
