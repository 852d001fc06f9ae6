"""Conversion between images and tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from irncli.pixels import Pixels, bits_of, most, to_bits

__all__ = ["AsStored", "Pixels", "bits_of", "to_bits", "to_pixels", "to_tensor"]

AsStored = Callable[[Pixels], Pixels]
"""A function from the pixels of an LR to those that are decoded from the file that stores it."""


def to_tensor(pixels: Pixels) -> torch.Tensor:
    """Convert uint8 or uint16 [H, W, C] to float32 [1, C, H, W] in [0, 1]."""
    rows = torch.from_numpy(np.ascontiguousarray(pixels))
    return rows.permute(2, 0, 1)[None].float().div(most(pixels))


def to_pixels(values: torch.Tensor, bits: int = 8) -> Pixels:
    """Convert [1, C, H, W] to pixels [H, W, C]: round((2**bits - 1) clamp(x, 0, 1))."""
    whole = values[0].clamp(0, 1).mul_(2**bits - 1).round_()
    stored = whole.byte() if bits == 8 else whole.to(torch.int32)
    array = stored.permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(array, dtype=f"u{bits // 8}")
