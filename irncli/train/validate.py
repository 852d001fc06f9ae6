"""Validation: what the averaged weights reach on held-out pictures, and how wide their z is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.eval.metrics import luma, psnr
from irncli.model import InvertibleNetwork
from irncli.model.bicubic import shrink
from irncli.model.quantize import quantize

__all__ = ["Validation", "measure_sigma", "validate"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Validation:
    """Y PSNR in dB, means over the held-out pictures."""

    hr_psnr: float
    """z drawn at temperature 1."""
    hr_psnr_z0: float
    """z = 0."""
    lr_psnr: float
    """LR against bicubic LR."""


def _to_tensor(pixels: Pixels, device: torch.device) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    return tensor.permute(2, 0, 1)[None].float().div(255)


def _to_pixels(tensor: torch.Tensor) -> Pixels:
    eight_bit = tensor[0].clamp(0, 1).mul(255).round().byte()
    return eight_bit.permute(1, 2, 0).cpu().numpy()


@torch.no_grad()
def measure_sigma(network: InvertibleNetwork, pictures: Sequence[Pixels]) -> torch.Tensor:
    """Standard deviation of the forward z per channel, over all pictures: [latent_channels]."""
    device = network.latent_sigma.device
    count, total, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    for pixels in pictures:
        _, z = network(_to_tensor(pixels, device))
        values = z.double().cpu()
        count += values[0, 0].numel()
        total = total + values.sum(dim=(0, 2, 3))
        squares = squares + values.square().sum(dim=(0, 2, 3))
    return (squares / count - (total / count).square()).clamp_min(0).sqrt().float()


@torch.no_grad()
def validate(network: InvertibleNetwork, pictures: Sequence[Pixels], seed: int = 0) -> Validation:
    """Measure `network` on whole pictures whose sides are multiples of its scale."""
    device = network.latent_sigma.device
    generator = torch.Generator().manual_seed(seed)
    scale = network.config.scale
    drawn: list[float] = []
    plain: list[float] = []
    low_fit: list[float] = []
    for pixels in pictures:
        hr = _to_tensor(pixels, device)
        low, z = network(hr)
        low = quantize(low)
        noise = torch.randn(z.shape, generator=generator).to(z)
        noise *= network.latent_sigma.view(1, -1, 1, 1)
        reference = luma(pixels)
        for latent, scores in ((noise, drawn), (torch.zeros_like(z), plain)):
            restored = luma(_to_pixels(network.inverse(low, latent)))
            scores.append(psnr(reference, restored, scale))
        bicubic = luma(_to_pixels(quantize(shrink(hr, scale))))
        low_fit.append(psnr(luma(_to_pixels(low)), bicubic, scale))
    return Validation(hr_psnr=fmean(drawn), hr_psnr_z0=fmean(plain), lr_psnr=fmean(low_fit))
