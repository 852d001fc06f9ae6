"""MATLAB-style bicubic resizing: the reference for LR, and the baseline for restoring.

Resizing is antialiased when shrinking, uses the kernel with a = -0.5, mirrors the borders with the
edge pixel repeated, and neither clips nor rounds. This is the definition used for measurements in
the super-resolution literature.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

__all__ = ["Window", "resize", "resize_matrix", "resize_window", "shrink"]


def _cubic(x: torch.Tensor) -> torch.Tensor:
    """Evaluate the kernel of Keys with a = -0.5."""
    x = x.abs()
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, inner, torch.where(x < 2, outer, torch.zeros_like(x)))


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)  # the result may be needed for gradients later
def _taps(size: int, target: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the input indices that each of `target` outputs reads, and their float64 weights.

    Both have the shape [target, taps]; the indices run over `size` inputs.
    """
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
    """Return the float64 matrix [target, size] that resizes one axis."""
    index, weights = _taps(size, target)
    return torch.zeros(target, size, dtype=torch.float64).scatter_add_(1, index, weights)


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)
def _taps_on(
    size: int, target: int, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `_taps` on a device, copied there only once; weights have the given dtype."""
    index, weights = _taps(size, target)
    return index.to(device), weights.to(device, dtype)


def _resize_axis(x: torch.Tensor, target: int, dim: int) -> torch.Tensor:
    size = x.shape[dim]
    if size == target:
        return x
    return _weighted(x, *_taps_on(size, target, x.device, x.dtype), dim)


def _weighted(
    x: torch.Tensor, index: torch.Tensor, weights: torch.Tensor, dim: int
) -> torch.Tensor:
    """Sum shifted gathers, so that memory does not grow with the width of the kernel."""
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
    """Resize [..., H, W] in floating point to [..., height, width], neither clipped nor rounded.

    Rows are resized first, then columns, as in the definition; the two commute up to rounding.
    """
    return _resize_axis(_resize_axis(x, height, -2), width, -1)


@dataclass(frozen=True)
class Window:
    """Part of the output pixels of an axis that is resized.

    Attributes:
        size: number of pixels of the whole axis before resizing.
        target: number of pixels of the whole axis after resizing.
        part: slice of the output pixels to compute.
    """

    size: int
    target: int
    part: slice

    @property
    def source(self) -> slice:
        """Slice of the input pixels on which the part depends; the part itself without resizing."""
        if self.size == self.target:
            return self.part
        index, _ = _taps(self.size, self.target)
        read = index[self.part]
        return slice(int(read.min()), int(read.max()) + 1)


def resize_window(x: torch.Tensor, rows: Window, columns: Window) -> torch.Tensor:
    """Return a part of the result of `resize` for a whole image.

    Args:
        x: input pixels on which the part depends, [..., `rows.source`, `columns.source`].
        rows: window of rows to compute.
        columns: window of columns to compute.
    """
    for window, dim in ((rows, -2), (columns, -1)):
        if window.size == window.target:
            continue
        index, weights = _taps_on(window.size, window.target, x.device, x.dtype)
        low = window.source.start
        x = _weighted(x, index[window.part] - low, weights[window.part], dim)
    return x


def shrink(x: torch.Tensor, scale: int) -> torch.Tensor:
    """Resize [..., H, W] to 1/scale of its size; H and W must be multiples of the scale."""
    return resize(x, x.shape[-2] // scale, x.shape[-1] // scale)
