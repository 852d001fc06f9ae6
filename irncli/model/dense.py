"""The dense block: the learned function inside coupling blocks and the CRM."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

__all__ = ["REACH", "SLOPE", "Convolution", "DenseBlock"]

Convolve = Callable[[nn.Conv2d, torch.Tensor], torch.Tensor]
Concatenate = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

REACH = 5
"""Distance, in pixels, over which an output pixel of a dense block depends on the input."""

SLOPE = 0.2
"""Negative slope of the leaky ReLU."""


def _convolve(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return conv(x)  # type: ignore[no-any-return]


def _concatenate(features: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    return torch.cat((features, output), dim=1)


class Convolution(nn.Conv2d):
    """A 3x3 convolution with zero padding of 1, which preserves the size.

    On the meta device there is nothing to initialise, and the initialisers of torch would take most
    of the time of building a network whose weights are about to be loaded.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def reset_parameters(self) -> None:
        """Initialise as torch does by default, unless the weights are on the meta device."""
        if not self.weight.is_meta:
            super().reset_parameters()


class DenseBlock(nn.Module):
    """Five 3x3 convolutions, each of which reads the input and all earlier outputs.

        y_k = lrelu(conv_k([x, y_1, ..., y_(k-1)])),  k = 1..4;   out = conv_5([x, y_1, ..., y_4])

    Zero padding of 1 preserves the size. In a newly created block, the last convolution is zero and
    so is the output: a layer that adds this output starts as the identity.

    Attributes:
        autocast: dtype of the convolutions in training, bfloat16; None for the dtype of the input.
            Input and output are float32 in either case.

    Source: IRN, section 3.2; ESRGAN, section 3.1 for the residual use.
    """

    autocast: torch.dtype | None = None

    def __init__(self, in_channels: int, out_channels: int, growth: int = 32) -> None:
        super().__init__()
        for k in range(1, 6):
            outputs = growth if k < 5 else out_channels
            self.add_module(f"conv{k}", Convolution(in_channels + (k - 1) * growth, outputs))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise convolutions 1 to 4 by Xavier normal x 0.1, the fifth and biases to zero."""
        if self.convs[0].weight.is_meta:
            return
        for conv in self.convs[:-1]:
            nn.init.xavier_normal_(conv.weight, gain=0.1)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.convs[-1].weight)
        nn.init.zeros_(self.convs[-1].bias)  # type: ignore[arg-type]

    @property
    def convs(self) -> list[nn.Conv2d]:
        """The five convolutions in order."""
        return [self.get_submodule(f"conv{k}") for k in range(1, 6)]  # type: ignore[misc]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, in, H, W] to [N, out, H, W] of the same dtype."""
        if self.autocast is None:
            return self.output(x)
        with torch.autocast(x.device.type, dtype=self.autocast):
            return self.output(x).to(x.dtype)

    def output(
        self,
        x: torch.Tensor,
        convolve: Convolve = _convolve,
        concatenate: Concatenate = _concatenate,
    ) -> torch.Tensor:
        """Return the output in the dtype of `x`.

        Args:
            x: input, [N, in, H, W].
            convolve: function that applies a convolution.
            concatenate: function that joins features and the next output along the channels.
        """
        *hidden, last = self.convs
        features = x
        for conv in hidden:
            output = functional.leaky_relu(convolve(conv, features), SLOPE, inplace=True)
            features = concatenate(features, output)
        return convolve(last, features)
