"""Validation: quality of the averaged weights on held-out images, and the width of their z."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import torch
from torch.nn import functional

from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import to_gray
from irncli.engine.tensors import Pixels, to_pixels, to_tensor
from irncli.eval.montage import Panel, labelled_row
from irncli.model import CompressionRestoration, InvertibleNetwork, Network
from irncli.model.bicubic import resize, shrink
from irncli.model.quantize import quantize
from irncli.train.codec import jpeg_round_trip
from irncli.train.crops import to_luma
from irncli.train.hard import hard_images
from irncli.train.objective import SQUARE
from irncli.train.recipe import Recipe

__all__ = [
    "Validator",
    "measure_hard",
    "measure_sigma",
    "sample",
    "validate_crm",
    "validate_invertible",
    "validator",
]

HARD_SIDE = 64
"""Side of a synthetic validation image in HR pixels, before rounding down to a multiple of the
reduction of the network."""
HARD_LOSS = 0.2
"""Number of dB (RGB) below bicubic interpolation beyond which an image counts as restored worse."""
HARD_SHIFT = 8.0
"""Departure of the mean of 8x8 LR pixels from that of bicubic LR, in levels, above which an image
counts as shifted."""
HARD_CEILING = 50.0
"""PSNR in dB (RGB) that is good enough, even if bicubic interpolation restores an image better."""

Validator = Callable[[Network], dict[str, float]]
"""Function that returns measures by name; `score`, in dB, selects the best checkpoint."""

Disturb = Callable[[torch.Tensor], list[torch.Tensor]]
"""Function from an LR image to the versions that a codec or noise may make of that image."""


@torch.no_grad()
def measure_sigma(network: InvertibleNetwork, images: Sequence[Pixels]) -> torch.Tensor:
    """Measure the standard deviation of z per channel over all images, [latent_channels]."""
    device = network.latent_sigma.device
    count, total, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
    for pixels in images:
        _, z = network(to_tensor(pixels).to(device))
        values = z.cpu().double()
        count += values[0, 0].numel()
        total = total + values.sum(dim=(0, 2, 3))
        squares = squares + values.square().sum(dim=(0, 2, 3))
    return (squares / count - (total / count).square()).clamp_min(0).sqrt().float()


@torch.no_grad()
def measure_hard(network: InvertibleNetwork, images: Sequence[Pixels]) -> dict[str, float]:
    """Count the failures of a rescaling network on images unlike photographs (z = 0).

    Returns:
        `hard_worse`: number of images restored more than HARD_LOSS dB (RGB) worse than by bicubic
        interpolation. `hard_shift`: number of images in which the mean colour of some 8x8 LR
        pixels is more than HARD_SHIFT levels away from that of bicubic LR.
    """
    device, scale = network.latent_sigma.device, network.config.scale
    worse = shifted = 0
    for pixels in images:
        hr = to_tensor(pixels).to(device)
        low, z = network(hr)
        neutral = bool((hr == hr[:, :1]).all())
        if neutral:
            low = low.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        low, bicubic = quantize(low), quantize(shrink(hr, scale))
        back = to_pixels(network.inverse(low, torch.zeros_like(z)))
        restored = psnr(pixels, to_gray(back) if neutral else back)
        enlarged = psnr(pixels, to_pixels(resize(bicubic, *pixels.shape[:2])))
        worse += restored < min(enlarged, HARD_CEILING) - HARD_LOSS
        shifted += _largest_shift(low - bicubic) > HARD_SHIFT
    return {"hard_worse": float(worse), "hard_shift": float(shifted)}


@torch.no_grad()
def validate_invertible(
    network: InvertibleNetwork,
    images: Sequence[Pixels],
    *,
    drawn: bool,
    seed: int = 0,
    disturb: Disturb | None = None,
) -> dict[str, float]:
    """Measure a network on whole images whose sides are multiples of its scale.

    PSNR is computed on Y with `scale` pixels cropped at each border for rescaling, and on RGB for
    colour.

    Args:
        network: network on its device.
        images: images, uint8 [H, W, 3] each.
        drawn: True if z will be drawn in use: the score is then the lower of the PSNRs with z drawn
            at temperature 1 and with z = 0; otherwise the score is that with z = 0.
        seed: random seed of z.
        disturb: function that returns disturbed versions of LR; the score is then the PSNR of
            images restored from those.

    Returns:
        Means over the images: `hr_psnr` (z drawn), `hr_psnr_z0`, `lr_psnr` (against bicubic LR,
        or luma), `lr_shift` (largest departure of the mean of 8x8 LR pixels, in levels; rescaling
        only), `hr_psnr_disturbed` (z = 0, with `disturb`), `score`.
    """
    device, config = network.latent_sigma.device, network.config
    generator = torch.Generator().manual_seed(seed)
    scores: dict[str, list[float]] = {"hr_psnr": [], "hr_psnr_z0": [], "lr_psnr": []}
    for pixels in images:
        hr = to_tensor(pixels).to(device)
        low, z = network(hr)
        low = quantize(low)
        noise = torch.randn(z.shape, generator=generator).to(z)
        noise *= network.latent_sigma.view(1, -1, 1, 1)
        for latent, name in ((noise, "hr_psnr"), (torch.zeros_like(z), "hr_psnr_z0")):
            restored = to_pixels(network.inverse(low, latent))
            scores[name].append(_psnr(pixels, restored, config.scale))
        for disturbed in disturb(low) if disturb else ():
            restored = to_pixels(network.inverse(disturbed, torch.zeros_like(z)))
            scores.setdefault("hr_psnr_disturbed", []).append(_psnr(pixels, restored, config.scale))
        target = to_luma(hr) if config.task == "color" else shrink(hr, config.scale)
        target = quantize(target)
        if config.task != "color":
            scores.setdefault("lr_shift", []).append(_largest_shift(low - target))
        pair = to_pixels(low), to_pixels(target)
        scores["lr_psnr"].append(_psnr(*pair, config.scale))
    means = {name: fmean(values) for name, values in scores.items()}
    plain = min(means["hr_psnr"], means["hr_psnr_z0"]) if drawn else means["hr_psnr_z0"]
    return {"score": means["hr_psnr_disturbed"] if disturb else plain, **means}


def _largest_shift(departure: torch.Tensor) -> float:
    """Return the largest mean of a whole square, in levels; 0 if LR is smaller than one."""
    if min(departure.shape[2:]) < SQUARE:
        return 0.0
    return 255 * float(functional.avg_pool2d(departure, SQUARE).abs().max())


def _psnr(a: Pixels, b: Pixels, scale: int) -> float:
    """Return the PSNR, at most 100 dB: on Y without borders, or of all values at scale 1."""
    value = psnr(a, b) if scale == 1 else psnr(luma(a), luma(b), scale)
    return min(value, 100.0)


@torch.no_grad()
def validate_crm(
    crm: CompressionRestoration,
    rescaler: InvertibleNetwork,
    images: Sequence[Pixels],
    qualities: Sequence[int],
) -> dict[str, float]:
    """Measure LR after JPEG, with and without a CRM, and the images restored from both.

    Returns:
        Means over images and qualities of the RGB PSNR of LR and the Y PSNR of HR (z = 0):
        `lr_psnr`, `lr_psnr_coded`, `hr_psnr`, `hr_psnr_coded` (coded: without the CRM), and
        `score` (that of HR).
    """
    device, scale = next(crm.parameters()).device, rescaler.config.scale
    scores: dict[str, list[float]] = {
        name: [] for name in ("lr_psnr", "lr_psnr_coded", "hr_psnr", "hr_psnr_coded")
    }
    for pixels in images:
        low, z = rescaler(to_tensor(pixels).to(device))
        low = quantize(low)
        for quality in qualities:
            coded, tables = jpeg_round_trip(low, [quality])
            for name, lr in (("psnr", crm(coded, tables)), ("psnr_coded", coded)):
                scores[f"lr_{name}"].append(psnr(to_pixels(lr), to_pixels(low)))
                restored = rescaler.inverse(quantize(lr), torch.zeros_like(z))
                scores[f"hr_{name}"].append(_psnr(pixels, to_pixels(restored), scale))
    means = {name: fmean(min(value, 100.0) for value in values) for name, values in scores.items()}
    return {"score": means["hr_psnr"], **means}


def validator(
    recipe: Recipe, images: Sequence[Pixels], rescaler: InvertibleNetwork | None
) -> Validator:
    """Return the validation function of a recipe for held-out images."""
    codec = recipe.codec
    qualities = sorted({codec.jpeg_least, codec.jpeg_most})
    drawn = recipe.latent.draw != "never"

    def disturb(low: torch.Tensor) -> list[torch.Tensor]:
        if codec.jpeg_least:
            return [jpeg_round_trip(low, [quality])[0] for quality in qualities]
        noise = torch.randn(low.shape, generator=torch.Generator().manual_seed(0)).to(low)
        return [low + codec.noise_width * noise]

    rescaling = recipe.data.hard and recipe.network.family not in ("color", "crm")
    side = HARD_SIDE // recipe.network.reduction * recipe.network.reduction
    hard = list(hard_images(side).values()) if rescaling else []
    robust = disturb if codec.jpeg_least or codec.noise_chance else None

    def run(network: Network) -> dict[str, float]:
        if isinstance(network, InvertibleNetwork):
            measured = validate_invertible(network, images, drawn=drawn, disturb=robust)
            return measured | (measure_hard(network, hard) if hard else {})
        assert rescaler is not None  # noqa: S101 -- loaded before
        return validate_crm(network, rescaler, images, qualities)

    return run


@torch.no_grad()
def sample(network: InvertibleNetwork, pixels: Pixels) -> Pixels:
    """Return LR, bicubic, restored (z = 0) and original image side by side, with labels.

    For colour these are the gray, the restored and the original image.
    """
    hr = to_tensor(pixels).to(network.latent_sigma.device)
    low, z = network(hr)
    low = quantize(low)
    restored = to_pixels(network.inverse(low, torch.zeros_like(z)))
    small = np.ascontiguousarray(np.broadcast_to(to_pixels(low), (*low.shape[2:], 3)))

    def panel(name: str, shown: Pixels) -> Panel:
        return Panel(
            shown, (name, f"{psnr(luma(pixels), luma(shown), network.config.scale):.2f} dB")
        )

    original = Panel(pixels, ("original", ""))
    if network.config.task == "color":
        gray = Panel(small, ("gray image", ""))
        return labelled_row([gray, panel("restored", restored), original])
    plain = to_pixels(resize(quantize(shrink(hr, network.config.scale)), *pixels.shape[:2]))
    return labelled_row([
        Panel(small, ("small image", "")), panel("bicubic", plain), panel("restored", restored),
        original,
    ])  # fmt: skip
