"""Binary search for the quality that meets a target.

The measured value should rise with the quality, as bytes and PSNR nearly do; then the result is
exact. If the value does not rise everywhere, the result still meets the target, but another quality
may meet it better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["HIGHEST", "LOWEST", "MAX_PROBES", "least_reaching", "most_within"]

MAX_PROBES = 7
"""Largest number of qualities that a search tries."""

T = TypeVar("T")
LOWEST, HIGHEST = 1, 100
"""Range of qualities of the codecs."""


def most_within(
    measure: Callable[[int], T],
    fits: Callable[[T], bool],
    low: int = LOWEST,
    high: int = HIGHEST,
) -> tuple[int, T] | None:
    """Return the highest quality that fits, and its measurement.

    Each quality is measured at most once; of 100 qualities, at most 7 are measured.

    Args:
        measure: function from a quality to a measurement, such as the coded file.
        fits: function that tells whether a measurement is small enough; false from some quality on.
        low: lowest quality.
        high: highest quality.

    Returns:
        Quality and measurement; None if no measured quality fits, not even `low`.
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
    """Return the lowest quality that reaches a target: the mirror image of `most_within`.

    Args:
        measure: function from a quality to a measurement, such as the restored image.
        reaches: function that tells whether a measurement is good enough; true from some quality
            on.
        low: lowest quality.
        high: highest quality.

    Returns:
        Quality and measurement; None if no measured quality reaches the target, not even `high`.
    """
    found = most_within(lambda mirrored: measure(-mirrored), reaches, -high, -low)
    return found and (-found[0], found[1])
