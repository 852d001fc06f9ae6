"""Colours under transparent pixels: what no one sees must not shine into what one does."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from irncli.engine.pixels import to_pixels, to_tensor
from irncli.pixels import Pixels, bits_of

__all__ = ["bleed"]


def bleed(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Give wholly transparent pixels the colours of those around that are not.

    Resizing mixes neighbours. Whatever an editor left under alpha 0, often black, would come up
    as a halo at the edges. Each such pixel takes what lies between the means, weighted by alpha,
    of the smallest blocks of 2, 4, 8, ... pixels around it that have visible ones.

    Law: pixels with alpha above 0 stay as they are.

    Args:
        pixels: uint8 or uint16 [H, W, 3].
        alpha: [H, W]; None: all is opaque.
    """
    if alpha is None or bool(alpha.all()) or not bool(alpha.any()):
        return pixels
    weight = to_tensor(alpha[:, :, None])
    filled = to_pixels(_filled(to_tensor(pixels), weight), bits_of(pixels))
    return np.where(alpha[:, :, None] > 0, pixels, filled)


def _filled(colours: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Colours [1, 3, H, W], and where weight [1, 1, H, W] is 0 those of coarser blocks."""
    hidden = weight == 0
    if not bool(hidden.any()):
        return colours
    total = _halved(weight)
    mean = _halved(colours * weight) / total.clamp_min(torch.finfo(total.dtype).tiny)
    coarse = _filled(mean, total)
    back = functional.interpolate(coarse, size=colours.shape[2:], mode="bilinear")
    return torch.where(hidden, back, colours)


def _halved(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
