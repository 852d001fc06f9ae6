"""Weights and gradients of dense blocks in the layout of the kernels.

Notation: the five convolutions of a dense block are numbered k = 0..4 and its hidden outputs
j = 0..3; convolution j makes hidden output j, and convolution 4 makes the output.

    X = [input, one, zeros | y_0 | y_1 | y_2 | y_3]      features, which the convolutions read
    D = [d_4, zeros | d_3 | d_2 | d_1 | d_0]             gradients at the outputs of convolutions

Convolution k reads the first `input + 32 k` columns of X, and hidden output j feeds the
convolutions whose gradients are the first `output + 32 (3 - j)` columns of D. So neither direction
ever concatenates. The column of ones makes the bias a weight, and its gradient a weight gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from irncli.model.dense import DenseBlock

__all__ = ["CENTRE", "GROWTH", "HIDDEN", "TAPS", "PackedBlocks", "Widths", "unpack_gradient"]

GROWTH = 32
"""Channels of a hidden output; the kernels support no other growth."""

HIDDEN = 4 * GROWTH
"""Channels of all hidden outputs of a dense block."""

TAPS = 9
"""Positions of a 3x3 kernel; tap 3 dy + dx reads the pixel at (y + dy - 1, x + dx - 1)."""

CENTRE = 4
"""The tap that reads the pixel itself."""

_LAST = 4


def _padded(channels: int) -> int:
    """Return a number of channels that blocks of at most 64 channels, a power of two, divide."""
    return next((size for size in (16, 32) if channels <= size), -(-channels // 64) * 64)


@dataclass(frozen=True)
class Widths:
    """Channels of a dense block, and the columns in which they lie.

    Attributes:
        inputs: input channels.
        outputs: output channels.
    """

    inputs: int
    outputs: int

    @classmethod
    def of(cls, block: DenseBlock) -> Widths:
        """Return the widths of a block.

        Raises:
            ValueError: the kernels do not support the growth of the block.
        """
        first, *_, last = block.convs
        if first.out_channels != GROWTH:
            raise ValueError(f"the growth is {first.out_channels}, the kernels expect {GROWTH}")
        return cls(first.in_channels, last.out_channels)

    @property
    def padded_inputs(self) -> int:
        """Columns of X before the hidden outputs; at least one more than the input channels."""
        return _padded(self.inputs + 1)

    @property
    def padded_outputs(self) -> int:
        """Columns of D before the gradients of the hidden outputs."""
        return _padded(self.outputs)

    @property
    def feature_columns(self) -> int:
        """Columns of X."""
        return self.padded_inputs + HIDDEN

    @property
    def gradient_columns(self) -> int:
        """Columns of D."""
        return self.padded_outputs + HIDDEN

    @property
    def one(self) -> int:
        """Column of X that is 1 at every pixel."""
        return self.padded_inputs - 1

    def hidden(self, j: int) -> slice:
        """Columns of X that hold hidden output j."""
        return slice(self.padded_inputs + GROWTH * j, self.padded_inputs + GROWTH * (j + 1))

    def gradient(self, k: int) -> slice:
        """Columns of D that hold the gradient at the output of convolution k."""
        if k == _LAST:
            return slice(0, self.padded_outputs)
        begin = self.padded_outputs + GROWTH * (3 - k)
        return slice(begin, begin + GROWTH)

    def read(self, k: int) -> int:
        """Columns of X that convolution k reads: the first so many."""
        return self.padded_inputs + GROWTH * k

    def fed(self, j: int) -> int:
        """Columns of D that depend on hidden output j: the first so many."""
        return self.padded_outputs + GROWTH * (3 - j)

    def made(self, k: int) -> int:
        """Output channels of convolution k, without padding."""
        return self.outputs if k == _LAST else GROWTH


class PackedBlocks:
    """Weights of dense blocks with equal widths, in the layout and dtype of the kernels.

    Attributes:
        widths: channels of each block.
        dtype: float16 or bfloat16.
        forward: weights of each convolution, [blocks, 9, read(k), columns]; the row `one` of the
            centre tap is the bias.
        backward: weights that give the gradient of each hidden output, [blocks, 9, fed(j), 32].
        backward_input: weights that give the gradient of the input,
            [blocks, 9, gradient_columns, padded_inputs].
        gradient: sum of X^T D over the backward passes so far, float32
            [blocks, 9, feature_columns, gradient_columns]; None if it is not collected.
    """

    def __init__(self, blocks: Sequence[DenseBlock], dtype: torch.dtype) -> None:
        if dtype not in (torch.float16, torch.bfloat16):
            raise ValueError(f"dtype is {dtype}, expected float16 or bfloat16")
        shapes = {Widths.of(block) for block in blocks}
        if len(shapes) != 1:
            raise ValueError(f"blocks of {len(shapes)} shapes, expected one: {shapes}")
        self.blocks, self.dtype = tuple(blocks), dtype
        self.gradient: torch.Tensor | None = None
        (self.widths,) = shapes
        w = self.widths
        self.forward = [
            self._zeros(w.read(k), GROWTH if k < _LAST else w.padded_outputs) for k in range(5)
        ]
        self.backward = [self._zeros(w.fed(j), GROWTH) for j in range(4)]
        self.backward_input = self._zeros(w.gradient_columns, w.padded_inputs)
        self.update()

    def _zeros(self, rows: int, columns: int) -> torch.Tensor:
        device = self.blocks[0].convs[0].weight.device
        size = (len(self.blocks), TAPS, rows, columns)
        return torch.zeros(size, dtype=self.dtype, device=device)

    def single(self, index: int) -> PackedBlocks:
        """Return one of the blocks. It shares the memory of this object, and so its updates."""
        one = copy.copy(self)
        place = slice(index, index + 1)
        one.blocks = self.blocks[place]
        one.forward = [weights[place] for weights in self.forward]
        one.backward = [weights[place] for weights in self.backward]
        one.backward_input = self.backward_input[place]
        one.gradient = None if self.gradient is None else self.gradient[place]
        return one

    @torch.no_grad()
    def update(self) -> None:
        """Copy the weights of the blocks again, in place, after they have changed."""
        w = self.widths
        for k in range(5):
            convs = [block.convs[k] for block in self.blocks]
            # [blocks, made, read, 3, 3] becomes [blocks, 9, read, made]
            weight = torch.stack([conv.weight for conv in convs])
            weight = weight.permute(0, 3, 4, 2, 1).flatten(1, 2)
            packed = self.forward[k][..., : w.made(k)]
            packed[:, :, : w.inputs] = weight[:, :, : w.inputs]
            packed[:, :, w.padded_inputs :] = weight[:, :, w.inputs :]
            biases = [conv.bias for conv in convs if conv.bias is not None]  # all have one
            packed[:, CENTRE, w.one] = torch.stack(biases).to(packed.dtype)
        self._pack_backward()

    def _pack_backward(self) -> None:
        """Transpose and mirror the kernels: what was read at +1 gets its gradient from -1."""
        w = self.widths
        for k in range(5):
            weight = self.forward[k].flip(1).transpose(2, 3)
            columns = w.gradient(k)
            for j in range(k):
                self.backward[j][:, :, columns] = weight[..., w.hidden(j)]
            into = self.backward_input[:, :, columns]
            into[..., : w.inputs] = weight[..., : w.inputs]

    def collect_gradients(self) -> None:
        """Start to collect the weight gradients of backward passes in one buffer.

        Autograd then gives the parameters no gradients; `store_gradients` does, for all blocks at
        once, with one kernel where there would be one for each block.
        """
        w = self.widths
        size = (len(self.blocks), TAPS, w.feature_columns, w.gradient_columns)
        device = self.backward_input.device
        self.gradient = torch.zeros(size, dtype=torch.float32, device=device)

    def store_gradients(self) -> None:
        """Give the parameters the gradients that were collected, and start again from zero."""
        assert self.gradient is not None  # noqa: S101 -- collected
        found = unpack_gradient(self.gradient, self.widths)
        for index, block in enumerate(self.blocks):
            for conv, weight, bias in zip(block.convs, found[::2], found[1::2], strict=True):
                assert conv.bias is not None  # noqa: S101
                conv.weight.grad, conv.bias.grad = weight[index], bias[index]
        self.gradient.zero_()


def unpack_gradient(gradient: torch.Tensor, widths: Widths) -> list[torch.Tensor]:
    """Return the gradients of weight and bias of each convolution, in order, ten in all.

    Args:
        gradient: sum over the pixels of X^T D for each tap, float32
            [..., 9, feature_columns, gradient_columns]; several blocks may come first.
        widths: channels of the blocks.

    Returns:
        Weights [..., made, read, 3, 3] in channels-last layout, as those of the trainer, and
        biases [..., made].
    """
    w, found = widths, []
    for k in range(5):
        columns = gradient[..., w.gradient(k)][..., : w.made(k)]
        parts = columns[..., : w.inputs, :], columns[..., w.padded_inputs : w.read(k), :]
        rows = torch.cat(parts, dim=-2).movedim(-1, -3).contiguous()  # [..., made, 9, read]
        bias = columns[..., CENTRE, w.one, :].clone()
        found += [rows.unflatten(-2, (3, 3)).movedim(-1, -3), bias]
    return found
