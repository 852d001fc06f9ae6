"""Conversion between images and tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.pixels import Pixels, bits_of, to_bits

__all__ = [
    "AsStored",
    "Pixels",
    "bits_of",
    "download",
    "to_bits",
    "to_pixels",
    "to_stored",
    "to_tensor",
    "upload",
]

AsStored = Callable[[Pixels], Pixels]
"""A function from the pixels of an LR to those that are decoded from the file that stores it."""


def upload(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Return an array on a device, with the same shape and dtype; on the CPU, without a copy."""
    values = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        # Copies from pinned memory are faster and do not stop the stream of work.
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def download(values: torch.Tensor) -> Pixels:
    """Return pixels on a device as an array; on the CPU, without a copy."""
    if values.device.type == "cuda":
        pinned = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        values = pinned.copy_(values)
    array: Pixels = values.cpu().numpy()
    return array


def to_tensor(pixels: Pixels | torch.Tensor) -> torch.Tensor:
    """Convert uint8 or uint16 [H, W, C] to float32 [1, C, H, W] in [0, 1], on the same device."""
    if isinstance(pixels, np.ndarray):
        pixels = upload(pixels, torch.device("cpu"))
    white = 2 ** (8 * pixels.element_size()) - 1
    return pixels.permute(2, 0, 1)[None].float().div(white)


def to_stored(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Convert [1, C, H, W] to [H, W, C] on the same device, uint8 or uint16.

    The result is round((2**bits - 1) clamp(x, 0, 1)).
    """
    whole = values[0].clamp(0, 1).mul_(2**bits - 1).round_()
    return whole.permute(1, 2, 0).to(torch.uint8 if bits == 8 else torch.uint16)


def to_pixels(values: torch.Tensor, bits: int = 8) -> Pixels:
    """Convert [1, C, H, W] to pixels [H, W, C]: round((2**bits - 1) clamp(x, 0, 1))."""
    return download(to_stored(values, bits).contiguous())
