"""The coupling block: invertible whatever its learned functions are."""

from __future__ import annotations

import torch
from torch import nn

from irncli.model.dense import DenseBlock

__all__ = ["CouplingBlock", "log_scale"]


def log_scale(h: torch.Tensor) -> torch.Tensor:
    """The log-scale s = 2 sigmoid(h) - 1 in (-1, 1): no block scales by more than e."""
    return torch.sigmoid(h).mul(2).sub(1)


class CouplingBlock(nn.Module):
    """Affine coupling of a low part a and a high part b (InvBlock of the paper).

        forward   a' = a + F(b);   s = 2 sigmoid(H(a')) - 1;   b' = b exp(s) + G(a')
        inverse   b = (b' - G(a')) exp(-s);                    a = a' - F(b)

    Law: inverse(forward(a, b)) = (a, b) up to rounding, for any weights.

    The state is channels [a, b]. Freshly made, the block is the identity.

    Source: IRN, section 3.2.
    """

    def __init__(self, channels: int, low_channels: int, growth: int = 32) -> None:
        super().__init__()
        high_channels = channels - low_channels
        self.split = (low_channels, high_channels)
        self.F = DenseBlock(high_channels, low_channels, growth)
        self.G = DenseBlock(low_channels, high_channels, growth)
        self.H = DenseBlock(low_channels, high_channels, growth)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """[N, a + b, H, W] to the same shape."""
        a, b = state.split(self.split, dim=1)
        a = a + self.F(b)
        b = b * torch.exp(log_scale(self.H(a))) + self.G(a)
        return torch.cat((a, b), dim=1)

    def inverse(self, state: torch.Tensor) -> torch.Tensor:
        """Undo `forward`."""
        a, b = state.split(self.split, dim=1)
        b = (b - self.G(a)) * torch.exp(-log_scale(self.H(a)))
        a = a - self.F(b)
        return torch.cat((a, b), dim=1)
