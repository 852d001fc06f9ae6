"""The choice of a JPEG's coefficients for the image that will be restored from it.

A JPEG of LR is usually made as near to LR as its size allows. What matters is the restored image:

    minimise   ||HR - inverse(decode(q), 0)||^2 / 2  +  price * bits(q)

over the levels q of all blocks. Three parts do it:

1. *Tables.* An error of one unit in a coefficient costs h / 2 in the restored image, where the
   sensitivity h of each wave and plane is measured through the inverse network. Steps in
   proportion to 1 / sqrt(h) spread the error best.
2. *Levels.* Those of each block have the least cost in bits and in error (`trellis`); the error is
   that of the coefficients, weighted by h.
3. *Targets.* The coefficients that are quantised move against the gradient of the error of the
   image restored from the quantised ones, divided by h. Some blocks are far more sensitive than h
   says, so each block has a rate of its own: where the cost of a block and its neighbours rose, the
   block is set back and its rate falls; elsewhere its rate rises.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.nn import functional

from irncli.compression.blocks import blocks_of, pixels_of, planes_of
from irncli.compression.quantiser import Planes, Quantiser, step_of
from irncli.compression.sensitivity import sensitivity_of
from irncli.engine.device import has_bfloat16, resolve_precision
from irncli.engine.frozen import restored
from irncli.engine.memory import in_parts, quarters
from irncli.engine.rescaler import Pixels, Rescaler, Rows
from irncli.engine.tensors import to_tensor
from irncli.engine.ticks import Tick, no_tick
from irncli.engine.tiles import Tile, even_tiles
from irncli.io.encoding import Coefficients
from irncli.model import InvertibleNetwork

__all__ = ["GROWTH", "MAX_EFFORT", "JpegCoder", "round_cost", "rounds_of"]

MAX_EFFORT: Final = 9
STEP: Final = 66.0
"""Quantisation step at quality 50 of a coefficient with the sensitivity 1, in code values of the
restored image: the files are then about as large as those of the usual tables."""
RATE: Final = 0.08
"""First rate of the targets; 1 would be right if the waves of all blocks were independent and
equally sensitive."""
FASTER, SLOWER = 1.2, 0.4
"""Factors of the rate of a block after a round that lowered its cost, and after one that did not.
"""
SIDE: Final = 160
"""Side of a tile in LR pixels for x2, and less for larger scales."""
HALO: Final = 16
"""Width of the border around a tile, in LR pixels."""
GRAIN: Final = 16
ROUND_COST: Final = 3.0
"""Time of a round in units of one restoration of the same dtype: forward, backward, and halos."""
BFLOAT16_COST: Final = 0.55
"""Time in bfloat16, on a CPU with instructions for it, in units of that in float32."""
GROWTH: Final = 1.1
"""By how much files of one quality grow in the rounds, about."""


def rounds_of(effort: int) -> int:
    """Return the number of rounds in which the targets move, for an effort 0 to 9."""
    return max(0, effort - 1)


def round_cost(rescaler: Rescaler) -> float:
    """Return the usual time of a round in units of one restoration by a rescaler."""
    on_cpu = rescaler.network.latent_sigma.device.type == "cpu"
    shorter = rescaler.precision == "auto" and on_cpu and _dtype_of(rescaler) == torch.bfloat16
    return ROUND_COST * (BFLOAT16_COST if shorter else 1)


@dataclass
class _Blocks:
    """Blocks of coefficients of all planes, [C, rows, columns, 64].

    Attributes:
        targets: coefficients that are quantised.
        levels: what they were quantised to, in steps.
        gradient: gradient of the error of the restored image by the coefficients.
        cost: cost of each block with its neighbours, [rows, columns].
    """

    targets: torch.Tensor
    levels: torch.Tensor
    gradient: torch.Tensor
    cost: torch.Tensor

    def take(self, other: _Blocks, where: torch.Tensor) -> None:
        """Take the blocks of another set where `where` [rows, columns] says so."""
        here = where[None, :, :, None]
        self.targets = torch.where(here, other.targets, self.targets)
        self.levels = torch.where(here, other.levels, self.levels)
        self.gradient = torch.where(here, other.gradient, self.gradient)
        self.cost = torch.where(where, other.cost, self.cost)


class JpegCoder:
    """Coder of one LR image; see the module.

    Args:
        rescaler: rescaler whose inverse restores the image.
        hr: HR image, uint8 [H, W, 3].
        low: LR of it, uint8 [h, w, 3].
        scale: HR size over LR size.
        gray: write one plane only.
        neutral: the three channels are equal: Cb and Cr are zero.
    """

    def __init__(
        self,
        rescaler: Rescaler,
        hr: Pixels,
        low: Pixels,
        scale: float,
        *,
        gray: bool = False,
        neutral: bool = False,
    ) -> None:
        self._gray = gray
        self._network: InvertibleNetwork = rescaler.network
        self._dtype = _dtype_of(rescaler)
        self._size = (low.shape[1], low.shape[0])
        self._target: Rows = rescaler.reading(hr, scale).rows
        device = self._network.latent_sigma.device
        bottom, right = (-side % 8 for side in low.shape[:2])
        whole = np.pad(low, ((0, bottom), (0, right), (0, 0)), mode="edge")
        planes = planes_of(to_tensor(whole).to(device))[: 1 if gray or neutral else 3]
        self._sensitivity = sensitivity_of(self._network, planes)
        self._targets = blocks_of(planes)
        self._found: dict[int, torch.Tensor] = {}

    def code(self, quality: int) -> Coefficients:
        """Return the coefficients of a JPEG.

        Args:
            quality: 1 to 100; the steps fall with it as those of the usual tables do.
        """
        quantiser = self._quantiser(quality)
        levels: Planes | None = self._found.get(quality)
        if levels is None:
            levels = quantiser.levels(self._targets)
        return quantiser.coefficients(levels, self._size, gray=self._gray)

    def improved(self, quality: int, rounds: int, tick: Tick = no_tick) -> JpegCoder:
        """Return a coder with better targets for the files of a quality, and of those near it.

        Args:
            quality: 1 to 100.
            rounds: number of rounds; each takes as long as three restorations, or less.
            tick: called with the share of the work that was just done.

        Raises:
            MemoryExhaustedError: there is not enough memory for the smallest tile.
        """
        quantiser = self._quantiser(quality)
        levels = torch.stack(quantiser.levels(self._targets))
        search = _Search(
            self._network, self._dtype, self._target, self._size, quantiser, self._sensitivity,
            self._targets, levels,
        )  # fmt: skip
        search.run(rounds, tick)
        better = copy(self)
        better._targets, better._found = search.targets, {quality: search.levels}
        return better

    def _quantiser(self, quality: int) -> Quantiser:
        return Quantiser(self._sensitivity, STEP * step_of(quality), self._targets)


class _Search:
    """Search for better levels, tile by tile.

    Attributes:
        targets: coefficients that are quantised, overwritten by each tile that is finished.
        levels: levels of the blocks, overwritten likewise.
    """

    def __init__(
        self,
        network: InvertibleNetwork,
        dtype: torch.dtype,
        target: Rows,
        size: tuple[int, int],
        quantiser: Quantiser,
        sensitivity: torch.Tensor,
        targets: torch.Tensor,
        levels: torch.Tensor,
    ) -> None:
        self.network, self.dtype = network, dtype
        self.target, self.size, self.quantiser = target, size, quantiser
        self.sensitivity = sensitivity
        self.targets, self.levels = targets.clone(), levels
        self.device = targets.device
        self.scale = network.config.scale

    def run(self, rounds: int, tick: Tick) -> None:
        """Improve all tiles."""
        width, height = self.size
        whole = slice(0, height), slice(0, width)
        side = max(GRAIN, 2 * SIDE // self.scale // GRAIN * GRAIN)

        def improve(tile: Tile) -> None:
            rows, columns = _in_blocks(tile.rows.tile), _in_blocks(tile.columns.tile)
            found = self._improved(tile, rounds)
            self.targets[:, rows, columns] = found.targets
            self.levels[:, rows, columns] = found.levels
            tick(found.cost.numel() / self.levels[0, :, :, 0].numel())

        with torch.inference_mode(False), torch.enable_grad():
            for tile in even_tiles(*whole, side, (height, width), HALO, GRAIN):
                in_parts(tile, improve, self._split, self.device)

    def _split(self, tile: Tile) -> Iterator[Tile]:
        size = (self.size[1], self.size[0])
        return quarters(tile, size, HALO, GRAIN, self.device, "encode")

    def _improved(self, tile: Tile, rounds: int) -> _Blocks:
        """Return the blocks of a tile after some rounds."""
        rows, columns = _in_blocks(tile.rows.tile), _in_blocks(tile.columns.tile)
        hr = self._hr(tile)
        best = self._judged(tile, hr, self.targets[:, rows, columns], self.levels[:, rows, columns])
        rates = torch.full_like(best.cost, RATE)
        for round_ in range(rounds):
            moves = rates[:, :, None] * best.gradient / self.sensitivity[:, None, None]
            targets = best.targets - moves
            levels = torch.stack(self.quantiser.levels(targets))
            last = round_ == rounds - 1
            trial = self._judged(tile, hr, targets, levels, with_gradient=not last)
            better = trial.cost <= best.cost
            best.take(trial, better)
            rates = torch.where(better, rates * FASTER, rates * SLOWER)
        return best

    def _hr(self, tile: Tile) -> torch.Tensor:
        rows = self.target(slice(tile.rows.low * self.scale, tile.rows.high * self.scale))
        columns = slice(tile.columns.low * self.scale, tile.columns.high * self.scale)
        return 255 * rows[:, :, :, columns].to(self.device)

    def _judged(
        self,
        tile: Tile,
        hr: torch.Tensor,
        targets: torch.Tensor,
        levels: torch.Tensor,
        *,
        with_gradient: bool = True,
    ) -> _Blocks:
        """Return blocks of a tile with their cost and the gradient of the error."""
        window = _in_blocks(tile.rows.window), _in_blocks(tile.columns.window)
        top, left = (axis.start // 8 - axis.low // 8 for axis in (tile.rows, tile.columns))
        inner = slice(top, top + levels.shape[1]), slice(left, left + levels.shape[2])
        around = self.levels[:, window[0], window[1]].clone()
        around[:, inner[0], inner[1]] = levels
        given = self.quantiser.values(around).requires_grad_(with_gradient)
        height, width = (axis.high - axis.low for axis in (tile.rows, tile.columns))
        with torch.set_grad_enabled(with_gradient):
            low = pixels_of(given)[:, :, :height, :width]
            error = 255 * restored(self.network, low, self.dtype) - hr
        gradient = torch.zeros_like(given)
        if with_gradient:
            (gradient,) = torch.autograd.grad(error.square().sum() / 2, given)
        cost = _error_of_blocks(error.detach(), hr, 8 * self.scale) / 2
        cost[inner] += self.quantiser.price * self.quantiser.bits(levels)
        shared = _with_neighbours(cost)[inner]
        return _Blocks(targets, levels, gradient[:, inner[0], inner[1]], shared)


def _dtype_of(rescaler: Rescaler) -> torch.dtype:
    """Return the dtype inside the dense blocks in the rounds.

    A gradient in bfloat16 points the same way, and the errors of the restored image are many times
    as large as those of bfloat16, so `auto` uses it where there are instructions for it, though a
    CPU restores in float32. The gradient might overflow float16.
    """
    device = rescaler.network.latent_sigma.device
    if rescaler.precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return resolve_precision(rescaler.precision, device)


def _in_blocks(pixels: slice) -> slice:
    """Return the blocks of some rows or columns that begin with a block."""
    return slice(pixels.start // 8, math.ceil(pixels.stop / 8))


def _error_of_blocks(error: torch.Tensor, hr: torch.Tensor, side: int) -> torch.Tensor:
    """Return the squared error of the final image in each block, [rows, columns]."""
    final = (error + hr).clamp(0, 255).round() - hr
    squares = final.square().sum(dim=1, keepdim=True)
    bottom, right = (-length % side for length in squares.shape[2:])
    squares = functional.pad(squares, (0, right, 0, bottom))
    return functional.avg_pool2d(squares, side)[0, 0] * side**2


def _with_neighbours(cost: torch.Tensor) -> torch.Tensor:
    """Return the cost of each block and its neighbours, which count less: LR pixels reach there."""
    weights = cost.new_tensor([0.5, 1, 0.5])
    kernel = weights[:, None] * weights
    padded = functional.pad(cost[None, None], (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, kernel[None, None])[0, 0]
