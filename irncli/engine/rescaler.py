"""Pictures through a network: pad, plan, run, retry. Arrays in, arrays out.

A picture is RGB [H, W, 3] of 8 or 16 bits throughout; float32 lives in the state only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import pixel_unshuffle

from irncli.engine.device import Precision
from irncli.engine.latent import MAX_SEED, draw_row
from irncli.engine.passes import Passes, empty_state, pad_to
from irncli.engine.pixels import Pixels, bits_of, to_pixels, to_tensor
from irncli.engine.placing import Placed, quiet, silent
from irncli.errors import UsageError
from irncli.model import InvertibleNetwork
from irncli.model.bicubic import resize

__all__ = [
    "Pixels",
    "Rescaler",
    "Rows",
    "bicubic",
    "hr_size_of",
    "lr_size",
    "padded_rows",
    "resize_plane",
    "resized_rows",
    "to_gray",
    "whole_cells",
]

Rows = Callable[[slice], torch.Tensor]


def lr_size(hr_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of LR: ceil(size / scale) each."""
    width, height = (math.ceil(side / scale - 1e-9) for side in hr_size)
    return width, height


def whole_cells(network: InvertibleNetwork, height: int, width: int) -> tuple[int, int]:
    """Sides of an LR picture, or a gray one, made up to whole cells of the network."""
    cell = network.config.cell
    return -height % cell + height, -width % cell + width


def hr_size_of(lr_size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Width and height of the largest picture with an LR of this size at most: LR size x scale."""
    width, height = (math.floor(side * scale + 1e-9) for side in lr_size)
    return width, height


def restored_size(hr_size: tuple[int, int], scale: float, lr: tuple[int, int]) -> tuple[int, int]:
    """Width and height of what comes out of LR: `hr_size`, unless LR was resized since."""
    return hr_size if lr_size(hr_size, scale) == lr else hr_size_of(lr, scale)


@dataclass
class Rescaler(Placed):
    """One network on one device: HR to LR and back.

    A colour network has scale 1 and an LR of one channel, the gray picture. Where it works on cells
    of pixels, and a side is odd, the last row or column is repeated: for the network, and again
    when the gray picture comes back without what was beyond its edge.

    Law: the same picture, weights and seed give the same pixels on the CPU, whatever the tile and
    the number of threads.

    Attributes:
        network: an invertible network.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: inside the dense blocks: `auto`, `fp32`, `bf16` or `fp16`.
        tile: side of a tile in HR pixels, 64 or more; 0: none; None: chosen.
        warn: told, in one sentence, when the device had to be given up.

    Raises:
        UsageError: an option out of range.
        UnavailableError: no such device.
    """

    network: InvertibleNetwork
    device: str = "auto"
    precision: Precision = "auto"
    tile: int | None = None
    warn: Callable[[str], None] = silent

    def __post_init__(self) -> None:
        if self.tile is not None and self.tile != 0 and self.tile < 64:
            raise UsageError(f"tile is {self.tile}, expected 0 (none) or at least 64 HR pixels")
        self._settle()

    @property
    def scale(self) -> int:
        """Of the network."""
        return self.network.config.scale

    def downscale(
        self,
        hr: Pixels,
        scale: float | None = None,
        tick: Callable[[float], None] = quiet,
        *,
        bits: int = 8,
    ) -> Pixels:
        """LR of a picture: ceil(H / scale) x ceil(W / scale).

        The last row and column are repeated up to a multiple of the scale. For a fractional scale
        the picture is first resized bicubically to LR size times the scale of the network.

        Args:
            hr: uint8 or uint16 [H, W, 3].
            scale: more than 1, at most that of the network, which is the default.
            tick: told the share of the work that was just done.
            bits: of LR, 8 or 16.

        Returns:
            [h, w, 3]; of a colour network [H, W, 1].
        """
        scale = self._checked_scale(scale)
        height, width = hr.shape[:2]
        low_width, low_height = lr_size((width, height), scale)
        cells = whole_cells(self.network, low_height, low_width)
        target = (cells[0] * self.scale, cells[1] * self.scale)
        read = padded_rows(hr, *target) if scale == self.scale else resized_rows(hr, *target)
        state = self._guarded(lambda: self._forward(read, *target, tick))
        low, _ = self.network.split(state)
        return to_pixels(low[:, :, :low_height, :low_width], bits)

    def upscale(
        self,
        lr: Pixels,
        hr_size: tuple[int, int] | None = None,
        scale: float | None = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        tick: Callable[[float], None] = quiet,
        bits: int = 8,
    ) -> Pixels:
        """The picture that `lr` was made of, with z drawn.

        Args:
            lr: uint8 or uint16 [h, w, 3]; for a colour network [H, W, 1].
            hr_size: width and height of the picture; None: LR size times scale.
            scale: as given to `downscale`.
            seed: of z, 0 to 2**64 - 1.
            temperature: of z: its width in units of the recorded one; 0: z = 0.
            tick: told the share of the work that was just done.
            bits: of the picture, 8 or 16.

        Raises:
            UsageError: an option out of range, or a size that is not of this LR.
        """
        if not 0 <= seed <= MAX_SEED:
            raise UsageError(f"seed is {seed}, expected 0 to {MAX_SEED}")
        if not (math.isfinite(temperature) and 0 <= temperature <= 100):
            raise UsageError(f"temperature is {temperature}, expected 0 to 100")
        height, width = lr.shape[:2]
        hr_size, scale = self.settled((width, height), hr_size, scale)
        if scale == self.scale:
            return self._guarded(lambda: self._inverse(lr, hr_size, seed, temperature, tick, bits))
        full = (width * self.scale, height * self.scale)
        restored = self._guarded(lambda: self._inverse(lr, full, seed, temperature, tick, bits))
        return bicubic(restored, hr_size[1], hr_size[0])

    def settled(
        self, size: tuple[int, int], hr_size: tuple[int, int] | None, scale: float | None
    ) -> tuple[tuple[int, int], float]:
        """HR size and scale by which an LR of this size is restored.

        Args:
            size: width and height of LR.
            hr_size: of the picture; None: LR size times scale.
            scale: as given to `downscale`; None: that of the network.

        Raises:
            UsageError: a scale out of range, or a size that is not of this LR.
        """
        scale = self._checked_scale(scale)
        hr_size = hr_size or hr_size_of(size, scale)
        if min(hr_size) < 1 or lr_size(hr_size, scale) != size:
            raise UsageError(
                f"LR is {size[0]}x{size[1]}, but a picture of {hr_size[0]}x{hr_size[1]} has an LR "
                "of {}x{} at scale {:g}".format(*lr_size(hr_size, scale), scale)
            )
        return hr_size, scale

    def _checked_scale(self, scale: float | None) -> float:
        scale = self.scale if scale is None else scale
        if scale != self.scale and not 1 < scale <= self.scale:
            raise UsageError(
                f"scale is {scale:g}, expected more than 1 and at most {self.scale}, "
                "the scale of this model"
            )
        return scale

    @torch.inference_mode()
    def _forward(
        self, read: Rows, height: int, width: int, tick: Callable[[float], None]
    ) -> torch.Tensor:
        passes = Passes(self.network, tile=self.tile, dtype=self._dtype, tick=tick)
        return passes.forward(read, height, width)

    @torch.inference_mode()
    def _inverse(
        self,
        lr: Pixels,
        hr_size: tuple[int, int],
        seed: int,
        temperature: float,
        tick: Callable[[float], None],
        bits: int,
    ) -> Pixels:
        passes = Passes(self.network, tile=self.tile, dtype=self._dtype, tick=tick)
        width, height = hr_size
        hr: Pixels = np.empty((height, width, 3), f"u{bits // 8}")

        def write(rows: slice, values: torch.Tensor) -> None:
            stop = min(rows.stop, height)
            if rows.start < stop:
                hr[rows.start : stop] = to_pixels(values[:, :, : stop - rows.start, :width], bits)

        passes.inverse(self._seeded_state(lr, seed, temperature), write)
        return hr

    def _seeded_state(self, lr: Pixels, seed: int, temperature: float) -> torch.Tensor:
        """LR and z as the state after the last operation."""
        config = self.network.config
        rows, columns = whole_cells(self.network, *lr.shape[:2])
        height, width = rows // config.cell, columns // config.cell
        read = padded_rows(lr, rows, columns)
        state = empty_state(config.state_channels, height, width, torch.device("cpu"))
        low, z = state.split((config.low_channels, config.latent_channels), dim=1)
        sigma = self.network.latent_sigma.cpu().view(-1, 1) * temperature
        drawn = temperature > 0 and bool(sigma.any())
        if not drawn:
            z.zero_()
        for row in range(height):
            cells = read(slice(row * config.cell, (row + 1) * config.cell))
            low[:, :, row] = pixel_unshuffle(cells, config.cell)[:, :, 0]
            if drawn:
                noise = torch.from_numpy(draw_row(seed, row, config.latent_channels, width))
                z[0, :, row] = noise * sigma
        return state.to(self._device)


def padded_rows(hr: Pixels, height: int, width: int) -> Rows:
    """Rows of the picture, its last row and column repeated to height x width."""

    def read(rows: slice) -> torch.Tensor:
        index = np.minimum(np.arange(rows.start, min(rows.stop, height)), hr.shape[0] - 1)
        return pad_to(to_tensor(hr[index[0] : index[-1] + 1][index - index[0]]), width)

    return read


def resized_rows(hr: Pixels, height: int, width: int) -> Rows:
    """Rows of the picture resized bicubically to height x width, float32."""
    planes = [resize(to_tensor(hr[:, :, c : c + 1]), height, width) for c in range(3)]
    return lambda rows: torch.cat([plane[:, :, rows] for plane in planes], dim=1)


def _resized_channels(pixels: Pixels, height: int, width: int) -> Pixels:
    """One channel at a time, so that memory stays at that of one."""
    planes = [
        to_pixels(resize(to_tensor(pixels[:, :, c : c + 1]), height, width), bits_of(pixels))
        for c in range(pixels.shape[2])
    ]
    return np.concatenate(planes, axis=2)


def resize_plane(plane: Pixels, height: int, width: int) -> Pixels:
    """Bicubic resizing of one channel [H, W], such as alpha, at its depth."""
    return _resized_channels(plane[:, :, None], height, width)[:, :, 0]


def bicubic(pixels: Pixels, height: int, width: int) -> Pixels:
    """Bicubic resizing of a picture [H, W, 3], at its depth: the baseline."""
    return _resized_channels(pixels, height, width)


def to_gray(pixels: Pixels) -> Pixels:
    """The mean of the three channels, in each of them."""
    mean: Pixels = np.rint(pixels.mean(axis=2, keepdims=True)).astype(pixels.dtype)
    return mean.repeat(3, axis=2)
