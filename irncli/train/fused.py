"""Training through the fused kernels: the passes of a network in their layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import cast

import torch

from irncli.kernels.available import reason
from irncli.kernels.packing import GROWTH, PackedBlocks, Widths
from irncli.kernels.plane import Plane
from irncli.model import InvertibleNetwork
from irncli.model.coupling import CouplingBlock
from irncli.model.dense import DenseBlock
from irncli.model.irn import Operation

__all__ = ["FusedPasses", "can_be_fused"]


def can_be_fused(network: torch.nn.Module) -> bool:
    """Tell whether the fused kernels can train a network on its device."""
    if not isinstance(network, InvertibleNetwork) or network.config.growth != GROWTH:
        return False
    return reason(network.latent_sigma.device) is None


class FusedPasses:
    """Forward and inverse pass of a network through the fused kernels, with gradients.

    Values and gradients are those of the network up to the rounding of operands to 16 bits. Within
    a level, the state stays in flat rows (`irncli.kernels.plane`). All buffers are kept for the
    next step.

    Args:
        network: network to train, with a growth of 32.
        dtype: float16 or bfloat16.
        collect: whether weight gradients are collected in one buffer for all blocks of a shape and
            reach the parameters by `store_gradients`; otherwise autograd hands them over.
    """

    def __init__(self, network: InvertibleNetwork, dtype: torch.dtype, *, collect: bool) -> None:
        self._network = network
        shapes: dict[Widths, list[DenseBlock]] = {}
        for module in network.modules():
            if isinstance(module, DenseBlock):
                shapes.setdefault(Widths.of(module), []).append(module)
        self._packed = [PackedBlocks(blocks, dtype) for blocks in shapes.values()]
        self._single: dict[DenseBlock, PackedBlocks] = {}
        for packed in self._packed:
            if collect:
                packed.collect_gradients()
            for index, block in enumerate(packed.blocks):
                self._single[block] = packed.single(index)
        self._features: dict[tuple[DenseBlock, bool, Plane], torch.Tensor] = {}
        self._gradients: dict[tuple[Widths, Plane], torch.Tensor] = {}

    def update(self) -> None:
        """Take over the weights of the network; needed before the passes of each step."""
        for packed in self._packed:
            packed.update()

    def store_gradients(self) -> None:
        """Give the parameters of dense blocks their gradients, if they are collected."""
        for packed in self._packed:
            if packed.gradient is not None:
                packed.store_gradients()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute `network(x)`."""
        return self._network.split(self._run(self._network.chain, x, undo=False))

    def inverse(self, low: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Compute `network.inverse(low, z)`."""
        return self._run(self._network.chain[::-1], self._network.join(low, z), undo=True)

    def _run(self, chain: Sequence[Operation], x: torch.Tensor, *, undo: bool) -> torch.Tensor:
        for are_blocks, operations in groupby(chain, lambda each: isinstance(each, CouplingBlock)):
            if are_blocks:
                blocks = cast("Iterator[CouplingBlock]", operations)
                x = self._couple(blocks, x, undo=undo)
            else:
                for transform in operations:
                    x = transform.inverse(x) if undo else transform(x)
        return x

    def _couple(
        self, blocks: Iterator[CouplingBlock], x: torch.Tensor, *, undo: bool
    ) -> torch.Tensor:
        """Apply the coupling blocks of one level to a state [N, C, H, W]."""
        from irncli.kernels.affine import affine

        plane, rows = Plane.of(x), None
        for block in blocks:
            if rows is None:
                rows = plane.flatten(x).split(block.split, dim=1)
            a, b = rows
            if not undo:
                a = a + self._dense(block.F, b, plane, undo)
            h, g = (self._dense(each, a, plane, undo) for each in (block.H, block.G))
            b = affine(b, h, g, inverse=undo)
            if undo:
                a = a - self._dense(block.F, b, plane, undo)
            rows = a, b
        assert rows is not None  # noqa: S101 -- there is a block
        return plane.images(torch.cat(rows, dim=1))

    def _dense(
        self, block: DenseBlock, rows: torch.Tensor, plane: Plane, undo: bool
    ) -> torch.Tensor:
        from irncli.kernels.dense import dense, feature_buffer, gradient_buffer

        packed = self._single[block]
        mine, shared = (block, undo, plane), (packed.widths, plane)
        if mine not in self._features:
            self._features[mine] = feature_buffer(packed, plane)
        if shared not in self._gradients:
            self._gradients[shared] = gradient_buffer(packed, plane)
        return dense(
            packed, rows, plane, features=self._features[mine], gradients=self._gradients[shared]
        )

    def release(self) -> None:
        """Free all buffers, before crops of another size come."""
        self._features.clear()
        self._gradients.clear()
