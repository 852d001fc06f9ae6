"""Dense blocks by the fused kernels, with their gradients.

Rows are those of `Plane`: `[rows, channels]`, float32. What the border rows of an input or of an
incoming gradient hold does not matter if it is finite; those of an output or of a returned gradient
are zero. Inside, the operands of products are float16 or bfloat16, and all sums are float32.

Importing this module imports Triton.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from irncli.kernels.convolution import Convolution, convolve
from irncli.kernels.packing import GROWTH, HIDDEN, PackedBlocks, Widths, unpack_gradient
from irncli.kernels.plane import Plane
from irncli.kernels.tuning import Tuning, default_tuning
from irncli.kernels.weight_gradient import weight_gradient

__all__ = ["dense", "evaluate", "feature_buffer", "gradient_buffer"]


@torch.no_grad()
def evaluate(
    packed: PackedBlocks,
    x: torch.Tensor,
    plane: Plane,
    tuning: Tuning | None = None,
    features: torch.Tensor | None = None,
) -> torch.Tensor:
    """Run dense blocks on the same input, without gradients.

    Args:
        packed: weights of one or more blocks.
        x: input rows, [rows, inputs].
        plane: the plane of the rows.
        tuning: launches; None for the default of the shape.
        features: buffer that `feature_buffer` returned for this plane, to be overwritten; None for
            a new one.

    Returns:
        Output rows, float32 [blocks, rows, outputs].
    """
    w, blocks = packed.widths, len(packed.blocks)
    tuning = tuning or _default(plane, w)
    if features is None:
        features = feature_buffer(packed, plane)
    _fill(features, w.one, x)
    out = torch.empty(blocks, plane.rows, w.outputs, dtype=torch.float32, device=x.device)
    for group in _groups(blocks, tuning):
        first = features[:, : w.padded_inputs]
        hidden = features[:, w.padded_inputs + HIDDEN * group.start :]
        for k in range(4):
            job = Convolution(
                first=first,
                hidden=hidden[:, : GROWTH * k],
                weights=packed.forward[k][group],
                out=hidden[:, GROWTH * k : GROWTH * (k + 1)],
                out_step=HIDDEN,
                epilogue="activate",
            )
            convolve(plane, job, tuning.convolution)
        job = Convolution(
            first=first,
            hidden=hidden[:, :HIDDEN],
            weights=packed.forward[4][group],
            out=out[group.start],
            out_step=out.stride(0),
            epilogue="store",
        )
        convolve(plane, job, tuning.convolution)
    return out


def feature_buffer(packed: PackedBlocks, plane: Plane) -> torch.Tensor:
    """Return rows for the features of blocks: X of packing.py, with hidden outputs of each block.

    A buffer can be used again for the same plane and blocks, which saves clearing it.
    """
    w = packed.widths
    device = packed.backward_input.device
    columns = w.padded_inputs + HIDDEN * len(packed.blocks)
    features = plane.zeros(columns, packed.dtype, device)
    features[:, w.one : w.one + 1] = plane.inside(device)
    return features


def gradient_buffer(packed: PackedBlocks, plane: Plane) -> torch.Tensor:
    """Return rows for the gradients at all outputs of a block: D of packing.py.

    Backward passes on the same plane, of all blocks with the same widths, can use one buffer.
    """
    device = packed.backward_input.device
    return plane.zeros(packed.widths.gradient_columns, packed.dtype, device)


def dense(
    packed: PackedBlocks,
    x: torch.Tensor,
    plane: Plane,
    tuning: Tuning | None = None,
    features: torch.Tensor | None = None,
    gradients: torch.Tensor | None = None,
) -> torch.Tensor:
    """Run one dense block, with gradients for the input and for the parameters of the block.

    `packed` must be up to date with these parameters. Neither it nor `features` may change between
    this call and the backward pass.

    Args:
        packed: weights of one block.
        x: input rows, [rows, inputs].
        plane: the plane of the rows.
        tuning: launches; None for the default of the shape.
        features: buffer that `feature_buffer` returned, to be overwritten; None for a new one.
        gradients: buffer that `gradient_buffer` returned, to be overwritten in the backward pass;
            None for a new one.

    Returns:
        Output rows, float32 [rows, outputs].
    """
    if len(packed.blocks) != 1:
        raise ValueError(f"{len(packed.blocks)} blocks, expected one")
    parameters = [p for conv in packed.blocks[0].convs for p in (conv.weight, conv.bias)]
    call = _Call(packed, plane, tuning or _default(plane, packed.widths), features, gradients)
    return _Dense.apply(x, call, *parameters)  # type: ignore[no-any-return, no-untyped-call]


@dataclass(frozen=True)
class _Call:
    """What a call of `dense` keeps for its backward pass, apart from tensors."""

    packed: PackedBlocks
    plane: Plane
    tuning: Tuning
    features: torch.Tensor | None
    gradients: torch.Tensor | None


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        call: _Call,
        *parameters: torch.nn.Parameter,  # noqa: ARG004 -- registered with autograd
    ) -> torch.Tensor:
        features = call.features
        if features is None:
            features = feature_buffer(call.packed, call.plane)
        out = evaluate(call.packed, x, call.plane, call.tuning, features)[0]
        ctx.call = call
        ctx.save_for_backward(features)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        call: _Call = ctx.call
        (features,) = ctx.saved_tensors
        gradients = call.gradients
        if gradients is None:
            gradients = gradient_buffer(call.packed, call.plane)
        _hidden_gradients(call, gradient, features, gradients)
        of_input = _input_gradient(call, gradients) if ctx.needs_input_grad[0] else None
        of_parameters: list[torch.Tensor | None] = [None] * 10
        if any(ctx.needs_input_grad[2:]):
            widths = call.packed.widths
            total = weight_gradient(call.plane, features, gradients, widths, call.tuning)
            if call.packed.gradient is not None:
                call.packed.gradient[0] += total
            else:
                of_parameters = [*unpack_gradient(total, widths)]
        return of_input, None, *of_parameters


def _hidden_gradients(
    call: _Call, gradient: torch.Tensor, features: torch.Tensor, found: torch.Tensor
) -> None:
    """Compute D of packing.py from the gradient of the output."""
    w = call.packed.widths
    torch.mul(gradient, features[:, w.one : w.one + 1], out=found[:, : w.outputs])
    for j in (3, 2, 1, 0):
        job = Convolution(
            first=found[:, : w.padded_outputs],
            hidden=found[:, w.padded_outputs : w.fed(j)],
            weights=call.packed.backward[j],
            out=found[:, w.gradient(j)],
            epilogue="differentiate",
            activation=features[:, w.hidden(j)],
        )
        convolve(call.plane, job, call.tuning.convolution)


def _input_gradient(call: _Call, gradients: torch.Tensor) -> torch.Tensor:
    """Compute the gradient of the input from D."""
    w = call.packed.widths
    found = gradients.new_empty(call.plane.rows, w.inputs, dtype=torch.float32)
    job = Convolution(
        first=gradients[:, : w.padded_outputs],
        hidden=gradients[:, w.padded_outputs :],
        weights=call.packed.backward_input,
        out=found,
        epilogue="store",
    )
    convolve(call.plane, job, call.tuning.convolution)
    return found


def _fill(features: torch.Tensor, one: int, x: torch.Tensor) -> None:
    """Copy input rows to the features, with zeros in the border."""
    torch.mul(x, features[:, one : one + 1], out=features[:, : x.shape[1]])


def _groups(blocks: int, tuning: Tuning) -> Iterator[slice]:
    """Yield the blocks that run in the same launches."""
    size = blocks if tuning.together else 1
    return (slice(start, start + size) for start in range(0, blocks, size))


def _default(plane: Plane, widths: Widths) -> Tuning:
    return default_tuning(plane.rows, max(widths.padded_inputs, widths.padded_outputs))
