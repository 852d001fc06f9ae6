"""The compression restoration module (CRM), which undoes the coding losses of an LR image."""

from __future__ import annotations

import torch
from torch import nn

from irncli.config import CrmConfig
from irncli.model.dense import Convolution, DenseBlock

__all__ = [
    "RESIDUAL_SCALE",
    "TABLE_FEATURES",
    "CompressionRestoration",
    "ResidualDenseTrunk",
    "ResidualInResidual",
    "describe_tables",
]

RESIDUAL_SCALE = 0.2

TABLE_FEATURES = 6
"""Number of values that describe the quantisation tables to a conditioned CRM."""


class ResidualInResidual(nn.Module):
    """RRDB: three dense blocks as residuals scaled by 0.2, inside a residual scaled by 0.2."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        for k in (1, 2, 3):
            self.add_module(f"RDB{k}", DenseBlock(features, features, growth))

    @property
    def dense_blocks(self) -> list[DenseBlock]:
        """The three dense blocks in order."""
        return [self.get_submodule(f"RDB{k}") for k in (1, 2, 3)]  # type: ignore[misc]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, features, H, W] to the same shape."""
        out = x
        for block in self.dense_blocks:
            out = out + RESIDUAL_SCALE * block(out)
        return x + RESIDUAL_SCALE * out


class ResidualDenseTrunk(nn.Sequential):
    """Chain of residual-in-residual dense blocks at one size."""

    def __init__(self, config: CrmConfig) -> None:
        blocks = (ResidualInResidual(config.features, config.growth) for _ in range(config.blocks))
        super().__init__(*blocks)


def describe_tables(tables: torch.Tensor) -> torch.Tensor:
    """Describe the coarseness of the quantisation of a JPEG file by values of the order of 1.

        log2 of the step, averaged over the low (u + v < 3), middle (< 7) and high frequencies
        of each table, divided by 8

    The description uses the tables rather than a quality setting, because every JPEG file contains
    its tables, whichever encoder wrote the file.

    Args:
        tables: luma and chroma quantisation steps in row order, [N, 2, 64], 1 to 255.

    Returns:
        Description of the tables, [N, TABLE_FEATURES].
    """
    frequency = torch.arange(8)[:, None] + torch.arange(8)
    bands = torch.stack((frequency < 3, (frequency >= 3) & (frequency < 7), frequency >= 7))
    weights = bands.flatten(1).to(tables.device, torch.float32)
    weights = weights / weights.sum(1, keepdim=True)
    return (torch.log2(tables.float()) @ weights.T).flatten(1) / 8


class CompressionRestoration(nn.Module):
    """CRM, which maps LR as decoded to LR as the network made it, both [N, 3, H, W].

        features = conv_first(low)
        out = conv_last(features + trunk_conv(trunk(features)))        (+ low, if residual)

    The paper's CRM has no skip from input to output: the image passes through the features. A
    residual CRM has this skip, and a newly created one is the identity. A conditioned CRM reads the
    description of the quantisation tables as additional, constant channels.

    Source: IRN extensions, section 3.5.
    """

    def __init__(self, config: CrmConfig) -> None:
        super().__init__()
        self.config = config
        channels = 3 + TABLE_FEATURES * config.conditioned
        self.conv_first = Convolution(channels, config.features)
        self.trunk = ResidualDenseTrunk(config)
        self.trunk_conv = Convolution(config.features, config.features)
        self.conv_last = Convolution(config.features, 3)
        if config.residual and not self.conv_last.weight.is_meta:
            nn.init.zeros_(self.conv_last.weight)
            nn.init.zeros_(self.conv_last.bias)  # type: ignore[arg-type]

    def forward(self, low: torch.Tensor, tables: torch.Tensor | None = None) -> torch.Tensor:
        """Restore a coded LR image.

        Args:
            low: decoded LR image, [N, 3, H, W], RGB in [0, 1].
            tables: quantisation steps, [N, 2, 64], 1 to 255; required by a conditioned CRM, ignored
                by others.

        Returns:
            Restored LR image, [N, 3, H, W], in about [0, 1] but not clamped.
        """
        described = None
        if self.config.conditioned:
            assert tables is not None, "a conditioned CRM needs the tables"  # noqa: S101
            described = describe_tables(tables)
        features = self.first(low, described)
        out: torch.Tensor = self.conv_last(features + self.trunk_conv(self.trunk(features)))
        return low + out if self.config.residual else out

    def first(self, low: torch.Tensor, described: torch.Tensor | None) -> torch.Tensor:
        """Return the first features of an image.

        Args:
            low: decoded LR image, [N, 3, H, W].
            described: description of the tables, [N, TABLE_FEATURES]; None if not conditioned.
        """
        if described is not None:
            planes = described[:, :, None, None].expand(-1, -1, *low.shape[2:])
            low = torch.cat((low, planes), dim=1)
        return self.conv_first(low)  # type: ignore[no-any-return]
