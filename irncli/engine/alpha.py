"""Colours of transparent pixels, replaced so that they do not bleed into visible pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from irncli.engine.tensors import to_pixels, to_tensor
from irncli.pixels import Pixels, bits_of

__all__ = ["bleed"]

_ROWS = 512
"""Number of rows converted to floating point at a time; even, since blocks have two rows."""


def bleed(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Fill fully transparent pixels with the colours of the visible pixels around them.

    Resizing mixes neighbouring pixels, so the colours that an editor left under alpha 0, often
    black, would show as a halo at the edges. The colour of each such pixel is interpolated between
    the means, weighted by alpha, of the smallest surrounding blocks with sides of 2, 4, 8, ...
    pixels that contain visible pixels.

    Law: pixels with alpha above 0 do not change.

    Memory: a copy of the image, and about 20 bytes per pixel for the blocks.

    Args:
        pixels: uint8 or uint16 [H, W, 3].
        alpha: alpha channel [H, W]; None for an opaque image.
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
    """Fill colours [1, 3, H, W] from coarser blocks where the weight [1, 1, H, W] is 0."""
    hidden = weight == 0
    if not bool(hidden.any()):
        return colours
    coarse = _filled(*_blocks(colours, weight))
    return torch.where(hidden, _between(coarse, 0, *colours.shape[2:]), colours)


def _blocks(colours: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weighted means and the mean weights of 2x2 blocks."""
    total = _halved(weight)
    return _halved(colours * weight) / total.clamp_min(torch.finfo(total.dtype).tiny), total


def _halved(x: torch.Tensor) -> torch.Tensor:
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def _between(coarse: torch.Tensor, top: int, bottom: int, width: int) -> torch.Tensor:
    """Interpolate 2x2 blocks bilinearly; return rows `top` (even) to `bottom`, `width` wide."""
    above = max(0, top // 2 - 1)
    window = coarse[:, :, above : (bottom + 1) // 2 + 1]
    doubled = functional.interpolate(window, scale_factor=2, mode="bilinear")
    return doubled[:, :, top - 2 * above : bottom - 2 * above, :width]
