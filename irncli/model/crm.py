"""Compression restoration module: undoes what a codec did to the LR picture."""

from __future__ import annotations

import torch
from torch import nn

from irncli.config import CrmConfig
from irncli.model.dense import DenseBlock

__all__ = ["CompressionRestoration", "ResidualDenseTrunk"]

RESIDUAL_SCALE = 0.2


class _ResidualInResidual(nn.Module):
    """RRDB: three dense blocks, each a residual scaled by 0.2, inside one scaled by 0.2."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for k in (1, 2, 3):
            self.add_module(f"RDB{k}", DenseBlock(features, features, growth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for k in (1, 2, 3):
            out = out + RESIDUAL_SCALE * self.get_submodule(f"RDB{k}")(out)
        return x + RESIDUAL_SCALE * out


class ResidualDenseTrunk(nn.Sequential):
    """A chain of residual-in-residual dense blocks at one size."""

    def __init__(self, config: CrmConfig) -> None:
        blocks = (_ResidualInResidual(config.features, config.growth) for _ in range(config.blocks))
        super().__init__(*blocks)


class CompressionRestoration(nn.Module):
    """CRM: LR as the codec left it to LR as the network made it, [N, 3, H, W] both.

    No skip from input to output: the picture passes through the features.

    Source: IRN extensions, section 3.5.
    """

    def __init__(self, config: CrmConfig) -> None:
        super().__init__()
        self.config = config
        self.conv_first = nn.Conv2d(3, config.features, 3, padding=1)
        self.trunk = ResidualDenseTrunk(config)
        self.trunk_conv = nn.Conv2d(config.features, config.features, 3, padding=1)
        self.conv_last = nn.Conv2d(config.features, 3, 3, padding=1)

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        """Restore a coded LR picture; RGB in [0, 1] in, about [0, 1] out, not clamped."""
        features = self.conv_first(low)
        features = features + self.trunk_conv(self.trunk(features))
        return self.conv_last(features)  # type: ignore[no-any-return]
