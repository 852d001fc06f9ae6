"""The three losses of the paper: sums over C, H, W, means over the batch."""

from __future__ import annotations

import torch

__all__ = ["charbonnier", "sum_of_squares"]


def charbonnier(a: torch.Tensor) -> torch.Tensor:
    """A smooth l1: sum of sqrt(a^2 + 1e-6) over all but the batch, then the mean."""
    return torch.sqrt(a.square() + 1e-6).flatten(1).sum(1).mean()


def sum_of_squares(a: torch.Tensor) -> torch.Tensor:
    """Sum of a^2 over all but the batch, then the mean."""
    return a.square().flatten(1).sum(1).mean()
