"""Construction of a trainer from a recipe and the files that the recipe names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from irncli.errors import CheckpointError
from irncli.model import CompressionRestoration, InvertibleNetwork, Network
from irncli.train.adversarial import DiscriminatorTrainer
from irncli.train.compute import prepare, will_be_fused
from irncli.train.fused import FusedPasses
from irncli.train.graph import CapturedStep
from irncli.train.objective import Objective, RescalingObjective, RestorationObjective
from irncli.train.parallel import Ranks
from irncli.train.perceptual import load_vgg19
from irncli.train.recipe import Recipe
from irncli.train.step import Trainer
from irncli.zoo.checkpoint import Checkpoint, read_checkpoint

__all__ = ["LoadedNetworks", "build_trainer", "load_networks"]


@dataclass(frozen=True, eq=False)
class LoadedNetworks:
    """Networks from files that a run needs, read before the run begins.

    Attributes:
        features: VGG19 features, for a recipe with features_weight.
        rescaler: frozen rescaling model of a CRM.
    """

    features: torch.nn.Module | None = None
    rescaler: Checkpoint | None = None

    @property
    def rescaling_network(self) -> InvertibleNetwork | None:
        """Rescaling network of a CRM, or None."""
        network = self.rescaler.network if self.rescaler else None
        return network if isinstance(network, InvertibleNetwork) else None


def load_networks(recipe: Recipe, locate: Callable[[str], Path]) -> LoadedNetworks:
    """Read the files that the recipe names.

    Args:
        recipe: recipe of the run.
        locate: function that returns the file of a model, given its name.

    Raises:
        IrnError: a file does not exist or does not hold what the recipe needs.
    """
    features = load_vgg19(recipe.loss.vgg19) if recipe.loss.features_weight else None
    if recipe.network.family != "crm":
        return LoadedNetworks(features)
    rescaler = read_checkpoint(locate(recipe.network.rescaler))
    network = rescaler.network
    fits = isinstance(network, InvertibleNetwork) and network.config.low_channels == 3
    if not fits or network.config.scale != recipe.network.scale:  # type: ignore[union-attr]
        raise CheckpointError(
            f"{recipe.network.rescaler} is not a rescaling model of x{recipe.network.scale}: "
            "set rescaler to one"
        )
    return LoadedNetworks(rescaler=rescaler)


def build_trainer(
    network: Network,
    recipe: Recipe,
    networks: LoadedNetworks,
    *,
    device: torch.device,
    seed: int,
    ranks: Ranks,
    say: Callable[[str], None],
) -> Trainer:
    """Return a trainer of `network` on the device, at step 0."""
    _place(network, device)
    adversary = None
    if recipe.loss.adversarial_weight:
        adversary = DiscriminatorTrainer(recipe.adversary, device, parallel=ranks.count > 1)
    objective: Objective
    if isinstance(network, CompressionRestoration):
        rescaler = networks.rescaling_network
        assert rescaler is not None  # noqa: S101 -- loaded
        _place(rescaler, device)
        prepare(rescaler, recipe.compute, device, say)
        objective = RestorationObjective(network, rescaler, recipe)
    else:
        features = networks.features.to(device) if networks.features else None
        objective = RescalingObjective(
            network, recipe, features, adversary.loss_of if adversary else None
        )
    trainer = Trainer(objective, recipe, seed, adversary=adversary, ranks=ranks)
    if isinstance(objective, RescalingObjective) and will_be_fused(network, recipe.compute):
        _fuse(trainer, objective, say)
    else:
        # Only now: the trainer has copied the network for the average, which stays in float32 and
        # without compilation, as it is validated and saved.
        prepare(network, recipe.compute, device, say)
    return trainer


def _fuse(trainer: Trainer, objective: RescalingObjective, say: Callable[[str], None]) -> None:
    """Train through the fused kernels, and replay steps from a CUDA graph where that is possible.

    Steps with a discriminator or a JPEG file decide on the CPU what comes next, and several ranks
    exchange gradients during the backward pass.
    """
    recipe = trainer.recipe
    reasons = {
        "several ranks": trainer.ranks.count > 1,
        "an adversarial loss": trainer.adversary is not None,
        "JPEG in the loop": recipe.codec.jpeg_least > 0,
    }
    against = [name for name, holds in reasons.items() if holds]
    dtype = torch.bfloat16 if recipe.compute.precision == "bf16" else torch.float16
    fused = FusedPasses(objective.network, dtype, collect=trainer.ranks.count == 1)
    objective.fused = fused
    if against:
        say(f"fused kernels, but no CUDA graph: the recipe has {' and '.join(against)}")
    else:
        trainer.graph = CapturedStep(trainer.take, recipe.loss.in_psnr_phase, fused.release, say)


def _place(network: torch.nn.Module, device: torch.device) -> None:
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
