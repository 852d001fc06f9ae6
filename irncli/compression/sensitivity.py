"""How much an error of each coefficient of LR costs in the restored image."""

from __future__ import annotations

from typing import Final

import torch

from irncli.compression.blocks import blocks_of, pixels_of
from irncli.engine.frozen import restored
from irncli.model import InvertibleNetwork

__all__ = ["sensitivity_of"]

SIDE: Final = 64
"""Side of a sample in LR pixels."""
AMPLITUDE: Final = 0.25
"""Size of the errors, in code values: the network is nearly linear there."""
LEAST: Final = 0.3
"""Least sensitivity, a tenth of what an image that is not rescaled has: less is noise of the
measurement."""


def sensitivity_of(network: InvertibleNetwork, planes: torch.Tensor) -> torch.Tensor:
    """Return the sensitivity of the restored image to each coefficient of LR, [C, 64].

        h_k = mean over blocks of  v_k (J^T J v)_k,   v = random signs

    Here J is the derivative of the restored image (values 0 to 255, z = 0) by the coefficients. It
    is measured at four samples of the image, or at the whole of a small one: texture is more
    sensitive than smooth areas, so that h differs from image to image.

    Args:
        network: network whose inverse restores the image.
        planes: planes of LR [C, H, W] around 0; their sides are whole blocks.

    Source: Hutchinson's estimate of a diagonal (Bekas, Kokiopoulou and Saad 2007).
    """
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode(False), torch.enable_grad():
        samples = [_at(network, blocks_of(part), generator) for part in _samples(planes)]
    return torch.stack(samples).mean(dim=0).clamp(min=LEAST)


def _samples(planes: torch.Tensor) -> list[torch.Tensor]:
    """Return the parts of the planes at which the sensitivity is measured."""
    height, width = planes.shape[1:]
    if height * width <= 4 * SIDE**2:
        return [planes.clone()]
    found = []
    for down, across in ((1, 1), (1, 3), (3, 1), (3, 3)):
        top, left = (
            max(0, min(side - SIDE, side * share // 4 - SIDE // 2)) // 8 * 8
            for side, share in ((height, down), (width, across))
        )
        found.append(planes[:, top : top + SIDE, left : left + SIDE].clone())
    return found


def _at(
    network: InvertibleNetwork, coefficients: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    signs = torch.randint(0, 2, coefficients.shape, generator=generator).to(coefficients) * 2 - 1
    start = coefficients.requires_grad_()
    image = 255 * restored(network, pixels_of(start, linear=True))
    with torch.no_grad():
        moved = pixels_of(start + AMPLITUDE * signs, linear=True)
        change = (255 * restored(network, moved) - image) / AMPLITUDE
    (back,) = torch.autograd.grad(image, start, change)
    return (signs * back).mean(dim=(1, 2))
