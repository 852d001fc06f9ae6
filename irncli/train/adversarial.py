"""Adversary of IRN+: a VGG-style discriminator that tells restored images from real ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from irncli.train.sections import Adversary

__all__ = ["Discriminator", "DiscriminatorTrainer"]

_WIDTHS = (64, 128, 256, 512, 512)


class Discriminator(nn.Module):
    """VGG-128: pairs of convolutions that halve the size, followed by two linear layers.

    Maps [N, 3, H, W], with H and W from 128 to 159, to one logit per image, [N, 1], which is high
    for real images.

    Source: ESRGAN, section 3; the reference implementation of IRN+.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not layers))
            if len(layers) > 1:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            layers += [
                nn.Conv2d(width, width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.judge = nn.Sequential(
            nn.Linear(channels * 4 * 4, 100), nn.LeakyReLU(0.2, inplace=True), nn.Linear(100, 1)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return one logit per image, [N, 1]."""
        return self.judge(self.features(images).flatten(1))  # type: ignore[no-any-return]


def _against(logits: torch.Tensor, verdict: float) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, verdict))


class DiscriminatorTrainer:
    """Discriminator together with its optimiser.

    Losses:

        discriminator   BCE(D(real), 1) + BCE(D(restored), 0)
        network         BCE(D(restored), 1)

    Args:
        config: adversary section of the recipe.
        device: device that holds the discriminator.
        parallel: True if several ranks train the discriminator together.
    """

    def __init__(self, config: Adversary, device: torch.device, *, parallel: bool) -> None:
        self.config = config
        self.discriminator = Discriminator().to(device)
        self.module: nn.Module = self.discriminator
        if parallel:
            # Broadcast buffers would be overwritten between the two forward passes of `learn`.
            self.module = DistributedDataParallel(self.discriminator, broadcast_buffers=False)
        betas = (0.9, config.adversary_beta2)
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.adversary_rate, betas=betas
        )

    def loss_of(self, restored: torch.Tensor) -> torch.Tensor:
        """Return the adversarial loss of the network, BCE(D(restored), 1); D is frozen."""
        self.discriminator.requires_grad_(False)
        return _against(self.discriminator(restored), 1.0)

    def learn(self, real: torch.Tensor, restored: torch.Tensor, factor: float) -> torch.Tensor:
        """Train the discriminator for one step and return its loss.

        Args:
            real: original images, [N, 3, H, W].
            restored: restored images, [N, 3, H, W].
            factor: factor on the learning rate of the discriminator.
        """
        self.discriminator.requires_grad_(True)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.adversary_rate * factor
        # Two passes, as in the reference, keep the batch statistics of real and restored apart.
        loss = _against(self.module(real), 1.0) + _against(self.module(restored.detach()), 0.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        # The gradients are already averaged over ranks, so all ranks take the same decision.
        norm = nn.utils.clip_grad_norm_(self.discriminator.parameters(), float("inf"))
        if bool(torch.isfinite(norm)):
            self.optimiser.step()
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """Return the state that is needed to resume."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load a state that `state` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])
