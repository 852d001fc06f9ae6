"""Measurements of the difference between two images, computed over strips of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irncli.comparison.pair import Pair, Side
from irncli.engine.metrics import luma, ssim
from irncli.pixels import Pixels, most

__all__ = ["Numbers", "Spread", "measure"]

STRIP = 1 << 19
"""Approximate number of pixels in a strip."""
WINDOW = 11
"""Number of rows in an SSIM window."""


@dataclass(frozen=True, eq=False)
class Spread:
    """The distribution of the absolute differences of two arrays.

    Attributes:
        counts: number of values with the absolute difference 0, 1, ... up to white, int64.
    """

    counts: NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Mean absolute difference."""
        return float(self._weighted(1))

    @property
    def psnr(self) -> float:
        """PSNR: 10 log10(white^2 / mean squared difference); inf if there is no difference."""
        square = self._weighted(2)
        return math.inf if square == 0 else 10 * math.log10((len(self.counts) - 1) ** 2 / square)

    @property
    def largest(self) -> int:
        """Largest absolute difference."""
        return int(self.counts.nonzero()[0][-1])

    @property
    def equal(self) -> float:
        """Share of the values that are equal."""
        return float(self.counts[0] / self.counts.sum())

    @property
    def gain(self) -> int:
        """Power of two that makes differences well visible.

        At most one value in a hundred is clipped. If fewer values differ at all, the largest
        difference is not clipped.
        """
        within = np.searchsorted(self.counts.cumsum(), 0.99 * self.counts.sum())
        bright = int(within) or self.largest
        white = len(self.counts) - 1
        return int(2 ** math.floor(math.log2(white / bright))) if bright else 1

    def _weighted(self, power: int) -> float:
        return float(
            (np.arange(len(self.counts)) ** power * (self.counts / self.counts.sum())).sum()
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """Measurements of a pair.

    Attributes:
        identical: True if all visible values are equal, including alpha.
        values: differences of the RGB values.
        ssim_rgb: mean SSIM of the channels; nan if the images are smaller than the SSIM window.
        psnr_y: PSNR of luma, defined as in `irn eval`; inf if luma is equal.
        ssim_y: SSIM of luma; nan if the images are smaller than the SSIM window.
        alpha: differences of alpha; None if neither image has alpha.
    """

    identical: bool
    values: Spread
    ssim_rgb: float
    psnr_y: float
    ssim_y: float
    alpha: Spread | None

    @property
    def psnr_rgb(self) -> float:
        """PSNR over all RGB values; inf if they are equal."""
        return self.values.psnr

    def as_record(self) -> dict[str, Any]:
        """Return a record for JSON, with null for a number that is infinite or does not exist."""
        return {
            "identical": self.identical,
            "psnr_rgb": _plain(self.psnr_rgb, 4),
            "ssim_rgb": _plain(self.ssim_rgb, 6),
            "psnr_y": _plain(self.psnr_y, 4),
            "ssim_y": _plain(self.ssim_y, 6),
            **_spread_record(self.values),
            "alpha": None if self.alpha is None else _spread_record(self.alpha),
        }

    def lines(self) -> list[tuple[str, str]]:
        """Return the measurements for display, as pairs of a name and its figures."""
        if self.identical:
            return [("identical", "every value is the same")]
        lines = [
            ("PSNR", f"RGB {_decibels(self.psnr_rgb)}, Y {_decibels(self.psnr_y)}"),
            ("SSIM", f"RGB {_figure(self.ssim_rgb)}, Y {_figure(self.ssim_y)}"),
            ("difference", _spread_text(self.values)),
        ]
        if self.alpha is not None:
            lines.append(("alpha", _spread_text(self.alpha)))
        return lines


def _plain(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None


def _decibels(value: float) -> str:
    return f"{value:.2f} dB" if math.isfinite(value) else "equal"


def _figure(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else f"undefined below {WINDOW}x{WINDOW} pixels"


def _spread_record(spread: Spread) -> dict[str, Any]:
    return {
        "mean_difference": round(spread.mean, 6),
        "largest_difference": spread.largest,
        "equal_share": round(spread.equal, 6),
    }


def _spread_text(spread: Spread) -> str:
    return (
        f"mean {spread.mean:.3f}, largest {spread.largest} of {len(spread.counts) - 1}, "
        f"{_percent(spread.equal)} of the values equal"
    )


def _percent(share: float) -> str:
    """Format a share as a percentage; round neither up to 100 nor down to 0."""
    rounded = round(100 * share, 1)
    if share not in (0, 1) and rounded in (0, 100):
        return "under 0.1 %" if rounded == 0 else "over 99.9 %"
    return f"{rounded:g} %"


def measure(pair: Pair) -> Numbers:
    """Return all measurements of a pair over the whole image, without cropping a border.

    16-bit values are not converted to 8 bits; PSNR and SSIM do not depend on the unit.
    """
    values = _spread(pair.a.pixels, pair.b.pixels)
    alpha = None
    if pair.a.alpha is not None and pair.b.alpha is not None:
        alpha = _spread(pair.a.alpha, pair.b.alpha)
    return Numbers(
        identical=values.largest == 0 and (alpha is None or alpha.largest == 0),
        values=values,
        ssim_rgb=_ssim(pair, on_luma=False),
        psnr_y=_psnr_y(pair),
        ssim_y=_ssim(pair, on_luma=True),
        alpha=alpha,
    )


def _strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of an image in strips of about STRIP pixels."""
    step = max(WINDOW, STRIP // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def _spread(a: Pixels, b: Pixels) -> Spread:
    """Measure the differences of two arrays [H, W, ...] of one type and shape."""
    counts = np.zeros(most(a) + 1, np.int64)
    for rows in _strips(*a.shape[:2]):
        difference = np.abs(a[rows].astype(np.int32) - b[rows])
        counts += np.bincount(difference.ravel(), minlength=len(counts))
    return Spread(counts)


def _in_bytes(side: Side, rows: slice) -> NDArray[np.float64]:
    """Return rows scaled so that white is 255 at any depth."""
    return side.pixels[rows].astype(np.float64) * (255 / most(side.pixels))


def _psnr_y(pair: Pair) -> float:
    width, height = pair.size
    total = 0.0
    for rows in _strips(height, width):
        a, b = (luma(_in_bytes(side, rows)) for side in (pair.a, pair.b))
        total += float(((a - b) ** 2).sum())
    return math.inf if total == 0 else 10 * math.log10(255**2 * width * height / total)


def _ssim(pair: Pair, *, on_luma: bool) -> float:
    """Return the SSIM of a pair as the weighted mean of the SSIM of strips.

    Each strip includes the rows below it that its windows reach.
    """
    width, height = pair.size
    beyond = WINDOW - 1
    if min(width, height) <= beyond:
        return math.nan
    total = 0.0
    for rows in _strips(height - beyond, width):
        seen = slice(rows.start, rows.stop + beyond)
        a, b = (_in_bytes(side, seen) for side in (pair.a, pair.b))
        if on_luma:
            a, b = luma(a), luma(b)
        total += (rows.stop - rows.start) * ssim(a, b)
    return total / (height - beyond)
