"""Between 8-bit pictures and what networks compute with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Pixels", "to_pixels", "to_tensor"]

Pixels = NDArray[np.uint8]


def to_tensor(pixels: Pixels) -> torch.Tensor:
    """uint8 [H, W, C] to float32 [1, C, H, W] in [0, 1]."""
    rows = torch.from_numpy(np.ascontiguousarray(pixels))
    return rows.permute(2, 0, 1)[None].float().div(255)


def to_pixels(values: torch.Tensor) -> Pixels:
    """[1, C, H, W] to the nearest 8-bit values [H, W, C]: round(255 clamp(x, 0, 1))."""
    eight_bit = values[0].clamp(0, 1).mul_(255).round_().byte()
    return np.ascontiguousarray(eight_bit.permute(1, 2, 0).cpu().numpy())
