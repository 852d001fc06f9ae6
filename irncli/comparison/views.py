"""Views of a pair for a sheet or a page: both images, their difference, and details of each."""

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
"""Smallest side of a detail in pixels, if the image is not smaller."""


def detail_side(size: tuple[int, int]) -> int:
    """Return the side of a detail for an image of this width and height, in pixels.

    The side is a third of the shorter side of the image, but from LEAST_DETAIL to CROP and not
    larger than the image.
    """
    return min(*size, max(LEAST_DETAIL, min(CROP, min(size) // 3)))


@dataclass(frozen=True)
class Place:
    """The position of a detail, in pixels of the pair.

    Attributes:
        number: number of the detail, from 1.
        x: left edge.
        y: top edge.
        side: side of the square.
    """

    number: int
    x: int
    y: int
    side: int

    @property
    def colour(self) -> str:
        """Colour of the frame around the detail."""
        return COLOURS[(self.number - 1) % len(COLOURS)]


@dataclass(frozen=True, eq=False)
class Views:
    """A pair with everything that is needed to show it.

    Attributes:
        pair: the images.
        numbers: measurements of the pair.
        gain: factor that amplifies the difference.
        places: places of the details, where the images differ most.
    """

    pair: Pair
    numbers: Numbers
    gain: int
    places: tuple[Place, ...]

    @classmethod
    def of(cls, pair: Pair, numbers: Numbers, *, crops: int, side: int, gain: int | None) -> Views:
        """Find the places where the images differ most.

        Args:
            pair: the images.
            numbers: measurements of the pair.
            crops: number of details; there are fewer if the image has no room for more, or no
                further differences.
            side: side of a detail in pixels.
            gain: factor that amplifies the difference; None: chosen so that it is clearly visible.
        """
        a, b = pair.a.pixels, pair.b.pixels
        corners = worst_places(a, b, side, crops) if crops else []
        places = tuple(Place(number, x, y, side) for number, (y, x) in enumerate(corners, start=1))
        return cls(pair, numbers, numbers.values.gain if gain is None else gain, places)

    def whole(self, times: int) -> tuple[Pixels, Pixels, Pixels]:
        """Return A, B and their difference, uint8, shrunk by a whole number.

        The difference is shrunk by the root mean square, so that a few large differences stay
        visible.
        """
        width, height = self.pair.size
        first, second, difference = self._readers()
        return (
            shrunk(first, height, width, times),
            shrunk(second, height, width, times),
            shrunk(difference, height, width, times, keep="root mean square"),
        )

    def details(self, place: Place) -> tuple[Pixels, Pixels, Pixels]:
        """Return a detail of A, of B and of their difference, uint8 [side, side, 3]."""
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
    """Return the amplified difference: min(255, gain |a - b|) with white at 255, rounded.

    Args:
        a: uint8 or uint16 of any shape.
        b: array of the same type and shape.
        gain: factor that amplifies the difference.

    Returns:
        uint8 of the same shape.
    """
    difference = np.abs(a.astype(np.int64) - b) * gain
    shown: Pixels = (difference * 255 + most(a) // 2) // most(a)
    return np.minimum(shown, 255).astype(np.uint8)
