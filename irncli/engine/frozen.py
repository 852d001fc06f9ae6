"""The inverse network with fixed weights, differentiable in its input only."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from irncli.model import InvertibleNetwork
from irncli.model.coupling import CouplingBlock
from irncli.model.dense import DenseBlock

__all__ = ["restored"]


class _FrozenConv(torch.autograd.Function):
    """3x3 convolution that does not save its input, since no gradient of the weights is needed."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(weight)
        return functional.conv2d(x, weight, bias, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return functional.conv_transpose2d(gradient, weight, padding=1), None, None


def _convolved(conv: torch.nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    weight, bias = conv.weight.to(x.dtype), conv.bias.to(x.dtype)  # type: ignore[union-attr]
    return _FrozenConv.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


def restored(
    network: InvertibleNetwork, low: torch.Tensor, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Return `network.inverse(low, 0)`, [1, 3, H, W], differentiable only in `low`.

    Dense blocks take a third of the memory that autograd would need with trainable weights.

    Args:
        network: network, whose weights are float32.
        low: LR, float32 [1, 3, h, w].
        dtype: dtype inside the dense blocks.
    """

    def dense(block: DenseBlock, x: torch.Tensor) -> torch.Tensor:
        return block.output(x.to(dtype), _convolved).to(x.dtype)

    height, width = (side // network.config.cell for side in low.shape[2:])
    z = low.new_zeros((1, network.config.latent_channels, height, width))
    state = network.join(low, z)
    for operation in reversed(network.chain):
        state = state.contiguous(memory_format=torch.channels_last)
        if isinstance(operation, CouplingBlock):
            state = operation.inverse(state, dense)
        else:
            state = operation.inverse(state)
    return state
