"""Downscaling and restoration of images by an invertible network.

Input and output are RGB arrays [H, W, 3] with 8 or 16 bits per channel; only the state is float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.nn.functional import pixel_unshuffle

from irncli.engine.device import Precision
from irncli.engine.fallback import Fallback
from irncli.engine.latent import MAX_SEED, draw
from irncli.engine.passes import Passes, empty_state, pad_to
from irncli.engine.placing import Placed, ignore_message
from irncli.engine.tensors import (
    Pixels,
    bits_of,
    download,
    to_pixels,
    to_stored,
    to_tensor,
    upload,
)
from irncli.engine.ticks import Tick, no_tick
from irncli.engine.windows import TOGETHER_PIXELS, Area, grouped, size_of
from irncli.errors import UsageError
from irncli.geometry import hr_size_of, lr_size
from irncli.model import InvertibleNetwork
from irncli.model.bicubic import resize

__all__ = [
    "Pixels",
    "Reading",
    "Rescaler",
    "Rows",
    "bicubic",
    "padded_rows",
    "resize_plane",
    "resized_rows",
    "to_gray",
    "whole_cells",
]

Rows = Callable[[slice], torch.Tensor]

ROWS_AT_A_TIME = 64
"""Number of rows of LR that are converted, or of z that are drawn, at a time."""

_CPU = torch.device("cpu")


def whole_cells(network: InvertibleNetwork, height: int, width: int) -> tuple[int, int]:
    """Return the height and width of an LR or gray image, rounded up to whole cells."""
    cell = network.config.cell
    return -height % cell + height, -width % cell + width


@dataclass(frozen=True)
class Reading:
    """Input of the network: HR, padded or resized to whole cells and a multiple of the scale.

    Attributes:
        rows: function that returns rows of the input, float32 [1, 3, rows, width] in [0, 1].
        height: height of the input in pixels.
        width: width of the input in pixels.
        low_height: number of rows of LR to keep.
        low_width: number of columns of LR to keep.
    """

    rows: Rows
    height: int
    width: int
    low_height: int
    low_width: int


@dataclass
class Rescaler(Placed):
    """One network on one device, which converts HR to LR and back.

    A colour network has scale 1, and its LR is the gray image, with one channel. If such a network
    works on cells of pixels and the last cell is incomplete, the last row or column is repeated:
    before the network, and again before the inverse, since the gray image is stored without the
    repeated pixels.

    Law: on the CPU, the same image, weights and seed give the same pixels, regardless of the tile
    size and the number of threads.

    Attributes:
        network: invertible network.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: precision inside the dense blocks: `auto`, `fp32`, `bf16` or `fp16`.
        tile: side of a tile in HR pixels, 64 or more; 0 for no tiling, None to choose a side.
        warn: callback that receives a one-sentence message on fallback to the CPU.

    Raises:
        UsageError: an option is out of range.
        UnavailableError: this machine has no such device.
    """

    network: InvertibleNetwork
    device: str = "auto"
    precision: Precision = "auto"
    tile: int | None = None
    warn: Callable[[str], None] = ignore_message

    def __post_init__(self) -> None:
        if self.tile is not None and self.tile != 0 and self.tile < 64:
            raise UsageError(f"tile is {self.tile}, expected 0 (none) or at least 64 HR pixels")
        self._settle()

    @property
    def scale(self) -> int:
        """Scale of the network."""
        return self.network.config.scale

    def downscale(
        self,
        hr: Pixels,
        scale: float | None = None,
        tick: Tick = no_tick,
        *,
        bits: int = 8,
    ) -> Pixels:
        """Return the LR of an image, of size ceil(H / scale) x ceil(W / scale).

        The last row and column are repeated up to a multiple of the scale. For a scale other than
        that of the network, the image is first resized bicubically to LR size times the scale of
        the network.

        Args:
            hr: HR image, uint8 or uint16 [H, W, 3].
            scale: ratio of HR size to LR size, more than 1 and at most the scale of the network,
                which is the default.
            tick: callback that receives the share of the work just completed.
            bits: bits per channel of LR, 8 or 16.

        Returns:
            LR image [h, w, 3], or [H, W, 1] for a colour network.

        Raises:
            UsageError: the scale is out of range.
        """
        scale = self._checked_scale(scale)
        return self._guarded(lambda: self._forward(hr, scale, tick, bits))

    def reading(
        self, hr: Pixels, scale: float | None = None, device: torch.device = _CPU
    ) -> Reading:
        """Return the input of the network for `downscale`; arguments and errors as there.

        The device is that of the rows where no resizing is needed.
        """
        scale = self._checked_scale(scale)
        height, width = hr.shape[:2]
        low_width, low_height = lr_size((width, height), scale)
        cells = whole_cells(self.network, low_height, low_width)
        target = (cells[0] * self.scale, cells[1] * self.scale)
        exact = scale == self.scale
        rows = padded_rows(hr, *target, device) if exact else resized_rows(hr, *target)
        return Reading(rows, *target, low_height, low_width)

    def upscale(
        self,
        lr: Pixels,
        hr_size: tuple[int, int] | None = None,
        scale: float | None = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        tick: Tick = no_tick,
        bits: int = 8,
        fallback: Fallback | None = None,
    ) -> Pixels:
        """Restore the image from which `lr` was made, with a random z.

        Args:
            lr: LR image, uint8 or uint16 [h, w, 3], or [H, W, 1] for a colour network.
            hr_size: width and height of the restored image; None for LR size times scale.
            scale: scale that was given to `downscale`; None for the scale of the network.
            seed: random seed of z, 0 to 2**64 - 1.
            temperature: width of z in units of the recorded width, 0 to 100; 0 gives z = 0.
            tick: callback that receives the share of the work just completed.
            bits: bits per channel of the restored image, 8 or 16.
            fallback: blocks to restore without the network; None if there are none.

        Raises:
            UsageError: an option is out of range, or `hr_size` does not fit the size of `lr`.
        """
        if not 0 <= seed <= MAX_SEED:
            raise UsageError(f"seed is {seed}, expected 0 to {MAX_SEED}")
        if not (math.isfinite(temperature) and 0 <= temperature <= 100):
            raise UsageError(f"temperature is {temperature}, expected 0 to 100")
        height, width = lr.shape[:2]
        hr_size, scale = self.settled((width, height), hr_size, scale)
        full = hr_size if scale == self.scale else (width * self.scale, height * self.scale)
        restored = self._guarded(
            lambda: self._inverse(lr, full, seed, temperature, tick, bits, fallback)
        )
        return restored if full == hr_size else bicubic(restored, hr_size[1], hr_size[0])

    def restore_windows(
        self, lr: Pixels, windows: Sequence[Area], *, seed: int, temperature: float
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Restore windows of LR, each without using the rest of LR.

        Away from the edges of a window, the result is nearly equal to that part of the image
        restored by `upscale`, with the same z. On a GPU, which one small window does not fill,
        windows of the same size run together.

        Args:
            lr: LR image, uint8 or uint16 [h, w, C].
            windows: rows and columns of LR in each window; both ends of each are multiples of the
                side of a cell, except at the end of the image.
            seed: random seed of z, as in `upscale`.
            temperature: width of z, as in `upscale`.

        Yields:
            Index of a window, and the window restored, float32
            [1, 3, rows * scale, columns * scale] on the CPU, not clamped. Each window comes once,
            on the CPU in the given order.
        """
        for group in grouped(windows, TOGETHER_PIXELS if self._device.type == "cuda" else 0):
            places = [windows[index] for index in group]
            restored = self._guarded(partial(self._restored, lr, places, seed, temperature))
            yield from zip(group, restored.split(1), strict=True)

    @torch.inference_mode()
    def _restored(
        self, lr: Pixels, windows: Sequence[Area], seed: int, temperature: float
    ) -> torch.Tensor:
        """Restore windows of the same size: [N, 3, rows * scale, columns * scale] on the CPU."""
        height, width = size_of(windows[0])
        whole = whole_cells(self.network, height, width)
        out = torch.empty(len(windows), 3, whole[0] * self.scale, whole[1] * self.scale)

        def start() -> torch.Tensor:
            states = [
                self._seeded_state(
                    lr[rows, columns], seed, temperature, (rows.start, columns.start)
                )
                for rows, columns in windows
            ]
            return torch.cat(states) if len(states) > 1 else states[0]

        def write(part: slice, values: torch.Tensor) -> None:
            out[:, :, part] = values.cpu()

        self._passes(no_tick).inverse(start, write)
        return out[:, :, : height * self.scale, : width * self.scale]

    def settled(
        self, size: tuple[int, int], hr_size: tuple[int, int] | None, scale: float | None
    ) -> tuple[tuple[int, int], float]:
        """Return the HR size and the scale for restoring an LR of this size.

        Args:
            size: width and height of LR.
            hr_size: width and height of the restored image; None for LR size times scale.
            scale: scale that was given to `downscale`; None for the scale of the network.

        Raises:
            UsageError: the scale is out of range, or `hr_size` does not fit the size of LR.
        """
        scale = self._checked_scale(scale)
        hr_size = hr_size or hr_size_of(size, scale)
        if min(hr_size) < 1 or lr_size(hr_size, scale) != size:
            raise UsageError(
                f"LR is {size[0]}x{size[1]}, but an image of {hr_size[0]}x{hr_size[1]} has an LR "
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

    def _passes(self, tick: Tick) -> Passes:
        return Passes(self.network, self.blocks, tile=self.tile, tick=tick)

    @torch.inference_mode()
    def _forward(self, hr: Pixels, scale: float, tick: Tick, bits: int) -> Pixels:
        given = self.reading(hr, scale, self._device)
        state = self._passes(tick).forward(given.rows, given.height, given.width)
        low, _ = self.network.split(state)
        return to_pixels(low[:, :, : given.low_height, : given.low_width], bits)

    @torch.inference_mode()
    def _inverse(
        self,
        lr: Pixels,
        hr_size: tuple[int, int],
        seed: int,
        temperature: float,
        tick: Tick,
        bits: int,
        fallback: Fallback | None,
    ) -> Pixels:
        width, height = hr_size
        dtype = torch.uint8 if bits == 8 else torch.uint16
        hr = torch.empty((height, width, 3), dtype=dtype, device=self._device)

        def write(rows: slice, values: torch.Tensor) -> None:
            stop = min(rows.stop, height)
            if fallback is not None:
                values = fallback.over(values, rows, slice(0, values.shape[3]))
            if rows.start < stop:
                hr[rows.start : stop] = to_stored(values[:, :, : stop - rows.start, :width], bits)

        start = partial(self._seeded_state, lr, seed, temperature)
        self._passes(tick).inverse(start, write)
        return download(hr)

    def _seeded_state(
        self, lr: Pixels, seed: int, temperature: float, place: tuple[int, int] = (0, 0)
    ) -> torch.Tensor:
        """Join LR and a random z into the state after the last operation.

        `place` gives the first row and column of `lr` in the whole LR.
        """
        config = self.network.config
        rows, columns = whole_cells(self.network, *lr.shape[:2])
        height, width = rows // config.cell, columns // config.cell
        top, left = (first // config.cell for first in place)
        read = padded_rows(lr, rows, columns, self._device)
        state = empty_state(config.state_channels, height, width, self._device)
        low, z = state.split((config.low_channels, config.latent_channels), dim=1)
        sigma = self.network.latent_sigma.view(1, -1, 1, 1) * temperature
        drawn = temperature > 0 and bool(sigma.any())
        if not drawn:
            z.zero_()
        for start in range(0, height, ROWS_AT_A_TIME):
            stop = min(start + ROWS_AT_A_TIME, height)
            cells = read(slice(start * config.cell, stop * config.cell))
            low[:, :, start:stop] = pixel_unshuffle(cells, config.cell)
            if drawn:
                down, across = slice(top + start, top + stop), slice(left, left + width)
                noise = draw(seed, down, across, config.latent_channels, self._device)
                z[:, :, start:stop] = noise * sigma
        return state


def padded_rows(hr: Pixels, height: int, width: int, device: torch.device = _CPU) -> Rows:
    """Return a reader of rows of HR, padded to height x width with its last row and column.

    The pixels are copied to the device at once, and become float32 there, rows at a time.
    """
    pixels = upload(hr, device)
    last = hr.shape[0] - 1

    def read(rows: slice) -> torch.Tensor:
        stop = min(rows.stop, height)
        values = to_tensor(pixels[min(rows.start, last) : min(stop, last + 1)])
        return pad_to(values, stop - rows.start, width)

    return read


def resized_rows(hr: Pixels, height: int, width: int) -> Rows:
    """Return a reader of rows of HR, resized bicubically to height x width in float32."""
    planes = [resize(to_tensor(hr[:, :, c : c + 1]), height, width) for c in range(3)]
    return lambda rows: torch.cat([plane[:, :, rows] for plane in planes], dim=1)


def _resized_channels(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize bicubically, one channel at a time to save memory."""
    planes = [
        to_pixels(resize(to_tensor(pixels[:, :, c : c + 1]), height, width), bits_of(pixels))
        for c in range(pixels.shape[2])
    ]
    return np.concatenate(planes, axis=2)


def resize_plane(plane: Pixels, height: int, width: int) -> Pixels:
    """Resize one channel [H, W], such as alpha, bicubically at its bit depth."""
    return _resized_channels(plane[:, :, None], height, width)[:, :, 0]


def bicubic(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize an image [H, W, 3] bicubically at its bit depth: the baseline method."""
    return _resized_channels(pixels, height, width)


def to_gray(pixels: Pixels) -> Pixels:
    """Replace each of the three channels by their mean."""
    mean: Pixels = np.rint(pixels.mean(axis=2, keepdims=True)).astype(pixels.dtype)
    return mean.repeat(3, axis=2)
