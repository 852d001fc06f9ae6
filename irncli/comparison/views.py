"""What is shown of a pair, on a sheet or a page: both, their difference, details of all three."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from irncli.comparison.numbers import Numbers
from irncli.comparison.pair import Pair
from irncli.eval.montage import CROP, shrunk, worst_places
from irncli.pixels import Pixels, most, to_bits

__all__ = ["COLOURS", "Place", "Views", "detail_side"]

COLOURS = ("#f28c28", "#1f9fd6", "#d6409f", "#4fa83d", "#c9a400", "#8e62d9")
"""Colours of the frames around details, used in turn."""
LEAST_DETAIL = 16
"""Side in pixels."""


def detail_side(size: tuple[int, int]) -> int:
    """Side of a detail in an image of so many pixels: a third of a small one, or all of it."""
    return min(*size, max(LEAST_DETAIL, min(CROP, min(size) // 3)))


@dataclass(frozen=True)
class Place:
    """Where a detail lies, in pixels of the pair."""

    number: int
    x: int
    y: int
    side: int

    @property
    def colour(self) -> str:
        """Colour of its frame."""
        return COLOURS[(self.number - 1) % len(COLOURS)]


@dataclass(frozen=True, eq=False)
class Views:
    """A pair, ready to be looked at.

    Attributes:
        pair: the images.
        numbers: what was measured of them.
        gain: by how much their difference is amplified.
        places: of the details, where the pair differs most.
    """

    pair: Pair
    numbers: Numbers
    gain: int
    places: tuple[Place, ...]

    @classmethod
    def of(cls, pair: Pair, numbers: Numbers, *, crops: int, side: int, gain: int | None) -> Views:
        """Look for the places.

        Args:
            pair: the images.
            numbers: what was measured of them.
            crops: how many details; fewer where there is no room or no difference.
            side: of a detail.
            gain: by how much to amplify the difference; None: so that it is seen well.
        """
        a, b = pair.a.pixels, pair.b.pixels
        corners = worst_places(a, b, side, crops) if crops else []
        places = tuple(Place(number, x, y, side) for number, (y, x) in enumerate(corners, start=1))
        return cls(pair, numbers, numbers.values.gain if gain is None else gain, places)

    def whole(self, times: int) -> tuple[Pixels, Pixels, Pixels]:
        """A, B and their difference, uint8, made smaller by a whole number.

        Of the difference the root mean square is kept: few that are large stay in sight.
        """
        width, height = self.pair.size
        first, second, difference = self._readers()
        return (
            shrunk(first, height, width, times),
            shrunk(second, height, width, times),
            shrunk(difference, height, width, times, keep="root mean square"),
        )

    def details(self, place: Place) -> tuple[Pixels, Pixels, Pixels]:
        """Return this detail of A, of B and of their difference, uint8 [side, side, 3]."""
        rows, columns = slice(place.y, place.y + place.side), slice(place.x, place.x + place.side)
        first, second, difference = (read(rows)[:, columns] for read in self._readers())
        return first, second, difference

    def _readers(self) -> tuple[Callable[[slice], Pixels], ...]:
        a, b = self.pair.a.pixels, self.pair.b.pixels
        return (
            lambda rows: to_bits(a[rows], 8),
            lambda rows: to_bits(b[rows], 8),
            lambda rows: amplified(a[rows], b[rows], self.gain),
        )


def amplified(a: Pixels, b: Pixels, gain: int) -> Pixels:
    """The difference, brightened: min(255, gain |a - b|) with white at 255, rounded.

    Args:
        a: uint8 or uint16, of any shape.
        b: the same type and shape.
        gain: by how much to brighten.

    Returns:
        uint8 of the same shape.
    """
    difference = np.abs(a.astype(np.int64) - b) * gain
    shown: Pixels = (difference * 255 + most(a) // 2) // most(a)
    return np.minimum(shown, 255).astype(np.uint8)
