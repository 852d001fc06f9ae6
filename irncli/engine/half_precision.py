"""Dense blocks in half precision, with a fallback to float32 on overflow."""

from __future__ import annotations

from collections.abc import Callable

import torch

from irncli.model.dense import DenseBlock

__all__ = ["run_dense"]


def _identity(x: torch.Tensor) -> torch.Tensor:
    return x


def run_dense(
    block: DenseBlock,
    window: torch.Tensor,
    dtype: torch.dtype,
    after: Callable[[torch.Tensor], torch.Tensor] = _identity,
) -> torch.Tensor:
    """Run a dense block on a window, then `after` in float32.

    Half precision overflows at 65504. If it does, the window is run again in float32: a slow tile
    is better than a black one.

    Args:
        block: dense block with float32 weights.
        window: input, float32 [N, C, H, W].
        dtype: dtype of the convolutions.
        after: function applied to the whole output.
    """
    if dtype == torch.float32:
        return after(block(window))
    with torch.autocast(window.device.type, dtype=dtype):
        out = block(window)
    result = after(out.float())
    return result if bool(torch.isfinite(result).all()) else after(block(window))
