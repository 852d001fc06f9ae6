"""The original image that the guard compares with what a user gets in its place."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from irncli.engine.rescaler import Pixels, Rescaler, Rows, padded_rows, whole_cells
from irncli.engine.windows import Area
from irncli.model.bicubic import Window, resize_window
from irncli.model.quantize import quantize

__all__ = ["Original"]


@dataclass(frozen=True)
class Original:
    """Original image, and the size of the image that the network restores.

    At the scale of the network, the two sizes are equal: the original is padded as the input of the
    network is. At a smaller scale, the network restores a larger image, which is then resized.

    Attributes:
        rows: function that returns rows of the original, float32 [1, 3, rows, width] in [0, 1].
        size: height and width of the original in pixels.
        network: height and width of the image that the network restores.
    """

    rows: Rows
    size: tuple[int, int]
    network: tuple[int, int]

    @classmethod
    def of(cls, rescaler: Rescaler, hr: Pixels, low: Pixels, scale: float | None) -> Original:
        """Return the original `hr`, [H, W, 3], of an LR [h, w, C] that was made at this scale."""
        height, width = whole_cells(rescaler.network, *low.shape[:2])
        network = height * rescaler.scale, width * rescaler.scale
        size = network if scale in (None, rescaler.scale) else hr.shape[:2]
        return cls(padded_rows(hr, *size), size, network)

    def needed(self, area: Area) -> Area:
        """Return the part of the network's image on which the errors of an area depend."""
        down, across = self._windows(area)
        return down.source, across.source

    def errors(self, values: torch.Tensor, area: Area, *, neutral: bool) -> torch.Tensor:
        """Return the errors of restored pixels, rounded and resized as a user gets them.

        Each pixel of the area has the error at the pixel of the original that holds its centre.

        Args:
            values: restored pixels, [1, 3, rows, columns] of `needed(area)`.
            area: rows and columns of the network's image.
            neutral: true if the three channels are averaged.

        Returns:
            Errors in 8-bit code values, [1, 3, rows, columns] of the area.
        """
        down, across = self._windows(area)
        seen = quantize(resize_window(quantize(values), down, across))
        if neutral:
            seen = quantize(seen.mean(dim=1, keepdim=True)).expand(-1, 3, -1, -1)
        errors = 255 * (seen - self.rows(down.part)[:, :, :, across.part])
        return errors.index_select(2, _held(area[0], down)).index_select(3, _held(area[1], across))

    def _windows(self, area: Area) -> tuple[Window, Window]:
        """Return the rows and columns of the original that hold the centres of an area."""
        (height, width), (target_height, target_width) = self.network, self.size
        return _window(area[0], height, target_height), _window(area[1], width, target_width)


def _window(part: slice, size: int, target: int) -> Window:
    first, last = (_holding(place, size, target) for place in (part.start, part.stop - 1))
    return Window(size, target, slice(first, last + 1))


def _held(part: slice, window: Window) -> torch.Tensor:
    """Return the place in a window that holds the centre of each pixel of a part."""
    first, size, target = window.part.start, window.size, window.target
    places = [_holding(place, size, target) - first for place in range(part.start, part.stop)]
    return torch.tensor(places)


def _holding(place: int, size: int, target: int) -> int:
    """Return the pixel, of `target` along an axis, that holds the centre of one of `size`."""
    return (2 * place + 1) * target // (2 * size)
