"""Losses, summed over C, H, W and averaged over the batch: those of the paper, and PSNR."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

__all__ = [
    "SMALLEST_MEAN_SQUARE",
    "charbonnier",
    "fit",
    "log_bits",
    "log_mean_square",
    "missing_psnr",
    "sum_of_squares",
]

SMALLEST_MEAN_SQUARE = 1e-6
"""Mean square of 60 dB, above which crops need no further improvement."""
HINGE_SHARPNESS = 4.0
"""Sharpness of the bend at the target, which is about half a dB wide on either side."""
FEWEST_BITS = 0.1
"""Bits per pixel below which a crop is headers and block ends, which no network can shorten."""


def charbonnier(a: torch.Tensor) -> torch.Tensor:
    """Return a smooth l1 loss: sqrt(a^2 + 1e-6), summed per crop, then averaged."""
    return torch.sqrt(a.square() + 1e-6).flatten(1).sum(1).mean()


def sum_of_squares(a: torch.Tensor) -> torch.Tensor:
    """Return the sum of a^2 per crop, averaged over the batch."""
    return a.square().flatten(1).sum(1).mean()


def fit(norm: str, a: torch.Tensor) -> torch.Tensor:
    """Return the loss for the name of a norm in recipes: `l1` (Charbonnier) or `l2` (squares)."""
    return {"l1": charbonnier, "l2": sum_of_squares}[norm](a)


def log_mean_square(a: torch.Tensor) -> torch.Tensor:
    """Return (values per crop) x log(mean square of the crop), averaged over the batch.

    This loss times -4.34 / (values per crop) is the mean PSNR in dB, which is what tables report.
    """
    values = a[0].numel()
    mean_square = a.square().flatten(1).mean(1)
    return values * torch.log(mean_square + SMALLEST_MEAN_SQUARE).mean()


def missing_psnr(a: torch.Tensor, target: float | torch.Tensor) -> torch.Tensor:
    """Return the loss of crops that miss a target PSNR.

    The loss of a crop is (values per crop) x log(mean square / mean square at the target PSNR),
    or 0 if that is negative, with a smooth bend in between. The result is the mean over the batch.
    Each crop is held to the target separately, and gains nothing above the target.

    Args:
        a: error of values in [0, 1].
        target: PSNR in dB, one for all crops or one per crop.
    """
    mean_square = a.square().flatten(1).mean(1)
    # This keeps the logarithm finite. It makes a crop at 48 dB, the highest target of the recipes,
    # look 0.03 dB worse; SMALLEST_MEAN_SQUARE itself would make it look 0.27 dB worse.
    short = torch.log(mean_square + SMALLEST_MEAN_SQUARE / 10) + target * math.log(10) / 10
    bend = functional.softplus(HINGE_SHARPNESS * short) / HINGE_SHARPNESS
    return a[0].numel() * bend.mean()


def log_bits(bits: torch.Tensor, values: int) -> torch.Tensor:
    """Return `values` x log(bits per pixel), averaged over the batch.

    Along a rate-distortion curve, PSNR rises by about the same number of dB whenever the bits grow
    by the same factor. The sum of this loss and `log_mean_square` therefore asks for a better
    curve, equally at every quality.

    Args:
        bits: bits per pixel of each crop, [N].
        values: values per crop.
    """
    return values * torch.log(bits + FEWEST_BITS).mean()
