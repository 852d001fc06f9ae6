"""The quality that meets a target, by halving.

What is measured should rise with the quality, as bytes and PSNR nearly do. Then the answer is
exact. Where it does not rise everywhere, the answer meets the target all the same, but another
quality may do so better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["HIGHEST", "LOWEST", "MAX_PROBES", "least_reaching", "most_within"]

MAX_PROBES = 7
"""Qualities that a search tries, at most."""

T = TypeVar("T")
LOWEST, HIGHEST = 1, 100
"""Qualities of the codecs."""


def most_within(
    measure: Callable[[int], T],
    fits: Callable[[T], bool],
    low: int = LOWEST,
    high: int = HIGHEST,
) -> tuple[int, T] | None:
    """The highest quality that still fits, with what was measured at it.

    Each quality is measured once at most; of 100 at most 7 are measured.

    Args:
        measure: of a quality, such as the file that it gives.
        fits: whether that is small enough; false from some quality on.
        low: the lowest quality.
        high: the highest.

    Returns:
        Quality and measurement; None where none that was measured fits, not even at `low`.
    """
    found: tuple[int, T] | None = None
    while low <= high:
        quality = (low + high) // 2
        measured = measure(quality)
        if fits(measured):
            found, low = (quality, measured), quality + 1
        else:
            high = quality - 1
    return found


def least_reaching(
    measure: Callable[[int], T],
    reaches: Callable[[T], bool],
    low: int = LOWEST,
    high: int = HIGHEST,
) -> tuple[int, T] | None:
    """The lowest quality that reaches a target: the mirror image of `most_within`.

    Args:
        measure: of a quality, such as the image that comes back.
        reaches: whether that is good enough; true from some quality on.
        low: the lowest quality.
        high: the highest.

    Returns:
        Quality and measurement; None where none that was measured reaches it, not even at `high`.
    """
    found = most_within(lambda mirrored: measure(-mirrored), reaches, -high, -low)
    return found and (-found[0], found[1])
