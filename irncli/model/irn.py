"""The invertible network: a chain of transforms and coupling blocks.

Notation: x is the image (HR, or RGB for colour), low the small or gray image, z the latent, and
state the channels [low, high] between two operations.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from irncli.config import InvertibleConfig
from irncli.model.coupling import CouplingBlock
from irncli.model.transforms import Transform, build_transform

__all__ = ["InvertibleNetwork", "Operation"]

Operation = Transform | CouplingBlock


class InvertibleNetwork(nn.Module):
    """IRN, IRN-LD, IRN-E and IRN-color, all built from their levels.

        forward(x) = (low, z);   inverse(low, z) = x

    Law: inverse(*forward(x)) = x up to rounding, for any weights.

    Attributes:
        config: architecture of the network.
        operations: transforms and coupling blocks in forward order.
        latent_sigma: width of z per channel, [latent_channels]; 1 until measured.

    Source: IRN (ECCV 2020) and its extensions (IJCV 2022).
    """

    latent_sigma: torch.Tensor

    def __init__(self, config: InvertibleConfig) -> None:
        super().__init__()
        self.config = config
        self.operations = nn.ModuleList()
        channels = 3
        for level in config.levels:
            self.operations.append(build_transform(level))
            channels *= level.factor**2
            for _ in range(level.blocks):
                block = CouplingBlock(channels, config.low_channels, config.growth)
                self.operations.append(block)
        self.register_buffer("latent_sigma", torch.ones(config.latent_channels))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split an image into its low part and z.

        Args:
            x: image [N, 3, H, W], RGB in [0, 1]; H and W are multiples of the reduction.

        Returns:
            The low part [N, image_channels, H/scale, W/scale], neither clamped nor quantised, and
            z [N, latent_channels, H/reduction, W/reduction].
        """
        for operation in self.chain:
            x = operation(x)
        return self.split(x)

    def inverse(self, low: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Restore the image from a low part and z, with shapes as in `forward`."""
        x = self.join(low, z)
        for operation in reversed(self.chain):
            x = operation.inverse(x)
        return x

    def split(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split the state after the last operation into low, as an image, and z."""
        low, z = state.split((self.config.low_channels, self.config.latent_channels), dim=1)
        return functional.pixel_shuffle(low, self.config.cell), z

    def join(self, low: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Undo `split`."""
        return torch.cat((functional.pixel_unshuffle(low, self.config.cell), z), dim=1)

    @property
    def chain(self) -> list[Operation]:
        """The operations in forward order."""
        return cast("list[Operation]", list(self.operations))
