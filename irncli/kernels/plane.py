"""The layout of images in the kernels: flat rows of channels with shared zero borders.

Pixel (y, x) of image n of a batch is the row

    p = (n (H + 1) + y) (W + 1) + x

of a matrix [rows, channels]. Column W of every line and line H of every image are zero. They are
the border of their neighbours on both sides, so that one line and one column per image suffice, and
the row above or below pixel p is p - (W + 1) or p + (W + 1) everywhere. A buffer has further zero
rows before and after, the guards, so that kernels can read past both ends without masks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

__all__ = ["MOST_TILE_ROWS", "Plane"]

MOST_TILE_ROWS = 256
"""Largest number of rows that a kernel reads at a time; the guards allow for it."""


@dataclass(frozen=True)
class Plane:
    """Sizes of a batch of images that is laid out as flat rows.

    Attributes:
        count: number of images.
        height: height of each image in pixels.
        width: width of each image in pixels.
    """

    count: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.count, self.height, self.width) < 1:
            raise ValueError(f"{self}: expected at least one image and one pixel")

    @classmethod
    def of(cls, images: torch.Tensor) -> Plane:
        """Return the plane for images [N, C, H, W]."""
        return cls(images.shape[0], *images.shape[2:])

    @property
    def line(self) -> int:
        """Rows from one pixel to the pixel below it."""
        return self.width + 1

    @property
    def lines(self) -> int:
        """Lines of an image, including the border below it."""
        return self.height + 1

    @property
    def rows(self) -> int:
        """Rows of all images, including their borders."""
        return self.count * self.lines * self.line

    @property
    def guard(self) -> int:
        """Zero rows before the first row of a buffer, and after the last."""
        return self.line + MOST_TILE_ROWS + 8

    def programs(self, rows: int) -> int:
        """Return how many tiles of so many rows store every row; each lacks its first and last."""
        return -(-self.rows // (rows - 2))

    def flatten(self, images: torch.Tensor) -> torch.Tensor:
        """Convert images [N, C, H, W] to rows [rows, C] with zero borders."""
        lines = functional.pad(images.permute(0, 2, 3, 1), (0, 0, 0, 1, 0, 1))
        return lines.reshape(self.rows, -1)

    def images(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows [rows, C] as images [N, C, H, W], a view without the borders."""
        lines = rows.view(self.count, self.lines, self.line, -1)
        return lines[:, : self.height, : self.width].permute(0, 3, 1, 2)

    def inside(self, device: torch.device) -> torch.Tensor:
        """Return which rows are pixels and not border, as bool [rows, 1]."""
        return self.flatten(torch.ones(self.count, 1, self.height, self.width, device=device)) > 0

    def zeros(self, columns: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Return zero rows [rows, columns], a view of a buffer that also has the guards."""
        buffer = torch.zeros(self.rows + 2 * self.guard, columns, dtype=dtype, device=device)
        return buffer[self.guard : self.guard + self.rows]
