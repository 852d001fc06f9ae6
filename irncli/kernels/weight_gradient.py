"""The weight gradient of a dense block: X^T D for each tap, summed over the pixels.

    G[tap, i, o] = sum over p of X[p + offset(tap), i] D[p, o]

holds the gradients of all five convolutions (see packing.py), and blocks that belong to none:
hidden output y_j is not read by convolutions 0 to j, so 10 of the 16 pairs of a hidden output and a
hidden gradient are of no use. Which kernel computes G is a choice:

- `whole` computes all of G, one tap per program;
- `triangle` leaves out the blocks that belong to no convolution;
- `tiles` computes rectangles of G, three taps per program, for any number of channels.

The rows are split among programs, which add their sums to G atomically. The order of these
additions varies, and so does the last bit of the result.

Importing this module imports Triton.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import triton
import triton.language as tl

from irncli.kernels.language import OPTIONS, multiply_add
from irncli.kernels.packing import GROWTH, HIDDEN, TAPS, Widths
from irncli.kernels.plane import Plane
from irncli.kernels.tiles import tiles
from irncli.kernels.tuning import Tuning

__all__ = ["MOST_CHANNELS_AT_ONCE", "weight_gradient"]

MOST_CHANNELS_AT_ONCE = 64
"""Largest padded number of channels for the kernels `whole` and `triangle`."""

_HIDDEN, _GROWTH = tl.constexpr(HIDDEN), tl.constexpr(GROWTH)


@triton.jit
def _columns(
    at: tl.tensor, row: tl.tensor, stride: tl.tensor, inside: tl.tensor, COUNT: tl.constexpr
) -> tl.tensor:
    """Load COUNT columns of rows, [rows, COUNT], with zeros in place of rows not inside."""
    pointers = at + row[:, None] * stride + tl.arange(0, COUNT)[None, :]
    return tl.load(pointers, mask=inside[:, None], other=0.0)


@triton.jit
def _add(
    at: tl.tensor, stride: tl.tensor, values: tl.tensor, ROWS: tl.constexpr, COLUMNS: tl.constexpr
) -> None:
    """Add a block of values to memory."""
    pointers = at + tl.arange(0, ROWS)[:, None] * stride + tl.arange(0, COLUMNS)[None, :]
    tl.atomic_add(pointers, values, sem="relaxed")


@triton.jit(do_not_specialize=["rows", "line", "share"])
def _all_columns(
    features: tl.tensor,
    feature_stride: tl.tensor,
    gradients: tl.tensor,
    gradient_stride: tl.tensor,
    total: tl.tensor,
    total_stride: tl.tensor,
    rows: tl.tensor,
    line: tl.tensor,
    share: tl.tensor,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    ROWS: tl.constexpr,
    TRIANGLE: tl.constexpr,
) -> None:
    """Add to G what `share` rows contribute: programs (tap, share of the rows).

    With TRIANGLE, of the 4 x 4 blocks of hidden outputs and hidden gradients only the six that
    convolutions have are computed: (y_0, y_1) x (d_3, d_2), y_0 x d_1 and y_2 x d_3. These columns
    are read again, because Triton cannot cut the values that it has already.
    """
    tap = tl.program_id(0)
    begin = tl.program_id(1) * share
    features += begin.to(tl.int64) * feature_stride
    features += ((tap // 3 - 1) * line + tap % 3 - 1) * feature_stride
    gradients += begin.to(tl.int64) * gradient_stride
    input_output = tl.zeros((INPUTS, OUTPUTS), tl.float32)
    input_hidden = tl.zeros((INPUTS, _HIDDEN), tl.float32)
    hidden_output = tl.zeros((_HIDDEN, OUTPUTS), tl.float32)
    if TRIANGLE:
        square = tl.zeros((2 * _GROWTH, 2 * _GROWTH), tl.float32)
        upper = tl.zeros((_GROWTH, _GROWTH), tl.float32)
        lower = tl.zeros((_GROWTH, _GROWTH), tl.float32)
    else:
        square = tl.zeros((_HIDDEN, _HIDDEN), tl.float32)
    x, x_stride, y = features, feature_stride, features + INPUTS
    d, d_stride, e = gradients, gradient_stride, gradients + OUTPUTS
    for step in range(0, share, ROWS):
        row = step + tl.arange(0, ROWS)
        inside = begin + row < rows
        x_input = tl.trans(_columns(x, row, x_stride, inside, INPUTS))
        x_hidden = tl.trans(_columns(y, row, x_stride, inside, _HIDDEN))
        d_output = _columns(d, row, d_stride, inside, OUTPUTS)
        d_hidden = _columns(e, row, d_stride, inside, _HIDDEN)
        input_output = multiply_add(x_input, d_output, input_output)
        input_hidden = multiply_add(x_input, d_hidden, input_hidden)
        hidden_output = multiply_add(x_hidden, d_output, hidden_output)
        if TRIANGLE:
            y_01 = tl.trans(_columns(y, row, x_stride, inside, 2 * _GROWTH))
            d_32 = _columns(e, row, d_stride, inside, 2 * _GROWTH)
            square = multiply_add(y_01, d_32, square)
            y_0 = tl.trans(_columns(y, row, x_stride, inside, _GROWTH))
            d_1 = _columns(e + 2 * _GROWTH, row, d_stride, inside, _GROWTH)
            upper = multiply_add(y_0, d_1, upper)
            y_2 = tl.trans(_columns(y + 2 * _GROWTH, row, x_stride, inside, _GROWTH))
            d_3 = _columns(e, row, d_stride, inside, _GROWTH)
            lower = multiply_add(y_2, d_3, lower)
        else:
            square = multiply_add(x_hidden, d_hidden, square)
    total += tap * (INPUTS + _HIDDEN) * total_stride
    below = total + INPUTS * total_stride
    _add(total, total_stride, input_output, INPUTS, OUTPUTS)
    _add(total + OUTPUTS, total_stride, input_hidden, INPUTS, _HIDDEN)
    _add(below, total_stride, hidden_output, _HIDDEN, OUTPUTS)
    below += OUTPUTS
    if TRIANGLE:
        _add(below, total_stride, square, 2 * _GROWTH, 2 * _GROWTH)
        _add(below + 2 * _GROWTH, total_stride, upper, _GROWTH, _GROWTH)
        _add(below + 2 * _GROWTH * total_stride, total_stride, lower, _GROWTH, _GROWTH)
    else:
        _add(below, total_stride, square, _HIDDEN, _HIDDEN)


@triton.jit(do_not_specialize=["rows", "line", "share"])
def _tile(
    features: tl.tensor,
    feature_stride: tl.tensor,
    gradients: tl.tensor,
    gradient_stride: tl.tensor,
    total: tl.tensor,
    total_stride: tl.tensor,
    tap_stride: tl.tensor,
    corners: tl.tensor,
    rows: tl.tensor,
    line: tl.tensor,
    share: tl.tensor,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
) -> None:
    """Add to one tile of G, for three taps: programs (line of taps dy, tile, share of the rows).

    With q = p + dx - 1, the sum is over X[q + (dy - 1) line]^T D[q + 1 - dx]: a row of X is read
    once for the three taps, and the three rows of D are neighbours. For q = -1 and q = `rows`, the
    row of X is a border, so q runs from 0 to `rows` - 1 as p does.
    """
    dy = tl.program_id(0)
    # Without this hint, loads would be narrow, and not run ahead of the products.
    first_row = tl.multiple_of(tl.load(corners + 2 * tl.program_id(1)), 16)
    first_column = tl.multiple_of(tl.load(corners + 2 * tl.program_id(1) + 1), 16)
    begin = tl.program_id(2) * share
    features += begin.to(tl.int64) * feature_stride + (dy - 1) * line * feature_stride + first_row
    gradients += begin.to(tl.int64) * gradient_stride + first_column
    sum_0 = tl.zeros((HEIGHT, WIDTH), tl.float32)
    sum_1 = tl.zeros((HEIGHT, WIDTH), tl.float32)
    sum_2 = tl.zeros((HEIGHT, WIDTH), tl.float32)
    for step in range(0, share, ROWS):
        row = step + tl.arange(0, ROWS)
        inside = begin + row < rows
        x = tl.trans(_columns(features, row, feature_stride, inside, HEIGHT))
        after = _columns(gradients, row + 1, gradient_stride, inside, WIDTH)
        same = _columns(gradients, row, gradient_stride, inside, WIDTH)
        before = _columns(gradients, row - 1, gradient_stride, inside, WIDTH)
        sum_0 = multiply_add(x, after, sum_0)
        sum_1 = multiply_add(x, same, sum_1)
        sum_2 = multiply_add(x, before, sum_2)
    total += 3 * dy * tap_stride + first_row * total_stride + first_column
    _add(total, total_stride, sum_0, HEIGHT, WIDTH)
    _add(total + tap_stride, total_stride, sum_1, HEIGHT, WIDTH)
    _add(total + 2 * tap_stride, total_stride, sum_2, HEIGHT, WIDTH)


def weight_gradient(
    plane: Plane,
    features: torch.Tensor,
    gradients: torch.Tensor,
    widths: Widths,
    tuning: Tuning,
) -> torch.Tensor:
    """Return G, float32 [9, feature_columns, gradient_columns].

    Blocks that belong to no convolution are unspecified.

    Args:
        plane: the plane of both matrices.
        features: X, [rows, feature_columns], with zero guards.
        gradients: D, [rows, gradient_columns], with zero borders and guards.
        widths: channels of the dense block.
        tuning: which kernel to use, and how.
    """
    size = (TAPS, widths.feature_columns, widths.gradient_columns)
    total = torch.zeros(size, dtype=torch.float32, device=features.device)
    launch = _launch_tiles if tuning.gradient_kernel == "tiles" else _launch_all_columns
    with torch.cuda.device_of(total):
        launch(plane, features, gradients, total, widths, tuning)
    return total


def _share(rows: int, tuning: Tuning) -> int:
    """Return the rows of each split, a multiple of the rows that are read at a time."""
    at_a_time = tuning.gradient.rows
    return _divide_up(_divide_up(rows, tuning.gradient_splits), at_a_time) * at_a_time


def _divide_up(a: int, b: int) -> int:
    return -(-a // b)


def _launch_all_columns(
    plane: Plane,
    features: torch.Tensor,
    gradients: torch.Tensor,
    total: torch.Tensor,
    widths: Widths,
    tuning: Tuning,
) -> None:
    inputs, outputs = widths.padded_inputs, widths.padded_outputs
    if max(inputs, outputs) > MOST_CHANNELS_AT_ONCE:
        raise ValueError(
            f"{widths} with gradient kernel {tuning.gradient_kernel!r}: expected at most "
            f"{MOST_CHANNELS_AT_ONCE} channels, use 'tiles'"
        )
    share = _share(plane.rows, tuning)
    _all_columns[(TAPS, _divide_up(plane.rows, share))](
        features,
        features.stride(0),
        gradients,
        gradients.stride(0),
        total,
        total.stride(1),
        plane.rows,
        plane.line,
        share,
        INPUTS=inputs,
        OUTPUTS=outputs,
        ROWS=tuning.gradient.rows,
        TRIANGLE=tuning.gradient_kernel == "triangle",
        **tuning.gradient.options,
        **OPTIONS,
    )


def _launch_tiles(
    plane: Plane,
    features: torch.Tensor,
    gradients: torch.Tensor,
    total: torch.Tensor,
    widths: Widths,
    tuning: Tuning,
) -> None:
    found = tiles(widths)
    share = _share(plane.rows, tuning)
    for height, width in sorted({(tile.height, tile.width) for tile in found}):
        same = [t for t in found if (t.height, t.width) == (height, width)]
        corners = _corners(tuple((t.row, t.column) for t in same), features.device)
        _tile[(3, len(same), _divide_up(plane.rows, share))](
            features,
            features.stride(0),
            gradients,
            gradients.stride(0),
            total,
            total.stride(1),
            total.stride(0),
            corners,
            plane.rows,
            plane.line,
            share,
            HEIGHT=height,
            WIDTH=width,
            ROWS=tuning.gradient.rows,
            **tuning.gradient.options,
            **OPTIONS,
        )


@lru_cache
def _corners(corners: tuple[tuple[int, int], ...], device: torch.device) -> torch.Tensor:
    """Return first rows and columns of tiles on a device; cached, since CUDA graphs cannot copy."""
    return torch.tensor(corners, dtype=torch.int32, device=device)
