"""Colours under transparent pixels: what no one sees must not shine into what one does."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from irncli.engine.tensors import to_pixels, to_tensor
from irncli.pixels import Pixels, bits_of

__all__ = ["bleed"]

_ROWS = 512
"""Rows that are converted to floating point at a time; even, since blocks have two rows."""


def bleed(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Give wholly transparent pixels the colours of those around that are not.

    Resizing mixes neighbours. Whatever an editor left under alpha 0, often black, would come up
    as a halo at the edges. Each such pixel takes what lies between the means, weighted by alpha,
    of the smallest blocks of 2, 4, 8, ... pixels around it that have visible ones.

    Law: pixels with alpha above 0 stay as they are.

    Memory: a copy of the image, and about 20 bytes a pixel for the blocks.

    Args:
        pixels: uint8 or uint16 [H, W, 3].
        alpha: [H, W]; None: all is opaque.
    """
    if alpha is None or bool(alpha.all()) or not bool(alpha.any()):
        return pixels
    height = len(pixels)
    strips = [slice(top, min(top + _ROWS, height)) for top in range(0, height, _ROWS)]
    means, weights = zip(
        *(_blocks(to_tensor(pixels[s]), to_tensor(alpha[s, :, None])) for s in strips), strict=True
    )
    coarse = _filled(torch.cat(means, dim=2), torch.cat(weights, dim=2))
    filled = pixels.copy()
    for s in strips:
        back = to_pixels(_between(coarse, s.start, s.stop, pixels.shape[1]), bits_of(pixels))
        np.copyto(filled[s], back, where=alpha[s, :, None] == 0)
    return filled


def _filled(colours: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Colours [1, 3, H, W], and where weight [1, 1, H, W] is 0 those of coarser blocks."""
    hidden = weight == 0
    if not bool(hidden.any()):
        return colours
    coarse = _filled(*_blocks(colours, weight))
    return torch.where(hidden, _between(coarse, 0, *colours.shape[2:]), colours)


def _blocks(colours: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean and mean weight of blocks of 2x2."""
    total = _halved(weight)
    return _halved(colours * weight) / total.clamp_min(torch.finfo(total.dtype).tiny), total


def _halved(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def _between(coarse: torch.Tensor, top: int, bottom: int, width: int) -> torch.Tensor:
    """Rows `top` (even) to `bottom` of what lies between blocks of 2x2, bilinearly."""
    above = max(0, top // 2 - 1)
    window = coarse[:, :, above : (bottom + 1) // 2 + 1]
    doubled = functional.interpolate(window, scale_factor=2, mode="bilinear")
    return doubled[:, :, top - 2 * above : bottom - 2 * above, :width]
