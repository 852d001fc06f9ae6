"""A 3x3 convolution from columns of rows to other columns, with what follows it fused.

For each column tap dx, a program computes for its rows q, W + 1 rows being one line,

    P_dx[q] = sum over dy of A[q + (dy - 1) (W + 1)] w[dy, dx]

and the output is P_0[p - 1] + P_1[p] + P_2[p + 1]. So the program reads every row of A three times
instead of nine. Its first and last rows are only computed because their neighbours need them, and
are not stored. The input is in two parts, so that the blocks into which each is cut can be as large
as its width allows, and so that several dense blocks can share the first.

Importing this module imports Triton.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import triton
import triton.language as tl

from irncli.kernels.language import OPTIONS, multiply_add
from irncli.kernels.packing import GROWTH, HIDDEN
from irncli.kernels.plane import Plane
from irncli.kernels.tuning import Launch
from irncli.model.dense import SLOPE

__all__ = ["Convolution", "convolve"]

Epilogue = Literal["activate", "differentiate", "store"]

MOST_COLUMNS = 64
"""Largest number of output columns of one program: three float32 sums of each are in registers."""

_SLOPE = tl.constexpr(SLOPE)


@triton.jit
def _add_taps(
    sum_0: tl.tensor,
    sum_1: tl.tensor,
    sum_2: tl.tensor,
    source: tl.tensor,
    stride: tl.tensor,
    line: tl.tensor,
    weights: tl.tensor,
    weight_stride: tl.tensor,
    tap_stride: tl.tensor,
    channels: tl.tensor,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> tl.tensor:
    """Add what `channels` columns of the source contribute to P_0, P_1 and P_2.

    Args:
        sum_0: P_0 so far, [ROWS, COLUMNS].
        sum_1: P_1 so far.
        sum_2: P_2 so far.
        source: first element of the program's rows, in the first column to read.
        stride: elements from one row of the source to the next.
        line: rows from one line of an image to the next.
        weights: first weight for these columns, at tap 0.
        weight_stride: elements from one row of the weights to the next.
        tap_stride: elements from one tap of the weights to the next.
        channels: columns to read, a multiple of BLOCK.
        ROWS: rows of the program.
        BLOCK: columns to read at a time.
        COLUMNS: output columns of the program.
    """
    channel = tl.arange(0, BLOCK)
    at = tl.arange(0, ROWS)[:, None] * stride + channel[None, :]
    weight_at = channel[:, None] * weight_stride + tl.arange(0, COLUMNS)[None, :]
    blocks = channels // BLOCK
    for step in range(3 * blocks):
        dy = step // blocks
        begin = (step % blocks) * BLOCK
        a = tl.load(source + (dy - 1) * line * stride + begin + at)
        w = weights + 3 * dy * tap_stride + begin * weight_stride + weight_at
        sum_0 = multiply_add(a, tl.load(w), sum_0)
        sum_1 = multiply_add(a, tl.load(w + tap_stride), sum_1)
        sum_2 = multiply_add(a, tl.load(w + 2 * tap_stride), sum_2)
    return sum_0, sum_1, sum_2


@triton.jit
def _shifted_sum(
    sum_0: tl.tensor, sum_1: tl.tensor, sum_2: tl.tensor, ROWS: tl.constexpr, COLUMNS: tl.constexpr
) -> tl.tensor:
    """Return P_0[m - 1] + P_1[m] + P_2[m + 1]; the first and last rows are meaningless."""
    m = tl.arange(0, ROWS)
    before = tl.broadcast_to(tl.maximum(m - 1, 0)[:, None], (ROWS, COLUMNS))
    after = tl.broadcast_to(tl.minimum(m + 1, ROWS - 1)[:, None], (ROWS, COLUMNS))
    return tl.gather(sum_0, before, 0) + sum_1 + tl.gather(sum_2, after, 0)


@triton.jit(do_not_specialize=["rows", "lines", "line", "kept"])
def _convolve(
    first: tl.tensor,
    hidden: tl.tensor,
    stride: tl.tensor,
    hidden_step: tl.tensor,
    weights: tl.tensor,
    weight_stride: tl.tensor,
    weight_step: tl.tensor,
    out: tl.tensor,
    out_stride: tl.tensor,
    out_step: tl.tensor,
    activation: tl.tensor,
    activation_stride: tl.tensor,
    rows: tl.tensor,
    lines: tl.tensor,
    line: tl.tensor,
    first_count: tl.tensor,
    hidden_count: tl.tensor,
    kept: tl.tensor,
    EPILOGUE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    HIDDEN_BLOCK: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    """Convolve ROWS - 2 rows to COLUMNS columns: programs (rows, columns, dense block).

    Args:
        first: row 0 of the first part of the input; the guards around it are zero.
        hidden: row 0 of the second part.
        stride: elements from one row of the input to the next.
        hidden_step: elements from the second part for one dense block to that for the next.
        weights: [blocks, 9, first_count + hidden_count, all columns].
        weight_stride: elements from one row of the weights to the next.
        weight_step: elements from the weights of one dense block to those of the next.
        out: row 0 of the output, in its first column.
        out_stride: elements from one row of the output to the next.
        out_step: elements from the output of one dense block to that of the next.
        activation: row 0 of the hidden output whose gradient this is (`differentiate`).
        activation_stride: elements from one row of `activation` to the next.
        rows: rows of the plane.
        lines: lines of an image, including its border.
        line: rows of a line, including its border.
        first_count: columns of the first part, a multiple of BLOCK.
        hidden_count: columns of the second part, a multiple of HIDDEN_BLOCK.
        kept: columns that are stored (`store`); the others are padding.
        EPILOGUE: what follows the convolution, see `Convolution`.
        ROWS: rows of a program.
        BLOCK: columns of the first part that are read at a time.
        HIDDEN_BLOCK: columns of the second part that are read at a time.
        COLUMNS: output columns of a program.
    """
    block = tl.program_id(2)
    begin = tl.program_id(0) * (ROWS - 2) - 1
    # In 64 bits: with many megapixels, the last row is more than 2^31 elements from the first.
    begin_64 = begin.to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    first += begin_64 * stride
    hidden += begin_64 * stride + block * hidden_step
    weights += block * weight_step + tl.program_id(1) * COLUMNS
    tap_stride = (first_count + hidden_count) * weight_stride
    sum_0 = tl.zeros((ROWS, COLUMNS), tl.float32)
    sum_1 = tl.zeros((ROWS, COLUMNS), tl.float32)
    sum_2 = tl.zeros((ROWS, COLUMNS), tl.float32)
    # fmt: off
    sum_0, sum_1, sum_2 = _add_taps(
        sum_0, sum_1, sum_2, first, stride, line,
        weights, weight_stride, tap_stride, first_count, ROWS, BLOCK, COLUMNS,
    )
    sum_0, sum_1, sum_2 = _add_taps(
        sum_0, sum_1, sum_2, hidden, stride, line,
        weights + first_count * weight_stride, weight_stride, tap_stride, hidden_count,
        ROWS, HIDDEN_BLOCK, COLUMNS,
    )
    # fmt: on
    result = _shifted_sum(sum_0, sum_1, sum_2, ROWS, COLUMNS)

    m = tl.arange(0, ROWS)
    row = begin + m
    stored = ((m > 0) & (m < ROWS - 1) & (row < rows))[:, None]
    inside = ((row % line != line - 1) & ((row // line) % lines != lines - 1))[:, None]
    if EPILOGUE == "activate":
        result = tl.where(result > 0, result, _SLOPE * result)
    elif EPILOGUE == "differentiate":
        at = begin_64 * activation_stride + m[:, None] * activation_stride + column[None, :]
        value = tl.load(activation + at, mask=stored, other=0.0)
        result = tl.where(value.to(tl.float32) > 0, result, _SLOPE * result)
    else:
        stored = stored & (column < kept)[None, :]
    result = tl.where(inside, result, 0.0).to(out.dtype.element_ty)
    out += block * out_step + begin_64 * out_stride
    tl.store(out + m[:, None] * out_stride + column[None, :], result, mask=stored)


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution on one plane, of one dense block or of several that share the first part.

    The second part and the output of a block lie HIDDEN and `out_step` elements after those of the
    block before it.

    Attributes:
        first: first part of the input: rows [rows, columns] with zero guards.
        hidden: second part for the first block, a view of columns of the same buffer.
        weights: packed weights [blocks, 9, columns of both parts, output columns].
        out: output rows of the first block, [rows, columns].
        epilogue: `activate` (leaky ReLU), `differentiate` (times the derivative of the leaky ReLU
            where it gave `activation`) or `store` (as many columns as `out` has).
        activation: a hidden output, [rows, output columns].
        out_step: elements from the output of one block to that of the next.
    """

    first: torch.Tensor
    hidden: torch.Tensor
    weights: torch.Tensor
    out: torch.Tensor
    epilogue: Epilogue
    activation: torch.Tensor | None = None
    out_step: int = 0


def convolve(plane: Plane, job: Convolution, launch: Launch) -> None:
    """Run a convolution; the border rows of the output become zero."""
    blocks, _, _, made = job.weights.shape
    columns = min(made, MOST_COLUMNS)
    # An empty view has no address, and a kernel should get none that is not valid.
    hidden = job.hidden if job.hidden.shape[1] else job.first
    activation = job.out if job.activation is None else job.activation
    grid = (plane.programs(launch.rows), made // columns, blocks)
    with torch.cuda.device_of(job.out):
        _convolve[grid](
            job.first,
            hidden,
            job.first.stride(0),
            HIDDEN,
            job.weights,
            made,
            job.weights.stride(0),
            job.out,
            job.out.stride(0),
            job.out_step,
            activation,
            activation.stride(0),
            plane.rows,
            plane.lines,
            plane.line,
            job.first.shape[1],
            job.hidden.shape[1],
            job.out.shape[1],
            EPILOGUE=job.epilogue,
            ROWS=launch.rows,
            BLOCK=min(job.first.shape[1], 64),
            HIDDEN_BLOCK=GROWTH,
            COLUMNS=columns,
            **launch.options,
            **OPTIONS,
        )
