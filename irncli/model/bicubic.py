"""MATLAB-style bicubic resizing: what LR is asked to look like, and the baseline.

Antialiased when shrinking, kernel a = -0.5, borders mirrored with the edge pixel repeated, neither
clipped nor rounded; the definition by which the field measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

__all__ = ["Window", "resize", "resize_matrix", "resize_window", "shrink"]


def _cubic(x: torch.Tensor) -> torch.Tensor:
    """Keys' kernel with a = -0.5."""
    x = x.abs()
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, inner, torch.where(x < 2, outer, torch.zeros_like(x)))


@lru_cache(maxsize=16)
def _taps(size: int, target: int) -> tuple[torch.Tensor, torch.Tensor]:
    """For each of `target` outputs, the `size` input indices it reads and their float64 weights."""
    ratio = target / size
    width = 4 / min(ratio, 1.0)
    centres = (torch.arange(target, dtype=torch.float64) + 0.5) / ratio - 0.5
    count = int(width) + 2
    index = torch.floor(centres - width / 2).long()[:, None] + torch.arange(count)
    weights = _cubic((centres[:, None] - index) * min(ratio, 1.0))
    weights /= weights.sum(dim=1, keepdim=True)
    period = torch.remainder(index, 2 * size)
    mirrored = torch.where(period < size, period, 2 * size - 1 - period)
    return mirrored, weights


def resize_matrix(size: int, target: int) -> torch.Tensor:
    """The [target, size] float64 matrix that resizes one axis."""
    index, weights = _taps(size, target)
    return torch.zeros(target, size, dtype=torch.float64).scatter_add_(1, index, weights)


def _resize_axis(x: torch.Tensor, target: int, dim: int) -> torch.Tensor:
    size = x.shape[dim]
    if size == target:
        return x
    return _weighted(x, *_taps(size, target), dim)


def _weighted(
    x: torch.Tensor, index: torch.Tensor, weights: torch.Tensor, dim: int
) -> torch.Tensor:
    """Sum of shifted gathers: memory stays at one output, whatever the width of the kernel."""
    index, weights = index.to(x.device), weights.to(x.device, x.dtype)
    shape = [1] * x.ndim
    shape[dim] = index.shape[0]
    out: torch.Tensor | None = None
    for tap in range(index.shape[1]):
        weight = weights[:, tap].reshape(shape)
        term = x.index_select(dim, index[:, tap]).mul_(weight)
        out = term if out is None else out.add_(term)
    assert out is not None  # noqa: S101
    return out


def resize(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize [..., H, W] to [..., height, width]; floating point, neither clipped nor rounded.

    Rows first, then columns, as the definition does; the two commute up to rounding.
    """
    return _resize_axis(_resize_axis(x, height, -2), width, -1)


@dataclass(frozen=True)
class Window:
    """Some of the pixels that resizing an axis makes.

    Attributes:
        size: pixels of the whole axis before.
        target: and after.
        part: those that are wanted.
    """

    size: int
    target: int
    part: slice

    @property
    def source(self) -> slice:
        """The pixels before that they depend on."""
        index, _ = _taps(self.size, self.target)
        read = index[self.part]
        return slice(int(read.min()), int(read.max()) + 1)


def resize_window(x: torch.Tensor, rows: Window, columns: Window) -> torch.Tensor:
    """A part of `resize` of a whole image.

    Args:
        x: the part of the image that it depends on, [..., `rows.source`, `columns.source`].
        rows: wanted.
        columns: the same.
    """
    for window, dim in ((rows, -2), (columns, -1)):
        index, weights = _taps(window.size, window.target)
        low = window.source.start
        x = _weighted(x, index[window.part] - low, weights[window.part], dim)
    return x


def shrink(x: torch.Tensor, scale: int) -> torch.Tensor:
    """Resize [..., H, W] to 1/scale; H and W must be multiples of the scale."""
    return resize(x, x.shape[-2] // scale, x.shape[-1] // scale)
