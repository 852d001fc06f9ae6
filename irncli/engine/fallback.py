"""Blocks of a small image that are restored without the network and blended in seamlessly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from irncli.engine.tensors import Pixels, to_tensor
from irncli.geometry import Blocks, block_side, grid_shape
from irncli.model.bicubic import Window, resize_window

__all__ = ["Fallback", "block_weights", "mixed"]


def block_weights(grid: torch.Tensor, side: int, rows: slice, columns: slice) -> torch.Tensor:
    """Return a smooth map of weights [rows, columns] from the values of blocks.

    Law: within a block, the weight is at least the value of the block, and equals that value where
    no neighbouring block has a larger one. The weight falls to 0 within three quarters of a block
    around a block.

    Args:
        grid: value in [0, 1] for each block, float32 [R, C].
        side: side of a block in pixels of the map, an even number.
        rows: rows of the map to return.
        columns: columns of the map to return.
    """
    halves = grid.repeat_interleave(2, 0).repeat_interleave(2, 1)
    grown = functional.max_pool2d(halves[None, None], 3, stride=1, padding=1)[0, 0]
    for part, dim in ((rows, 0), (columns, 1)):
        places = (torch.arange(part.start, part.stop) + 0.5) / (side / 2) - 0.5
        places = places.clamp(0, grown.shape[dim] - 1)
        low = places.floor().long()
        share = (places - low).unsqueeze(1 - dim)
        high = (low + 1).clamp_max(grown.shape[dim] - 1)
        # torch.lerp is not used: where both values are equal, the result must equal them exactly.
        first, second = grown.index_select(dim, low), grown.index_select(dim, high)
        grown = first + share * (second - first)
    return grown


def mixed(network: torch.Tensor, plain: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Blend two images: `network` where the weight is 0, exactly `plain` where it is 1."""
    return torch.where(weights == 1, plain, network + weights * (plain - network))


@dataclass(frozen=True, eq=False)
class Fallback:
    """Replacement for the network in marked blocks: LR enlarged bicubically, or given a tint.

    Attributes:
        low: LR image [h, w, C].
        blocks: grid of the blocks to restore without the network.
        scale: scale of the network, by which LR is enlarged.
        tint: for a colour network, the values added to R, G and B of the gray image, in 8-bit code
            values; None for rescaling.
    """

    low: Pixels
    blocks: Blocks
    scale: int
    tint: tuple[float, float, float] | None = None

    @classmethod
    def for_image(
        cls,
        low: Pixels,
        blocks: Blocks | None,
        scale: int,
        tint: tuple[float, float, float] | None,
    ) -> Fallback | None:
        """Return the fallback for an LR image, or None.

        None means that there are no marked blocks, or that LR no longer has the size for which the
        blocks were marked.
        """
        if blocks is None or grid_shape(_size(low)) != blocks.shape:
            return None
        return cls(low, blocks, scale, tint)

    def over(self, values: torch.Tensor, rows: slice, columns: slice) -> torch.Tensor:
        """Return restored pixels with the fallback blended over the marked blocks.

        Args:
            values: pixels restored by the network, [1, 3, rows, columns] in [0, 1].
            rows: rows of the restored image that `values` covers.
            columns: columns of the restored image that `values` covers.
        """
        side = block_side(_size(self.low)) * self.scale
        top, bottom = rows.start // side, -(-rows.stop // side)
        if not self.blocks[max(0, top - 1) : bottom + 1].any():
            return values
        grid = torch.from_numpy(self.blocks.astype(np.float32))
        weights = block_weights(grid, side, rows, columns).to(values.device)
        return mixed(values, self.plain(rows, columns).to(values.device), weights)

    def plain(self, rows: slice, columns: slice) -> torch.Tensor:
        """Restore a part of LR without the network: [1, 3, rows, columns] in [0, 1]."""
        if self.tint is None:
            return _enlarged(self.low, self.scale, rows, columns)
        return _tinted(self.low, self.tint, rows, columns)


def _enlarged(low: Pixels, scale: int, rows: slice, columns: slice) -> torch.Tensor:
    height, width = low.shape[:2]
    down = Window(height, height * scale, rows)
    across = Window(width, width * scale, columns)
    return resize_window(to_tensor(low[down.source, across.source]), down, across).clamp(0, 1)


def _tinted(
    low: Pixels, tint: tuple[float, float, float], rows: slice, columns: slice
) -> torch.Tensor:
    height, width = low.shape[:2]
    # Whole cells of a colour network may extend beyond the image; its edge is repeated.
    down = np.minimum(np.arange(rows.start, rows.stop), height - 1)
    across = np.minimum(np.arange(columns.start, columns.stop), width - 1)
    gray = to_tensor(low[down][:, across, :1])
    return (gray + torch.tensor(tint).view(1, 3, 1, 1) / 255).clamp(0, 1)


def _size(pixels: Pixels) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    return width, height
