"""The coupling block, which is invertible for any learned functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from irncli.model.dense import DenseBlock

__all__ = ["CouplingBlock", "log_scale"]

Evaluate = Callable[[DenseBlock, torch.Tensor], torch.Tensor]


def log_scale(h: torch.Tensor) -> torch.Tensor:
    """Return the log-scale s = 2 sigmoid(h) - 1 in (-1, 1): no block scales by more than e.

    It is computed as tanh(h / 2). On the CPU, the last values of a part of a tensor may get another
    last bit from torch.sigmoid than those before them, so its result depends on how the threads
    divide the tensor. That of torch.tanh does not.
    """
    return torch.tanh(h / 2)


def _evaluate(block: DenseBlock, x: torch.Tensor) -> torch.Tensor:
    return block(x)  # type: ignore[no-any-return]


class CouplingBlock(nn.Module):
    """Affine coupling of a low part a and a high part b (InvBlock of the paper).

        forward   a' = a + F(b);   s = 2 sigmoid(H(a')) - 1;   b' = b exp(s) + G(a')
        inverse   b = (b' - G(a')) exp(-s);                    a = a' - F(b)

    Law: inverse(forward(a, b)) = (a, b) up to rounding, for any weights.

    The channels of the state are [a, b]. A newly created block is the identity.

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
        """Map a state [N, a + b, H, W] to a state of the same shape."""
        a, b = state.split(self.split, dim=1)
        a = a + self.F(b)
        b = b * torch.exp(log_scale(self.H(a))) + self.G(a)
        return torch.cat((a, b), dim=1)

    def inverse(self, state: torch.Tensor, dense: Evaluate = _evaluate) -> torch.Tensor:
        """Undo `forward`, with F, G and H evaluated by `dense`."""
        a, b = state.split(self.split, dim=1)
        b = (b - dense(self.G, a)) * torch.exp(-log_scale(dense(self.H, a)))
        a = a - dense(self.F, b)
        return torch.cat((a, b), dim=1)
