"""Training in the memory of one operation: activations are recomputed, not stored.

Every operation of an invertible network can compute its input from its output. The forward pass
therefore stores only the last output. The backward pass walks the chain from there: for each
operation, it inverts the operation, runs it again with gradients, and collects them. At the cost of
one more pass over the network, memory no longer grows with depth.

Source: Gomez et al., "The Reversible Residual Network", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from irncli.model import InvertibleNetwork
from irncli.model.irn import Operation

__all__ = ["forward", "inverse"]


def forward(network: InvertibleNetwork, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute `network(x)`, with the same values and, up to rounding, the same gradients."""
    return network.split(_run(x, network.chain, False))


def inverse(network: InvertibleNetwork, low: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Compute `network.inverse(low, z)`, with the same values and, up to rounding, gradients."""
    return _run(network.join(low, z), network.chain[::-1], True)


def _run(x: torch.Tensor, operations: Sequence[Operation], undo: bool) -> torch.Tensor:
    parameters = [p for operation in operations for p in operation.parameters()]
    return _Chain.apply(x, operations, undo, *parameters)  # type: ignore[no-any-return, no-untyped-call]


def _apply(operation: Operation, x: torch.Tensor, undo: bool) -> torch.Tensor:
    return operation.inverse(x) if undo else operation(x)


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        operations: Sequence[Operation],
        undo: bool,
        *parameters: torch.nn.Parameter,  # noqa: ARG004 -- registered with autograd
    ) -> torch.Tensor:
        for operation in operations:
            x = _apply(operation, x, undo)
        ctx.operations, ctx.undo = operations, undo
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (output,) = ctx.saved_tensors
        gradients: list[torch.Tensor] = []
        for operation in reversed(ctx.operations):
            with torch.no_grad():
                x = _apply(operation, output, not ctx.undo)
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                again = _apply(operation, x, ctx.undo)
                own = list(operation.parameters())
                gradient, *others = torch.autograd.grad(again, [x, *own], gradient)
            gradients = [*others, *gradients]
            output = x.detach()
        return gradient, None, None, *gradients
