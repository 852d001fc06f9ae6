"""Tile geometry: integers only.

A *tile* is what is written, a *window* is the tile with its halo, cut off at the borders of the
image. All in pixels of the state that is being worked on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["MIN_TILE", "MIN_WINDOW", "Span", "Tile", "cut", "recut", "spans"]

MIN_TILE = 32
"""Smallest side of a tile: a smaller one is mostly halo."""

MIN_WINDOW = 2048
"""Fewest pixels of a tile. Convolutions of smaller windows may take another kernel, and their sums
another order. From here up results do not depend on the tiling: measured up to 850 pixels a side,
for dense blocks that grow by 16 or 32 channels, as the paper's do; with 8 the last bit differs."""


@dataclass(frozen=True)
class Span:
    """One axis of a tile: it covers start..stop, its window low..high."""

    start: int
    stop: int
    low: int
    high: int

    @property
    def window(self) -> slice:
        """The window, in the state."""
        return slice(self.low, self.high)

    @property
    def tile(self) -> slice:
        """The tile, in the state."""
        return slice(self.start, self.stop)

    @property
    def inner(self) -> slice:
        """The tile, in the window."""
        return slice(self.start - self.low, self.stop - self.low)


@dataclass(frozen=True)
class Tile:
    """A rectangle to write, and the window to read for it."""

    rows: Span
    columns: Span

    @property
    def pixels(self) -> int:
        """Pixels of the window, which decide what the work costs."""
        rows, columns = self.rows, self.columns
        return (rows.high - rows.low) * (columns.high - columns.low)


def spans(start: int, stop: int, side: int, halo: int, size: int) -> list[Span]:
    """Cut start..stop of an axis of length `size` into spans of `side`.

    Law: the spans cover start..stop once, in order; each but the last is `side` long; a remainder
    is joined to its neighbour, so the last is shorter than 2 * side and no thin strip is left.
    """
    count = max(1, (stop - start) // side)
    edges = [start + k * side for k in range(count)] + [stop]
    return [Span(a, b, max(0, a - halo), min(size, b + halo)) for a, b in pairwise(edges)]


def cut(height: int, width: int, side: int, halo: int) -> list[Tile]:
    """All tiles of a state, row by row. `side` 0: one tile, the whole."""
    rows = spans(0, height, side or height, halo, height)
    columns = spans(0, width, side or width, halo, width)
    return [Tile(r, c) for r in rows for c in columns]


def recut(tile: Tile, side: int, halo: int, height: int, width: int) -> Iterator[Tile]:
    """The same rectangle in smaller tiles."""
    for rows in spans(tile.rows.start, tile.rows.stop, side, halo, height):
        for columns in spans(tile.columns.start, tile.columns.stop, side, halo, width):
            yield Tile(rows, columns)
