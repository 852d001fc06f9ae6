"""The adversary of IRN+: a VGG-style discriminator that tells restored images from real ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from irncli.train.sections import Adversary

__all__ = ["Discriminator", "Opponent"]

_WIDTHS = (64, 128, 256, 512, 512)


class Discriminator(nn.Module):
    """VGG-128: pairs of convolutions, each pair halving the size, then two linear layers.

    [N, 3, H, W] with H and W from 128 to 159 to one logit an image [N, 1]: high for real ones.

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
        """A logit for each image."""
        return self.judge(self.features(images).flatten(1))  # type: ignore[no-any-return]


def _against(logits: torch.Tensor, verdict: float) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, verdict))


class Opponent:
    """A discriminator with its optimiser.

        discriminator   BCE(D(real), 1) + BCE(D(restored), 0)
        network         BCE(D(restored), 1)

    Args:
        config: rates.
        device: where it learns.
        parallel: several ranks learn it together.
    """

    def __init__(self, config: Adversary, device: torch.device, *, parallel: bool) -> None:
        self.config = config
        self.discriminator = Discriminator().to(device)
        self.module: nn.Module = self.discriminator
        if parallel:
            # Two passes before one backward: buffers must not be overwritten in between.
            self.module = DistributedDataParallel(self.discriminator, broadcast_buffers=False)
        betas = (0.9, config.adversary_beta2)
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.adversary_rate, betas=betas
        )

    def loss_of(self, restored: torch.Tensor) -> torch.Tensor:
        """What the network is to lessen: restored images taken for restored ones."""
        self.discriminator.requires_grad_(False)
        return _against(self.discriminator(restored), 1.0)

    def learn(self, real: torch.Tensor, restored: torch.Tensor, factor: float) -> torch.Tensor:
        """One step of the discriminator; `factor` on its learning rate. Returns its loss."""
        self.discriminator.requires_grad_(True)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.adversary_rate * factor
        # In two passes, as the reference does: batch statistics of real and restored stay apart.
        loss = _against(self.module(real), 1.0) + _against(self.module(restored.detach()), 0.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        # The norm of the averaged gradients: so that all ranks decide alike.
        norm = nn.utils.clip_grad_norm_(self.discriminator.parameters(), float("inf"))
        if bool(torch.isfinite(norm)):
            self.optimiser.step()
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """For resuming."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])
