"""The losses: those of the paper, sums over C, H, W, means over the batch; and PSNR itself."""

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
"""Crops above 60 dB need no further help."""
HINGE_SHARPNESS = 4.0
"""Sharpness of the bend at the target, which is about half a dB wide to either side."""
FEWEST_BITS = 0.1
"""A pixel: below, a crop is headers and ends of blocks, which no network makes shorter."""


def charbonnier(a: torch.Tensor) -> torch.Tensor:
    """A smooth l1: sum of sqrt(a^2 + 1e-6) over all but the batch, then the mean."""
    return torch.sqrt(a.square() + 1e-6).flatten(1).sum(1).mean()


def sum_of_squares(a: torch.Tensor) -> torch.Tensor:
    """Sum of a^2 over all but the batch, then the mean."""
    return a.square().flatten(1).sum(1).mean()


def fit(norm: str, a: torch.Tensor) -> torch.Tensor:
    """The loss of a norm by its name in recipes: `l1` (Charbonnier) or `l2` (squares)."""
    return {"l1": charbonnier, "l2": sum_of_squares}[norm](a)


def log_mean_square(a: torch.Tensor) -> torch.Tensor:
    """Values in a crop x log of their mean square, then the mean over the batch.

    Minus 4.34 / values of it is the mean PSNR in dB, which is what tables report.
    """
    values = a[0].numel()
    mean_square = a.square().flatten(1).mean(1)
    return values * torch.log(mean_square + SMALLEST_MEAN_SQUARE).mean()


def missing_psnr(a: torch.Tensor, target: float | torch.Tensor) -> torch.Tensor:
    """Values in a crop x log(mean square / that of the target PSNR), 0 where it is negative, with
    a smooth bend; then the mean over the batch.

    Each crop is held to the target by itself, and gains nothing above it.

    Args:
        a: error, values in [0, 1].
        target: PSNR in dB, of all crops or of each.
    """
    mean_square = a.square().flatten(1).mean(1)
    short = torch.log(mean_square + SMALLEST_MEAN_SQUARE / 10) + target * math.log(10) / 10
    bend = functional.softplus(HINGE_SHARPNESS * short) / HINGE_SHARPNESS
    return a[0].numel() * bend.mean()


def log_bits(bits: torch.Tensor, values: int) -> torch.Tensor:
    """`values` x log of the bits a pixel, [N], then the mean over the batch.

    Along a curve of rate against distortion PSNR rises by about as many dB whenever the bits grow
    by one factor; so the sum of this and of `log_mean_square` asks for a better curve, at every
    quality alike.
    """
    return values * torch.log(bits + FEWEST_BITS).mean()
