"""The arithmetic of the coupling block in one pass over memory, with its gradients.

    forward   y = b exp(s(h)) + g        inverse   y = (b - g) exp(-s(h)),   s(h) = 2 sigmoid(h) - 1

Gradients, with dy that of y and s' = 2 sigmoid(h) (1 - sigmoid(h)):

    forward   db = dy exp(s)      dg = dy      dh = dy b exp(s) s'
    inverse   db = dy exp(-s)     dg = -db     dh = -dy y s'

All values are float32. PyTorch takes six passes over memory for the forward map.

Importing this module imports Triton.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch.autograd.function import once_differentiable

from irncli.kernels.language import OPTIONS

__all__ = ["affine"]

_VALUES = 1024
"""Values per program."""


@triton.jit
def _positions(VALUES: tl.constexpr, LARGE: tl.constexpr) -> tl.tensor:
    """Return which values a program computes, in 64 bits only if LARGE: their division is slow."""
    program = tl.program_id(0)
    if LARGE:
        program = program.to(tl.int64)
    return program * VALUES + tl.arange(0, VALUES)


@triton.jit
def _sigmoid(h: tl.tensor) -> tl.tensor:
    return 1 / (1 + tl.exp(-h))


@triton.jit(do_not_specialize=["count", "columns", "stride"])
def _affine(
    b: tl.tensor,
    h: tl.tensor,
    g: tl.tensor,
    y: tl.tensor,
    count: tl.tensor,
    columns: tl.tensor,
    stride: tl.tensor,
    INVERSE: tl.constexpr,
    VALUES: tl.constexpr,
    LARGE: tl.constexpr,
) -> None:
    """Compute y. The rows of b are `stride` elements apart; those of the others are contiguous."""
    at = _positions(VALUES, LARGE)
    inside = at < count
    b_value = tl.load(b + at // columns * stride + at % columns, mask=inside)
    g_value = tl.load(g + at, mask=inside)
    s = 2 * _sigmoid(tl.load(h + at, mask=inside)) - 1
    result = (b_value - g_value) * tl.exp(-s) if INVERSE else b_value * tl.exp(s) + g_value
    tl.store(y + at, result, mask=inside)


@triton.jit(do_not_specialize=["count", "columns", "stride"])
def _affine_gradient(
    b: tl.tensor,
    h: tl.tensor,
    y: tl.tensor,
    dy: tl.tensor,
    db: tl.tensor,
    dh: tl.tensor,
    count: tl.tensor,
    columns: tl.tensor,
    stride: tl.tensor,
    INVERSE: tl.constexpr,
    VALUES: tl.constexpr,
    LARGE: tl.constexpr,
) -> None:
    """Compute db and dh; b is read by the forward map only, and y by the inverse only."""
    at = _positions(VALUES, LARGE)
    inside = at < count
    gradient = tl.load(dy + at, mask=inside)
    sigmoid = _sigmoid(tl.load(h + at, mask=inside))
    s = 2 * sigmoid - 1
    slope = 2 * sigmoid * (1 - sigmoid)
    if INVERSE:
        of_b = gradient * tl.exp(-s)
        of_s = -gradient * tl.load(y + at, mask=inside)
    else:
        of_b = gradient * tl.exp(s)
        of_s = of_b * tl.load(b + at // columns * stride + at % columns, mask=inside)
    tl.store(db + at, of_b, mask=inside)
    tl.store(dh + at, of_s * slope, mask=inside)


def affine(
    b: torch.Tensor, h: torch.Tensor, g: torch.Tensor, *, inverse: bool = False
) -> torch.Tensor:
    """Return b exp(s(h)) + g, or its inverse (b - g) exp(-s(h)), with gradients.

    Args:
        b: float32 [rows, columns]; a view of some columns of the state is read without a copy.
        h: float32 [rows, columns].
        g: float32 [rows, columns].
        inverse: whether to compute the inverse.

    Returns:
        float32 [rows, columns], contiguous.
    """
    return _Affine.apply(b, h, g, inverse)  # type: ignore[no-any-return, no-untyped-call]


def _is_large(*tensors: torch.Tensor) -> bool:
    """Return whether some value lies beyond what 32 bits can count."""
    return max(x.shape[0] * x.stride(0) for x in tensors) + _VALUES >= 1 << 31


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, b: torch.Tensor, h: torch.Tensor, g: torch.Tensor, inverse: bool
    ) -> torch.Tensor:
        b = b if b.stride(1) == 1 else b.contiguous()
        h, g = h.contiguous(), g.contiguous()
        y = torch.empty_like(h)
        grid = (-(-h.numel() // _VALUES),)
        with torch.cuda.device_of(h):
            _affine[grid](
                b,
                h,
                g,
                y,
                *(h.numel(), h.shape[1], b.stride(0)),
                INVERSE=inverse,
                VALUES=_VALUES,
                LARGE=_is_large(h, b),
                **OPTIONS,
            )
        ctx.inverse = inverse
        ctx.save_for_backward(y if inverse else b, h)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        value, h = ctx.saved_tensors  # y of the inverse, b of the forward map
        gradient = gradient.contiguous()
        db, dh = torch.empty_like(h), torch.empty_like(h)
        grid = (-(-h.numel() // _VALUES),)
        with torch.cuda.device_of(h):
            _affine_gradient[grid](
                value,
                h,
                value,
                gradient,
                db,
                dh,
                *(h.numel(), h.shape[1], value.stride(0)),
                INVERSE=ctx.inverse,
                VALUES=_VALUES,
                LARGE=_is_large(h, value),
                **OPTIONS,
            )
        return db, dh, -db if ctx.inverse else gradient, None
