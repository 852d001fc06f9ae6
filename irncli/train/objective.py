"""Training objectives: differentiable modules that compute a loss from a batch of crops.

They are modules so that DistributedDataParallel can wrap them. Random numbers are passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from irncli.model import CompressionRestoration, InvertibleNetwork
from irncli.model.bicubic import resize
from irncli.model.quantize import quantize
from irncli.train import reversible
from irncli.train.codec import jpeg_bits, jpeg_round_trip, straight_through
from irncli.train.fused import FusedPasses
from irncli.train.losses import (
    SMALLEST_MEAN_SQUARE,
    charbonnier,
    fit,
    log_bits,
    log_mean_square,
    missing_psnr,
    sum_of_squares,
)
from irncli.train.recipe import Recipe
from irncli.train.sections import Loss

__all__ = ["Draws", "Objective", "RescalingObjective", "RestorationObjective", "sigma_of"]

SQUARE = 8
"""Side, in LR pixels, of the squares whose means `lr_means` constrains."""

Parts = dict[str, torch.Tensor]
Pass = tuple[
    Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
]


@dataclass(frozen=True)
class Draws:
    """Random numbers of a step.

    Attributes:
        z: standard normal values times the width for each crop, in the shape of z; None: z = 0.
        noise: standard normal values in the shape of LR; None: no noise.
        qualities: JPEG quality for each crop; None: no JPEG.
    """

    z: torch.Tensor | None = None
    noise: torch.Tensor | None = None
    qualities: Sequence[int] | None = None


class Restored(NamedTuple):
    """Results of the forward and the inverse pass through a network.

    Attributes:
        low: LR before quantisation.
        z: z of the forward pass.
        image: restored image.
        tables: quantisation tables of the JPEG between the passes, or None.
    """

    low: torch.Tensor
    z: torch.Tensor
    image: torch.Tensor
    tables: torch.Tensor | None


def sigma_of(z: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of z per channel, [channels].

    The deviation is taken over positions, followed by the median over crops, so that a synthetic
    crop with ten times the detail of a photograph does not widen the result.
    """
    return z.std(dim=(2, 3)).median(dim=0).values


def _mean_square(a: torch.Tensor) -> torch.Tensor:
    return a.detach().square().mean()


def _lr_loss(weights: Loss, error: torch.Tensor, targets: float | torch.Tensor) -> torch.Tensor:
    if weights.lr_target:
        fitted = weights.psnr_weight * missing_psnr(error, targets)
    else:
        fitted = fit(weights.lr_norm, error)
    return weights.lr_weight * fitted


def _lr_targets(weights: Loss, hr: torch.Tensor, target: torch.Tensor) -> float | torch.Tensor:
    """Return the target PSNR of LR in dB; with `lr_masked`, one for each crop."""
    if not weights.lr_masked or hr.shape[2:] == target.shape[2:]:
        return weights.lr_target
    lost = hr - resize(target, hr.shape[2], hr.shape[3])
    mean_square = lost.square().flatten(1).mean(1).clamp(min=SMALLEST_MEAN_SQUARE)
    return (weights.lr_masked - 10 * torch.log10(mean_square)).clamp(max=weights.lr_target)


def _means_loss(weights: Loss, error: torch.Tensor, hr_values: int) -> torch.Tensor:
    """Return the loss of the means of LR squares that miss their target.

    A missing dB of the means costs as much as lr_weight dB of HR, since the means hardly help to
    restore HR.

    Args:
        weights: loss section of the recipe.
        error: error of LR as stored in a file: detail that swings below 0 in a saturated colour is
            cut off there, and the rest of that detail is a tint.
        hr_values: number of values in an HR crop.
    """
    means = functional.avg_pool2d(error, SQUARE, ceil_mode=True, count_include_pad=False)
    counted = hr_values / means[0].numel()
    missing = missing_psnr(means, weights.lr_means)
    return weights.lr_weight * weights.psnr_weight * counted * missing


def _hr_loss(weights: Loss, error: torch.Tensor, share: float) -> torch.Tensor:
    if not weights.in_psnr_phase(share):
        return charbonnier(error)
    return weights.psnr_weight * log_mean_square(error)


class RescalingObjective(nn.Module):
    """Forward pass, quantisation, codec and inverse pass, and the losses of LR, HR and z.

        loss = lr_weight |low - target| + hr_weight |x - hr| + z_weight z^2
               (or, with a target PSNR of LR, lr_weight psnr_weight (missing PSNR of low))
             + lr_weight psnr_weight (missing PSNR of the means of low)
             + rate_weight psnr_weight log bits(JPEG(low))
             + features_weight |VGG(x) - VGG(hr)| + adversarial_weight BCE(D(x), 1)

    For colour networks, low is the gray image and hr the colour image.

    Args:
        network: network to train.
        recipe: recipe of the run, with the weights and phases of the losses.
        features: VGG19 features, if features_weight is not 0.
        adversary: function that returns the adversarial loss of restored images.

    Attributes:
        fused: the passes through the fused kernels, if these are used.
    """

    def __init__(
        self,
        network: InvertibleNetwork,
        recipe: Recipe,
        features: nn.Module | None = None,
        adversary: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe
        self.features, self.adversary = features, adversary
        self.fused: FusedPasses | None = None

    @property
    def _passes(self) -> Pass:
        network = self.network
        if self.fused is not None:
            return self.fused.forward, self.fused.inverse
        if not self.recipe.compute.recompute:
            return network, network.inverse
        return (
            lambda x: reversible.forward(network, x),
            lambda low, z: reversible.inverse(network, low, z),
        )

    def restore(self, hr: torch.Tensor, draws: Draws) -> Restored:
        """Compute LR and z, and restore the image from LR as stored in a file."""
        forward, inverse = self._passes
        low, z = forward(hr)
        low = self._gray_kept(hr, low)
        stored, tables = self._stored(low, draws)
        restored = self._gray_kept(hr, inverse(stored, self._latent(z, draws)))
        return Restored(low, z, restored, tables)

    def _gray_kept(self, hr: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Average the channels of gray crops, as the guard does for users' images."""
        if not self.recipe.data.hard or self.network.config.task == "color":
            return values
        neutral = (hr == hr[:, :1]).all(dim=(1, 2, 3), keepdim=True)
        return torch.where(neutral, values.mean(dim=1, keepdim=True), values)

    def forward(
        self, hr: torch.Tensor, target: torch.Tensor, draws: Draws, share: float
    ) -> tuple[torch.Tensor, Parts]:
        """Return the loss of a batch and the measured parts.

        Args:
            hr: HR crops, [N, 3, H, W] in [0, 1].
            target: desired LR of the crops: their bicubic LR, or their luma.
            draws: random numbers of the step.
            share: spent share of the budget, 0 to 1.
        """
        weights = self.recipe.loss
        low, z, restored, tables = self.restore(hr, draws)
        losses = {
            "lr_loss": _lr_loss(weights, low - target, _lr_targets(weights, hr, target)),
            "hr_loss": weights.hr_weight * _hr_loss(weights, restored - hr, share),
            "z_loss": weights.z_weight * sum_of_squares(z),
        }
        if weights.lr_means:
            losses["means_loss"] = _means_loss(weights, low.clamp(0, 1) - target, hr[0].numel())
        if weights.rate_weight and tables is not None:
            bits = jpeg_bits(low, tables)
            losses["rate_loss"] = (
                weights.rate_weight * weights.psnr_weight * log_bits(bits, hr[0].numel())
            )
        if self.features is not None:
            with torch.no_grad():
                wanted = self.features(hr)
            losses["features_loss"] = weights.features_weight * charbonnier(
                self.features(restored) - wanted
            )
        if self.adversary is not None:
            losses["adversarial_loss"] = weights.adversarial_weight * self.adversary(restored)
        measured = {
            "hr_mse": _mean_square(restored - hr),
            "lr_mse": _mean_square(low - target),
            "z_square": _mean_square(z),
        }
        parts = {name: loss.detach() for name, loss in losses.items()} | measured
        parts |= {"restored": restored.detach(), "sigma": sigma_of(z.detach())}
        return torch.stack(list(losses.values())).sum(), parts

    def _stored(self, low: torch.Tensor, draws: Draws) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return LR after quantisation and codec, with a straight-through gradient, and tables."""
        stored, tables = quantize(low), None
        if draws.noise is not None:
            stored = stored + self.recipe.codec.noise_width * draws.noise
        if draws.qualities is not None:
            coded, tables = jpeg_round_trip(stored.detach().clamp(0, 1), draws.qualities)
            stored = straight_through(coded, stored)
        return stored, tables

    def _latent(self, z: torch.Tensor, draws: Draws) -> torch.Tensor:
        if draws.z is None:
            return torch.zeros_like(z)
        if self.recipe.latent.draw == "normal":
            return draws.z
        return draws.z * self.network.latent_sigma.view(1, -1, 1, 1)


class RestorationObjective(nn.Module):
    """Objective of a CRM, which recovers the LR of a frozen network after JPEG.

        low' = CRM(JPEG(low));   loss = lr_weight |low' - low|^2 + hr_weight |inverse(low', 0) - hr|

    The paper has only the first term. A network that was trained with JPEG tolerates the LR that
    JPEG leaves, and an LR that is nearer to low is not always better for such a network. The second
    term measures what is better.

    Args:
        network: CRM to train.
        rescaler: frozen network that makes LR.
        recipe: recipe of the run, with the weights and phases of the losses.
    """

    fused = None  # the fused kernels do not train a CRM

    def __init__(
        self, network: CompressionRestoration, rescaler: InvertibleNetwork, recipe: Recipe
    ) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe
        # In a list, the rescaler is not a submodule, so it is neither trained nor synchronised.
        self._frozen = [rescaler.eval().requires_grad_(False)]

    def forward(
        self, hr: torch.Tensor, target: torch.Tensor, draws: Draws, share: float
    ) -> tuple[torch.Tensor, Parts]:
        """Return the loss and the measured parts as in RescalingObjective; ignore `target`."""
        del target
        assert draws.qualities is not None  # noqa: S101 -- the recipe was checked
        rescaler, weights = self._frozen[0], self.recipe.loss
        with torch.no_grad():
            low, z = rescaler(hr)
            low = quantize(low)
        coded, tables = jpeg_round_trip(low, draws.qualities)
        restored = self.network(coded, tables)
        losses = {"lr_loss": weights.lr_weight * sum_of_squares(restored - low)}
        measured = {
            "lr_mse": _mean_square(restored - low),
            "coded_mse": _mean_square(coded - low),
        }
        if weights.hr_weight:
            error = rescaler.inverse(quantize(restored), torch.zeros_like(z)) - hr
            losses["hr_loss"] = weights.hr_weight * _hr_loss(weights, error, share)
            measured["hr_mse"] = _mean_square(error)
        parts = {name: loss.detach() for name, loss in losses.items()} | measured
        return torch.stack(list(losses.values())).sum(), parts


Objective = RescalingObjective | RestorationObjective
