"""Comparison of rate-distortion curves: Bjontegaard's delta rate, and PSNR at one rate.

A curve is a list of points: rate (bits per pixel, more than 0) and PSNR (dB). Between the points,
the curve is a piecewise cubic (PCHIP) in PSNR and log rate, which does not overshoot; it is not
extrapolated beyond them.

Source: Bjontegaard, VCEG-M33 (2001), with piecewise cubics in place of the single cubic; slopes by
Fritsch and Butland (1984), at the ends by Moler (2004), as in MATLAB and SciPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "Pchip", "bd_rate", "between", "gain"]

Curve = Sequence[tuple[float, float]]
Values = NDArray[np.float64]


class Pchip:
    """Piecewise cubic interpolation that preserves monotonicity.

    Args:
        points: pairs (x, y) in any order, with at least two different x; if an x is repeated, the
            first y counts.
    """

    def __init__(self, points: Iterable[tuple[float, float]]) -> None:
        known: dict[float, float] = {}
        for x, y in points:
            known.setdefault(x, y)
        self.x = np.array(sorted(known))
        self.y = np.array([known[x] for x in sorted(known)])
        self._slopes = _slopes(np.diff(self.x), np.diff(self.y) / np.diff(self.x))

    def __call__(self, at: Values) -> Values:
        """Return the values at x coordinates between the smallest and the largest x."""
        left = np.clip(np.searchsorted(self.x, at, "right") - 1, 0, len(self.x) - 2)
        width = self.x[left + 1] - self.x[left]
        t = (at - self.x[left]) / width
        rise = self.y[left + 1] - self.y[left]
        first, last = width * self._slopes[left], width * self._slopes[left + 1]
        bend = first + last - 2 * rise
        values: Values = self.y[left] + t * (first + t * (rise - first - bend + t * bend))
        return values

    def mean(self, low: float, high: float) -> float:
        """Return the exact mean over an interval: Simpson's rule has no error on a cubic."""
        inner = self.x[(self.x > low) & (self.x < high)]
        knots = np.concatenate([[low], inner, [high]])
        middles = (knots[1:] + knots[:-1]) / 2
        sums = self(knots[:-1]) + 4 * self(middles) + self(knots[1:])
        return float(np.sum(np.diff(knots) * sums) / 6 / (high - low))


def _slopes(widths: Values, steep: Values) -> Values:
    """Return the slope at each point from the widths and the secants of the pieces."""
    if len(steep) == 1:
        return np.repeat(steep, 2)
    before, after = steep[:-1], steep[1:]
    first = 2 * widths[1:] + widths[:-1]
    second = widths[1:] + 2 * widths[:-1]
    inner = np.zeros(len(before))
    same = before * after > 0
    harmonic = first[same] / before[same] + second[same] / after[same]
    inner[same] = (first + second)[same] / harmonic
    begin = _end_slope(*widths[:2], *steep[:2])
    end = _end_slope(*widths[:-3:-1], *steep[:-3:-1])
    return np.concatenate([[begin], inner, [end]])


def _end_slope(width: float, next_width: float, steep: float, next_steep: float) -> float:
    slope = ((2 * width + next_width) * steep - width * next_steep) / (width + next_width)
    if slope * steep <= 0:
        return 0.0
    if steep * next_steep <= 0 and abs(slope) > 3 * abs(steep):
        return 3 * steep
    return slope


def bd_rate(tested: Curve, reference: Curve) -> float | None:
    """Return the percentage of additional bits that a curve needs at equal PSNR.

    Law: 100 (exp(mean(ln rate of tested - ln rate of reference)) - 1), with the mean over the PSNR
    interval that both curves cover.

    Args:
        tested: the curve to evaluate.
        reference: the curve to compare with.

    Returns:
        The BD-rate in percent, negative if `tested` needs fewer bits; None if the curves have no
        PSNR interval in common.
    """
    # Pchip keeps the first of several points with equal PSNR: sorting puts the lowest rate first.
    curves = [sorted((level, log(rate)) for rate, level in one) for one in (tested, reference)]
    stretch = _shared(*curves)
    if stretch is None:
        return None
    ours, theirs = (Pchip(curve).mean(*stretch) for curve in curves)
    return 100 * (exp(ours - theirs) - 1)


def between(curve: Curve, low: float, high: float) -> Curve:
    """Return the part of a curve between two rates, with interpolated ends.

    Args:
        curve: the curve.
        low: lowest rate in bits per pixel.
        high: highest rate in bits per pixel.
    """
    points = sorted((log(rate), level) for rate, level in curve)
    if len({x for x, _ in points}) < 2:
        return [point for point in curve if low <= point[0] <= high]
    interpolated = Pchip(points)
    inner = [point for point in curve if low < point[0] < high]
    ends = [
        (rate, float(interpolated(np.array(log(rate)))))
        for rate in (low, high)
        if points[0][0] <= log(rate) <= points[-1][0]
    ]
    return [*inner, *ends]


def gain(tested: Curve, reference: Curve, rate: float) -> float | None:
    """Return the PSNR of a curve minus that of another at one rate, in dB.

    Args:
        tested: the curve to evaluate.
        reference: the curve to compare with.
        rate: rate in bits per pixel.

    Returns:
        The gain in dB; None if one of the curves does not cover the rate.
    """
    # Pchip keeps the first of several points with equal rate: sorting puts the highest PSNR first.
    curves = [
        sorted(((log(bits), level) for bits, level in one), key=lambda point: -point[1])
        for one in (tested, reference)
    ]
    stretch = _shared(*curves)
    if stretch is None or not stretch[0] <= log(rate) <= stretch[1]:
        return None
    ours, theirs = (float(Pchip(curve)(np.array(log(rate)))) for curve in curves)
    return ours - theirs


def _shared(one: Curve, other: Curve) -> tuple[float, float] | None:
    """Return the interval of x that both curves cover.

    None if they do not overlap or if one of them has fewer than two different x.
    """
    ranges = [sorted({x for x, _ in curve}) for curve in (one, other)]
    if any(len(found) < 2 for found in ranges):
        return None
    low, high = max(found[0] for found in ranges), min(found[-1] for found in ranges)
    return (low, high) if low < high else None
