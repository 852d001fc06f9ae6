"""Geometry of tiles, in integers.

A *tile* is the area to write; a *window* is the tile with its halo, cut off at the borders of the
image. All values are in pixels of the current state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["MIN_TILE", "MIN_WINDOW", "Span", "Tile", "cut", "even_tiles", "recut", "spans"]

MIN_TILE = 32
"""Smallest side of a tile; the window of a smaller tile would be mostly halo."""

MIN_WINDOW = 2048
"""Smallest number of pixels in a window. For smaller windows, a convolution may use another kernel,
which sums in another order. From this size on, results do not depend on the tiling. This was
measured for up to 850 pixels per side and for dense blocks that grow by 16 or 32 channels, as in
the paper; with a growth of 8, the last bit differs."""


@dataclass(frozen=True)
class Span:
    """One axis of a tile.

    Attributes:
        start: first pixel of the tile.
        stop: end of the tile, exclusive.
        low: first pixel of the window.
        high: end of the window, exclusive.
    """

    start: int
    stop: int
    low: int
    high: int

    @property
    def window(self) -> slice:
        """Slice of the window in the state."""
        return slice(self.low, self.high)

    @property
    def tile(self) -> slice:
        """Slice of the tile in the state."""
        return slice(self.start, self.stop)

    @property
    def inner(self) -> slice:
        """Slice of the tile in its window."""
        return slice(self.start - self.low, self.stop - self.low)


@dataclass(frozen=True)
class Tile:
    """Rectangle to write, with the window to read."""

    rows: Span
    columns: Span

    @property
    def pixels(self) -> int:
        """Number of pixels in the window, which determines the cost of the work."""
        rows, columns = self.rows, self.columns
        return (rows.high - rows.low) * (columns.high - columns.low)


def spans(start: int, stop: int, side: int, halo: int, size: int) -> list[Span]:
    """Cut start..stop of an axis of length `size` into spans of `side`.

    Law: the spans cover start..stop once, in order, and each except the last has length `side`. A
    remainder is joined to its neighbour, so that no thin strip is left; the last span is shorter
    than 2 * side.
    """
    count = max(1, (stop - start) // side)
    edges = [start + k * side for k in range(count)] + [stop]
    return [Span(a, b, max(0, a - halo), min(size, b + halo)) for a, b in pairwise(edges)]


def cut(height: int, width: int, side: int, halo: int) -> list[Tile]:
    """Return all tiles of a state, row by row; with `side` 0, one tile that covers the state."""
    rows = spans(0, height, side or height, halo, height)
    columns = spans(0, width, side or width, halo, width)
    return [Tile(r, c) for r in rows for c in columns]


def recut(tile: Tile, side: int, halo: int, height: int, width: int) -> Iterator[Tile]:
    """Cut the rectangle of a tile into smaller tiles."""
    for rows in spans(tile.rows.start, tile.rows.stop, side, halo, height):
        for columns in spans(tile.columns.start, tile.columns.stop, side, halo, width):
            yield Tile(rows, columns)


def even_tiles(
    rows: slice, columns: slice, side: int, size: tuple[int, int], halo: int, grain: int
) -> Iterator[Tile]:
    """Cut a rectangle of an image into tiles of at most `side` pixels per axis.

    Remainders are not joined to their neighbours, since larger tiles would need more memory.

    Args:
        rows: rows of the rectangle.
        columns: columns of it.
        side: longest side of a tile, a multiple of `grain`.
        size: height and width of the image.
        halo: width of the border around a tile, a multiple of `grain`.
        grain: tiles begin at multiples of it.
    """
    for row in _even_spans(rows, side, size[0], halo, grain):
        for column in _even_spans(columns, side, size[1], halo, grain):
            yield Tile(row, column)


def _even_spans(part: slice, side: int, size: int, halo: int, grain: int) -> Iterator[Span]:
    length = part.stop - part.start
    even = math.ceil(length / math.ceil(length / side) / grain) * grain
    for start in range(part.start, part.stop, even):
        stop = min(start + even, part.stop)
        yield Span(start, stop, max(0, start - halo), min(size, stop + halo))
