"""One training step: draws, loss, gradient, check for finite values, update, average."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from irncli.errors import UsageError
from irncli.model import InvertibleNetwork, Network
from irncli.train.adversarial import DiscriminatorTrainer
from irncli.train.graph import CapturedStep, Outcome, StepInputs
from irncli.train.objective import Draws, Objective, RescalingObjective
from irncli.train.optimisers import Optimisers
from irncli.train.parallel import Ranks
from irncli.train.recipe import Recipe
from irncli.train.sections import Latent

__all__ = ["StepResult", "Trainer"]

SIGMA_DECAY = 0.98
"""Share of the old value that the moving average of the standard deviation of z keeps in a step; it
spans about 50 steps."""
MOST_SKIPPED = 100
"""Number of consecutive steps with non-finite values after which the run fails."""


@dataclass(frozen=True)
class StepResult:
    """Measured values of one step, before its update.

    Attributes:
        values: losses by name, `loss`, PSNRs over RGB in dB (`hr_psnr`, `lr_psnr`), `z_rms`,
            `gradient_norm`, `learning_rate`; means over all ranks.
        skipped: True if a value was not finite and nothing was changed.
    """

    values: dict[str, float]
    skipped: bool


def _db(mean_square: float) -> float:
    return -10 * math.log10(max(mean_square, 1e-12)) if mean_square >= 0 else math.nan


def _in_decibels(numbers: dict[str, float]) -> dict[str, float]:
    """Convert mean squares of errors to PSNRs, and that of z to a root mean square."""
    for name in ("hr", "lr", "coded"):
        if f"{name}_mse" in numbers:
            numbers[f"{name}_psnr"] = _db(numbers.pop(f"{name}_mse"))
    if "z_square" in numbers:
        numbers["z_rms"] = max(numbers.pop("z_square"), 0.0) ** 0.5
    return numbers


def _widths(latent: Latent, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return the factor on the width of z for each of `count` crops."""
    if latent.draw != "mixed":
        return np.full(count, latent.draw_width)
    drawn = (np.arange(count) + rng.integers(2)) % 2
    return drawn * rng.uniform(0, latent.draw_width, count)


class Trainer:
    """Network with its average and its optimisers, and the update that one step makes.

    Args:
        objective: training objective, which holds the network.
        recipe: recipe of the run.
        seed: random seed of all draws.
        adversary: discriminator with its optimiser, if the recipe has an adversarial loss.
        ranks: position of this process among those of the run.

    Attributes:
        network: network with the live weights; latent_sigma of an invertible network follows the
            standard deviation of the forward z if z is drawn in units of that deviation.
        average: network with the exponential moving average of the weights, which is validated and
            saved.
        graph: the captured step, if steps are replayed from a CUDA graph.
    """

    def __init__(
        self,
        objective: Objective,
        recipe: Recipe,
        seed: int,
        *,
        adversary: DiscriminatorTrainer | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.recipe, self.seed, self.adversary = recipe, seed, adversary
        self.ranks = ranks or Ranks()
        self.objective = objective
        self.network: Network = objective.network.train().requires_grad_(True)
        self.device = next(self.network.parameters()).device
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.module: nn.Module = objective
        if self.ranks.count > 1:
            self.module = DistributedDataParallel(objective, broadcast_buffers=False)
        self.optimisers = Optimisers(self.network, recipe.optimiser)
        self._skips = torch.zeros(2, dtype=torch.int64, device=self.device)
        self.step = 0
        self.graph: CapturedStep | None = None

    @property
    def skipped(self) -> int:
        """Number of steps that were skipped because a loss or a gradient was not finite."""
        return int(self._skips[0])

    @property
    def skipped_in_a_row(self) -> int:
        """Number of steps that were skipped since the last one that was not."""
        return int(self._skips[1])

    def update(
        self, hr: torch.Tensor, target: torch.Tensor, share: float, *, measure: bool = True
    ) -> StepResult | None:
        """Take one step on this rank's crops.

        Args:
            hr: HR crops, [N, 3, H, W] in [0, 1].
            target: bicubic LR of the crops, or their luma.
            share: spent share of the budget, 0 to 1.
            measure: whether to return the measured values. On a GPU, this waits for the step.

        Returns:
            The measured values, or None. A step with non-finite values changes only the counters.

        Raises:
            UsageError: too many consecutive steps had non-finite values.
        """
        rate = self.recipe.optimiser.rate_at(self.step, share)
        draws = self._draws(hr, share)
        if self.adversary is not None and self.step < self.recipe.adversary.head_start:
            result: StepResult | None = self._head_start(hr, draws, rate)
        else:
            result = self._whole_step(hr, target, draws, share, rate, measure=measure)
        self.step += 1
        if result is not None and self.skipped_in_a_row >= MOST_SKIPPED:
            raise UsageError(
                f"the last {MOST_SKIPPED} steps had non-finite values: lower learning_rate (now "
                f"{self.recipe.optimiser.learning_rate:g}) or clip, or set precision=fp32"
            )
        return result

    def _whole_step(
        self,
        hr: torch.Tensor,
        target: torch.Tensor,
        draws: Draws,
        share: float,
        rate: float,
        *,
        measure: bool,
    ) -> StepResult | None:
        decay = min(self.recipe.optimiser.ema, (1 + self.step) / (10 + self.step))
        inputs = StepInputs(
            hr,
            target,
            draws,
            self._scalar(rate),
            self._scalar(1 - decay),
            torch.ones((), dtype=torch.bool, device=self.device),
        )
        outcome = self.graph.run(inputs, share) if self.graph else self.take(inputs, share)
        adversary_loss = None
        if self.adversary is not None and outcome.restored is not None and outcome.finite:
            factor = rate / self.recipe.optimiser.learning_rate
            adversary_loss = float(self.adversary.learn(hr, outcome.restored, factor))
        if not measure:
            return None
        values = _in_decibels(dict(zip(outcome.names, outcome.values.tolist(), strict=True)))
        values["learning_rate"] = rate
        if adversary_loss is not None:
            values["adversary_loss"] = adversary_loss
        return StepResult(values, skipped=not outcome.finite)

    def _scalar(self, value: float) -> torch.Tensor:
        """Return a number as a tensor where the optimisers want it."""
        if self.device.type == "cuda":
            return torch.tensor(value, pin_memory=True).to(self.device, non_blocking=True)
        return torch.tensor(value, dtype=torch.float64)

    def take(self, inputs: StepInputs, share: float) -> Outcome:
        """Compute loss and gradients, and update weights, average and counters.

        On a GPU, this neither waits for the device nor lets values decide what is run, so that it
        can be captured in a CUDA graph.

        Args:
            inputs: inputs of the step.
            share: spent share of the budget, of which only the phase of the loss depends.
        """
        fused = self.objective.fused
        if fused is not None:
            fused.update()
        loss, parts = self.module(inputs.hr, inputs.target, inputs.draws, share)
        self.network.zero_grad(set_to_none=True)
        loss.backward()
        if fused is not None:
            fused.store_gradients()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimiser.clip)
        sigma, restored = parts.pop("sigma", None), parts.pop("restored", None)
        parts = {"loss": loss.detach(), "gradient_norm": norm, **parts}
        values = self.ranks.mean(torch.stack([value.float() for value in parts.values()]))
        finite = values[:2].isfinite().all()
        changing = finite & inputs.enabled
        self.optimisers.step(inputs.rate, changing)
        self._follow_sigma(sigma, changing)
        self._follow_average(inputs.average_weight, changing)
        self._count(finite, inputs.enabled)
        return Outcome(tuple(parts), values, finite, restored)

    def _count(self, finite: torch.Tensor, enabled: torch.Tensor) -> None:
        skipped = (~finite).long()
        counted = torch.stack((self._skips[0] + skipped, (self._skips[1] + 1) * skipped))
        self._skips.copy_(torch.where(enabled, counted, self._skips))

    def _head_start(self, hr: torch.Tensor, draws: Draws, rate: float) -> StepResult:
        """Train only the discriminator."""
        assert self.adversary is not None  # noqa: S101
        assert isinstance(self.objective, RescalingObjective)  # noqa: S101
        with torch.no_grad():
            restored = self.objective.restore(hr, draws).image
        factor = rate / self.recipe.optimiser.learning_rate
        loss = self.ranks.mean(self.adversary.learn(hr, restored, factor))
        finite = loss.isfinite()
        self._count(finite, torch.ones_like(finite))
        values = {"loss": float(loss), "adversary_loss": float(loss), "learning_rate": 0.0}
        return StepResult(values, skipped=not finite)

    def _draws(self, hr: torch.Tensor, share: float) -> Draws:
        """Draw the random numbers of this step, which depend only on seed, step and rank."""
        rng = np.random.default_rng((self.seed, self.step, self.ranks.rank, 1))
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**31)))

        def normal(channels: int, reduction: int) -> torch.Tensor:
            shape = (hr.shape[0], channels, hr.shape[2] // reduction, hr.shape[3] // reduction)
            return torch.randn(shape, generator=generator, device=self.device)

        latent, codec = self.recipe.latent, self.recipe.codec
        noisy = rng.random() < codec.noise_chance
        qualities = rng.integers(codec.jpeg_least, codec.jpeg_most + 1, size=hr.shape[0])
        z = noise = None
        if isinstance(self.network, InvertibleNetwork):
            config = self.network.config
            if latent.drawn_at(share):
                widths = torch.from_numpy(_widths(latent, rng, hr.shape[0])).float().to(self.device)
                z = widths.view(-1, 1, 1, 1) * normal(config.latent_channels, config.reduction)
            noise = normal(config.image_channels, config.scale) if noisy else None
        return Draws(z, noise, qualities.tolist() if codec.jpeg_least else None)

    def _follow_sigma(self, measured: torch.Tensor | None, changing: torch.Tensor) -> None:
        if measured is None or self.recipe.latent.draw not in ("own", "mixed"):
            return
        assert isinstance(self.network, InvertibleNetwork)  # noqa: S101
        sigma = self.network.latent_sigma
        sigma.lerp_(torch.where(changing, self.ranks.mean(measured), sigma), 1 - SIGMA_DECAY)

    @torch.no_grad()
    def _follow_average(self, weight: torch.Tensor, changing: torch.Tensor) -> None:
        mean, live = (list(n.state_dict().values()) for n in (self.average, self.network))
        moves = torch._foreach_sub(live, mean)
        torch._foreach_mul_(moves, (weight * changing).float())
        torch._foreach_add_(mean, moves)

    def state(self) -> dict[str, Any]:
        """Return everything that the next step depends on, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": self.optimisers.state(),
            # Saved runs have this key.
            "opponent": self.adversary.state() if self.adversary else {},
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load a state that `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimisers.restore(state["optimisers"])
        if self.adversary is not None:
            self.adversary.restore(state["opponent"])
        self.step = int(state["step"])
        self._skips.copy_(torch.tensor([state["skipped"], state["skipped_in_a_row"]]))
