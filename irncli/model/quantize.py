"""Quantisation to 8 bits, with a gradient that passes straight through."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["quantize"]


class _Quantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return x.clamp(0, 1).mul_(255).round_().div_(255)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        return gradient


def quantize(x: torch.Tensor) -> torch.Tensor:
    """Quantise to the nearest 8-bit values: round(255 * clamp(x, 0, 1)) / 255.

    The gradient is the identity everywhere, even outside [0, 1], so that a value that has left the
    range can return.

    Args:
        x: floating-point tensor of any shape; not changed.

    Returns:
        Tensor of the same shape and dtype with values k/255, k in 0..255.

    Source: IRN, section 3.4 (straight-through estimator).
    """
    return _Quantize.apply(x)  # type: ignore[no-any-return, no-untyped-call]
