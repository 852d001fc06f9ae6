"""Refinement of a small image: its pixels are optimised, while the weights stay fixed.

    LR <- argmin  sum (HR - inverse(q(LR), 0))^2 + keep sum (LR - LR_0)^2

by a few steps of Adam on the values of LR, through the quantiser and the inverse. Restoring a
refined image needs nothing new. The image is processed in tiles of LR: the whole window of a tile
is optimised, but only the tile is written. A window is smaller than the reach of the inverse, so
gradients near its edges are approximate. The result is therefore judged on the whole image,
restored once before and once after the refinement.

If LR will be stored in a lossy file, iterates are judged as decoded from that file, but gradients
ignore the file. Straight-through gradients (computed at the decoded values and applied to the
encoded ones) pursue detail that a JPEG rounds away, and mostly did harm in trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from irncli.engine.frozen import restored
from irncli.engine.memory import in_parts, quarters
from irncli.engine.rescaler import Rescaler, Rows, padded_rows, resized_rows, whole_cells
from irncli.engine.tensors import AsStored, Pixels, to_pixels, to_tensor
from irncli.engine.ticks import Tick, no_tick
from irncli.engine.tiles import Tile, even_tiles
from irncli.errors import UsageError
from irncli.model import InvertibleNetwork
from irncli.model.quantize import quantize

__all__ = ["KEEP", "MAX_STEPS", "RATE", "STEP_COST", "Refined", "refine"]

RATE = 2e-3
"""Step size of Adam for values in [0, 1]: half a code value."""

KEEP = 1.0
"""Weight of the penalty for departing from the first LR; not tuned."""

MAX_STEPS = 1000

GRAIN = 16
"""Sides of tiles and halos are multiples of GRAIN, so that the blocks of a JPEG have the same
positions in a window as in the image."""

HALO = 16
"""Width of the border around a tile, in pixels of the state."""

TILE = 256
"""Side of a tile in HR pixels, slightly more for scales that do not divide it, and at most half as
many LR pixels. A window then takes 400 MiB (x2) to 800 MiB (x4)."""

PATIENCE = 2
"""Number of successive steps without a gain after which a tile is finished."""

STEP_COST = 3.0
"""Cost of a step in units of one restoration: a forward pass, a backward pass, and the halos."""


@dataclass(frozen=True)
class Refined:
    """Refined LR image with its quality.

    Attributes:
        pixels: LR image, uint8, of the same shape as the first LR.
        before: RGB PSNR in dB of the image restored from the first LR with z = 0.
        after: RGB PSNR in dB of the image restored from `pixels` with z = 0. Law: after >= before.
        steps: largest number of steps taken for a tile; 0 if `pixels` is the first LR.
    """

    pixels: Pixels
    before: float
    after: float
    steps: int


def refine(
    rescaler: Rescaler,
    hr: Pixels,
    lr: Pixels,
    scale: float | None = None,
    *,
    steps: int,
    rate: float = RATE,
    keep: float = KEEP,
    as_stored: AsStored | None = None,
    tick: Tick = no_tick,
) -> Refined:
    """Optimise an LR image so that the image restored with z = 0 is closer to HR.

    Laws: the result is never worse than `lr`; the same input gives the same pixels on the CPU.

    Args:
        rescaler: rescaler that made `lr`; its device is used, in float32.
        hr: HR image, uint8 [H, W, 3].
        lr: LR image returned by `rescaler.downscale(hr, scale)`.
        scale: scale that was given to `downscale`.
        steps: number of Adam steps, 0 to 1000; a tile takes fewer if two successive steps gain
            nothing.
        rate: step size of Adam for values in [0, 1]; more than 0, at most 1.
        keep: weight of the squared distance to `lr` relative to the squared error of HR, both
            summed; 0 to 1e6.
        as_stored: function that returns the pixels that the inverse will receive after the given
            pixels have been stored in a file, in the same shape; called for windows and for the
            whole image. None if the file does not change the pixels.
        tick: callback that receives the share of the work just completed.

    Raises:
        UsageError: an option is out of range, or `lr` does not have the size of `hr` at this scale.
        MemoryExhaustedError: there is not enough memory for the smallest tile.
    """
    _check(steps, rate, keep)
    total = 2 + STEP_COST * steps if steps else 1

    def share(part: float) -> None:
        tick(part / total)

    def error(pixels: Pixels) -> int:
        stored, size = as_stored(pixels) if as_stored else pixels, (hr.shape[1], hr.shape[0])
        back = rescaler.upscale(stored, size, scale, temperature=0, tick=share)
        return _squared_error(back, hr)

    first = error(lr)
    before = _psnr(first, hr.size)
    if not steps or not first:
        share(total - 1)
        return Refined(lr, before, before, 0)
    height, width = lr.shape[:2]
    rows, columns = whole_cells(rescaler.network, height, width)
    whole = np.pad(lr, ((0, rows - height), (0, columns - width), (0, 0)), mode="edge")
    search = _Search(rescaler.network, whole, _target(rescaler, hr, whole, scale), as_stored)
    search.run(steps, rate, keep, lambda part: share(part * STEP_COST * steps))
    found = np.ascontiguousarray(search.pixels[:height, :width])
    if np.array_equal(found, lr):
        share(1)
        return Refined(lr, before, before, 0)
    last = error(found)
    if last >= first:
        return Refined(lr, before, before, 0)
    return Refined(found, before, _psnr(last, hr.size), search.steps)


def _check(steps: int, rate: float, keep: float) -> None:
    if not 0 <= steps <= MAX_STEPS:
        raise UsageError(f"{steps} steps of refinement, expected 0 to {MAX_STEPS}")
    if not 0 < rate <= 1:
        raise UsageError(f"rate of refinement is {rate:g}, expected more than 0 and at most 1")
    if not 0 <= keep <= 1e6:
        raise UsageError(f"keep is {keep:g}, expected 0 to 1e6")


def _squared_error(a: Pixels, b: Pixels) -> int:
    """Return the exact sum of squared differences, row by row to avoid copies of whole images."""
    rows = zip(a, b, strict=True)
    return sum(int(np.square(x.astype(np.int64) - y).sum()) for x, y in rows)


def _psnr(error: int, values: int) -> float:
    """Return the PSNR of 8-bit values in dB; inf if there is no error."""
    return 10 * math.log10(255**2 * values / error) if error else math.inf


def _target(rescaler: Rescaler, hr: Pixels, lr: Pixels, scale: float | None) -> Rows:
    """Return a reader of the target of the inverse: HR padded or resized as for `downscale`."""
    height, width = (side * rescaler.scale for side in lr.shape[:2])
    exact = scale is None or scale == rescaler.scale
    return (padded_rows if exact else resized_rows)(hr, height, width)


class _Search:
    """Refinement of one image, tile by tile.

    Attributes:
        pixels: first LR, overwritten by each tile that is finished.
        steps: largest number of steps that a tile has taken so far.
    """

    def __init__(
        self, network: InvertibleNetwork, lr: Pixels, target: Rows, as_stored: AsStored | None
    ) -> None:
        self.network, self.lr, self.target, self.as_stored = network, lr, target, as_stored
        self.device = network.latent_sigma.device
        self.pixels, self.steps = lr.copy(), 0
        self.side = math.ceil(TILE / max(2, network.config.scale) / GRAIN) * GRAIN
        self.halo = HALO * network.config.cell

    def run(self, steps: int, rate: float, keep: float, tick: Tick) -> None:
        """Refine all tiles; see `refine`."""
        height, width = self.lr.shape[:2]

        def refine_tile(tile: Tile) -> None:
            best, taken = self._best(tile, steps, rate, keep)
            self.pixels[tile.rows.tile, tile.columns.tile] = best
            self.steps = max(self.steps, taken)
            tick(best.size / self.pixels.size)

        # The caller may have disabled gradients.
        with torch.inference_mode(False), torch.enable_grad():
            whole = slice(0, height), slice(0, width)
            for tile in even_tiles(*whole, self.side, (height, width), self.halo, GRAIN):
                in_parts(tile, refine_tile, self._split, self.device)

    def _split(self, tile: Tile) -> Iterator[Tile]:
        size = (self.lr.shape[0], self.lr.shape[1])
        return quarters(tile, size, self.halo, GRAIN, self.device, "refine")

    def _best(self, tile: Tile, steps: int, rate: float, keep: float) -> tuple[Pixels, int]:
        """Return the best iterate for one tile and the number of steps taken."""
        window = self.lr[tile.rows.window, tile.columns.window]
        start, target = to_tensor(window).to(self.device), self._target(tile)
        low = start.clone().requires_grad_()
        adam = torch.optim.Adam([low], lr=rate)
        best, least, idle, step = window, math.inf, 0, 0
        while True:
            with torch.set_grad_enabled(step < steps):
                small = quantize(low)
                error = self._error(small, target)
            pixels = to_pixels(small.detach())
            own = self._own_error(pixels, error, target, tile)
            if own < least:
                best, least, idle = pixels, own, 0
            else:
                idle += 1
            if step == steps or idle == PATIENCE:
                return best[tile.rows.inner, tile.columns.inner], step
            loss = error.square().sum() + keep * (low - start).square().sum()
            (low.grad,) = torch.autograd.grad(loss, low)
            adam.step()
            step += 1

    def _target(self, tile: Tile) -> torch.Tensor:
        scale = self.network.config.scale
        rows = self.target(slice(tile.rows.low * scale, tile.rows.high * scale))
        columns = slice(tile.columns.low * scale, tile.columns.high * scale)
        return rows[:, :, :, columns].to(self.device)

    def _error(self, small: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the error of the restored window, quantised to 8 bits as in the final image."""
        return quantize(restored(self.network, small)) - target

    def _own_error(
        self, pixels: Pixels, error: torch.Tensor, target: torch.Tensor, tile: Tile
    ) -> float:
        """Return the summed squared error in the tile when `pixels` are decoded from their file."""
        if self.as_stored is not None:
            with torch.no_grad():
                error = self._error(to_tensor(self.as_stored(pixels)).to(self.device), target)
        return _in_tile(error, tile, self.network.config.scale).square().sum().item()


def _in_tile(window: torch.Tensor, tile: Tile, scale: int) -> torch.Tensor:
    rows, columns = (
        slice(axis.inner.start * scale, axis.inner.stop * scale)
        for axis in (tile.rows, tile.columns)
    )
    return window[:, :, rows, columns]
