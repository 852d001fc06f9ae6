"""One training step: forward, quantise, inverse, losses, update."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from irncli.model import InvertibleNetwork
from irncli.model.quantize import quantize
from irncli.train.losses import charbonnier, log_mean_square, sum_of_squares
from irncli.train.recipe import Recipe

__all__ = ["StepResult", "Trainer"]

SIGMA_DECAY = 0.98
LR_STEERING = 0.003
"""Relative change of the LR weight in one step for each dB that LR is away from its target."""


@dataclass(frozen=True)
class StepResult:
    """What one step measured, before its update; PSNR over RGB, in dB."""

    loss: float
    hr_psnr: float
    lr_psnr: float
    z_rms: float
    gradient_norm: float
    learning_rate: float
    lr_weight: float
    skipped: bool


def _db(a: torch.Tensor, b: torch.Tensor) -> float:
    return -10 * math.log10(max(float((a - b).square().mean()), 1e-12))


class Trainer:
    """A network, its average, its optimiser, and the law by which one step changes them.

    Attributes:
        network: live weights; its latent_sigma follows the standard deviation of the forward z.
        average: exponential moving average of the weights: what is validated and shipped.
        lr_weight: weight of the LR fit, steered towards the recipe's lr_target.
        skipped: steps left out because a loss or a gradient was not finite.
    """

    def __init__(
        self, network: InvertibleNetwork, recipe: Recipe, generator: torch.Generator
    ) -> None:
        self.recipe = recipe
        self.network = network.train().requires_grad_(True)
        self.average = InvertibleNetwork(recipe.architecture).to(network.latent_sigma.device)
        self.average.load_state_dict(network.state_dict())
        self.average.eval().requires_grad_(False)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        self.generator = generator
        self.lr_weight = recipe.lr_weight
        self.skipped = 0
        self.step = 0

    def learning_rate(self, progress: float) -> float:
        """Linear warm-up, then cosine decay to zero at progress 1."""
        rise = min(1.0, (self.step + 1) / self.recipe.warm_up)
        return self.recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(progress, 1)))

    def update(self, hr: torch.Tensor, target: torch.Tensor, progress: float) -> StepResult:
        """Take one step on a batch.

        Args:
            hr: [N, 3, H, W] in [0, 1].
            target: its bicubic LR.
            progress: share of the budget that is spent, 0 to 1.

        Returns:
            What was measured. A step that is not finite changes nothing but the counter.
        """
        recipe = self.recipe
        rate = self.learning_rate(progress)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        low, z = self.network(hr)
        self._follow_sigma(z.detach())
        restored = self.network.inverse(quantize(low), self._latent(z, progress))
        loss = (
            self.lr_weight * sum_of_squares(low - target)
            + self._hr_loss(restored - hr, progress)
            + recipe.z_weight * sum_of_squares(z)
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        finite = bool(torch.isfinite(loss) and torch.isfinite(norm))
        lr_psnr = _db(low.detach(), target) if finite else math.nan
        if finite:
            self.optimiser.step()
            self._follow_average()
            self._steer_lr_weight(lr_psnr)
        else:
            self.skipped += 1
        self.step += 1
        return StepResult(
            loss=float(loss.detach()),
            hr_psnr=_db(restored.detach(), hr) if finite else math.nan,
            lr_psnr=lr_psnr,
            z_rms=float(z.detach().square().mean().sqrt()),
            gradient_norm=float(norm),
            learning_rate=rate,
            lr_weight=self.lr_weight,
            skipped=not finite,
        )

    def _hr_loss(self, error: torch.Tensor, progress: float) -> torch.Tensor:
        if progress < self.recipe.psnr_from:
            return self.recipe.hr_weight * charbonnier(error)
        return self.recipe.hr_weight * self.recipe.psnr_weight * log_mean_square(error)

    def _latent(self, z: torch.Tensor, progress: float) -> torch.Tensor:
        """What the inverse is given for z: zero at first, later a draw of z's own width."""
        if progress < self.recipe.draw_from:
            return torch.zeros_like(z)
        noise = torch.randn(z.shape, generator=self.generator).to(z)
        width = self.recipe.draw_temperature * self.network.latent_sigma
        return noise * width.view(1, -1, 1, 1)

    def _follow_sigma(self, z: torch.Tensor) -> None:
        measured = z.std(dim=(0, 2, 3))
        if not torch.isfinite(measured).all():
            return
        sigma = self.network.latent_sigma
        unset = self.step == 0
        sigma.copy_(measured if unset else torch.lerp(measured, sigma, SIGMA_DECAY))

    @torch.no_grad()
    def _follow_average(self) -> None:
        decay = min(self.recipe.ema, (1 + self.step) / (10 + self.step))
        for mean, live in zip(
            self.average.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            mean.lerp_(live, 1 - decay)

    def _steer_lr_weight(self, lr_psnr: float) -> None:
        if self.recipe.lr_target is not None:
            missing = max(-6.0, min(6.0, self.recipe.lr_target - lr_psnr))
            self.lr_weight *= math.exp(LR_STEERING * missing)
            self.lr_weight = min(max(self.lr_weight, 0.02), 256.0)

    def state(self) -> dict[str, object]:
        """Everything that the next step depends on, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "lr_weight": self.lr_weight,
            "skipped": self.skipped,
            "step": self.step,
        }

    def restore(self, state: dict[str, object]) -> None:
        """Take up a state that `state` returned."""
        for part in ("network", "average", "optimiser"):
            getattr(self, part).load_state_dict(state[part])
        self.generator.set_state(state["generator"])  # type: ignore[arg-type]
        self.lr_weight = float(state["lr_weight"])  # type: ignore[arg-type]
        self.skipped = int(state["skipped"])  # type: ignore[call-overload]
        self.step = int(state["step"])  # type: ignore[call-overload]
