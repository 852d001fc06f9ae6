"""Dense blocks of a network, evaluated without gradients and in a chosen dtype.

On a GPU that has them, the fused kernels compute dense blocks in half precision. Everywhere else,
the convolutions of torch do, and the growing features of a block alternate between two buffers:
new memory for each concatenation would cost a tenth of the time on a CPU.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from irncli.kernels.available import reason
from irncli.kernels.packing import GROWTH, PackedBlocks, Widths
from irncli.kernels.plane import Plane
from irncli.model.dense import DenseBlock

__all__ = ["DenseBlocks", "Evaluator"]


class DenseBlocks:
    """The dense blocks of one network on its device, converted to one dtype.

    The weights are converted once. They must not change afterwards.

    Attributes:
        dtype: dtype of the convolutions; input and output are always float32.
        fused: whether the fused kernels are used.
    """

    def __init__(
        self, network: nn.Module, dtype: torch.dtype, *, fused: bool | None = None
    ) -> None:
        self.dtype = dtype
        blocks = [module for module in network.modules() if isinstance(module, DenseBlock)]
        self.fused = _can_be_fused(blocks, dtype) if fused is None else fused
        self._packed: dict[tuple[DenseBlock, ...], PackedBlocks] = {}
        self._converted: dict[DenseBlock, DenseBlock] = {}
        if dtype != torch.float32 and not self.fused:
            self._converted = {block: copy.deepcopy(block).to(dtype) for block in blocks}

    def converted(self, block: DenseBlock) -> DenseBlock:
        """Return a block with weights of the dtype."""
        return self._converted.get(block, block)

    def packed(self, blocks: tuple[DenseBlock, ...]) -> PackedBlocks:
        """Return the weights of blocks with the same input, in the layout of the kernels."""
        if blocks not in self._packed:
            self._packed[blocks] = PackedBlocks(blocks, self.dtype)
        return self._packed[blocks]


def _can_be_fused(blocks: Sequence[DenseBlock], dtype: torch.dtype) -> bool:
    if dtype == torch.float32:
        return False
    weights = [block.convs[0].weight for block in blocks]
    growths = {weight.shape[0] for weight in weights}
    return growths == {GROWTH} and reason(weights[0].device) is None


class Evaluator:
    """Evaluates dense blocks during one pass over one image.

    Args:
        blocks: the dense blocks of the network.
    """

    def __init__(self, blocks: DenseBlocks) -> None:
        self.blocks = blocks
        self._largest: torch.Tensor | None = None
        self.release()

    def release(self) -> None:
        """Free all buffers. They come back as they are needed."""
        self._alternating = [torch.empty(0), torch.empty(0)]
        self._features: dict[tuple[Widths, int], tuple[Plane, torch.Tensor]] = {}

    def __call__(self, window: torch.Tensor, *blocks: DenseBlock) -> tuple[torch.Tensor, ...]:
        """Return the outputs of dense blocks for the same input.

        Args:
            window: input, float32 [1, C, H, W], channels-last.
            blocks: one block or more, of the same widths.

        Returns:
            For each block its output, float32 [1, out, H, W]. In half precision, values may be
            infinite or NaN; see `overflowed`.
        """
        if self.blocks.fused:
            outputs = self._by_kernels(window, blocks)
        else:
            outputs = tuple(self._by_convolutions(window, block) for block in blocks)
        if self.blocks.dtype != torch.float32:
            for output in outputs:
                self._note_largest(output)
        return outputs

    def overflowed(self) -> bool:
        """Tell whether any output so far was infinite or NaN. Waits for the device."""
        return self._largest is not None and not bool(torch.isfinite(self._largest))

    def _note_largest(self, output: torch.Tensor) -> None:
        # A maximum is kept on the device, since reading it would stop the stream of work.
        least, most = torch.aminmax(output)
        largest = torch.maximum(-least, most)
        if self._largest is not None:
            largest = torch.maximum(largest, self._largest)
        self._largest = largest

    def _by_convolutions(self, window: torch.Tensor, block: DenseBlock) -> torch.Tensor:
        block, x = self.blocks.converted(block), window.to(self.blocks.dtype)
        return block.output(x, concatenate=self._concatenate).float()

    def _concatenate(self, features: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """Join features and output in the buffer that does not hold the features."""
        count, channels, height, width = features.shape
        channels += output.shape[1]
        size = count * channels * height * width
        self._alternating.reverse()
        if self._alternating[0].numel() < size or self._alternating[0].dtype != features.dtype:
            self._alternating[0] = features.new_empty(0)  # frees the old one first
            self._alternating[0] = features.new_empty(size)
        joined = self._alternating[0][:size].view(count, height, width, channels)
        return torch.cat((features, output), dim=1, out=joined.permute(0, 3, 1, 2))

    def _by_kernels(
        self, window: torch.Tensor, blocks: tuple[DenseBlock, ...]
    ) -> tuple[torch.Tensor, ...]:
        from irncli.kernels.dense import evaluate

        packed, plane = self.blocks.packed(blocks), Plane.of(window)
        features = self._feature_buffer(packed, plane)
        rows = evaluate(packed, plane.flatten(window), plane, features=features)
        return tuple(plane.images(out) for out in rows)

    def _feature_buffer(self, packed: PackedBlocks, plane: Plane) -> torch.Tensor:
        """Return the buffer of the last window of the same size, or a new one in its place."""
        from irncli.kernels.dense import feature_buffer

        key = packed.widths, len(packed.blocks)
        if key not in self._features or self._features[key][0] != plane:
            self._features.pop(key, None)  # frees its memory before more is taken
            self._features[key] = plane, feature_buffer(packed, plane)
        return self._features[key][1]
