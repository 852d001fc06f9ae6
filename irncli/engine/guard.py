"""The guard: every LR a good thumbnail, and nothing restored worse than the simple way restores it.

Networks fail on images that they were not trained for. So LR is compared, block by block, with the
*plain* LR that everybody would have made: bicubic LR or, for a colour network, luma. On ordinary
photographs this comparison is all that happens (`irncli.engine.doubt` has the limits).

1. Where LR departs too far, it is blended towards the plain one, as far as is needed.
2. Where that takes a strong blend, and where the image is flat, drawn or noise, it is restored and
   compared with what the plain way restores: the plain LR enlarged bicubically or, for a colour
   network, given the mean colour of the image.
3. Blocks that are worse are marked: there LR becomes the plain one, and is restored the plain way.

The marks go into the tag. A block changes its surroundings, so these are looked at again.

Errors are in code values of 8 bits throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from irncli.engine.doubt import (
    flat_blocks,
    largest,
    means,
    needed_blend,
    shifts,
    texture,
)
from irncli.engine.fallback import Fallback, block_weights, mixed
from irncli.engine.placing import quiet
from irncli.engine.rescaler import Reading, Rescaler, to_gray
from irncli.engine.tensors import Pixels, bits_of, to_pixels, to_tensor
from irncli.geometry import Blocks, block_side, grid_shape
from irncli.model.bicubic import Window, resize_window
from irncli.model.quantize import quantize
from irncli.model.transforms import YUV_ROWS

__all__ = ["Guarded", "guard"]

DOUBTFUL_BLEND = 0.4
"""A block that needs a smaller blend is not looked at: single blocks of photographs need one."""
PERFECT = 255**2 * 1e-5
"""Mean square, 50 dB: below it, restored blocks are not compared by it, but by their peak."""
MOST_PEAK = 1.5
"""Largest error of a value in a block that the plain way restores perfectly."""
MOST_RESTORED_SHIFT = 2.5
"""Departure of the mean of 16x16 restored pixels from the original's, where nothing is gained."""
MUCH_BETTER = 0.7
"""Share of the plain way's mean square error below which such a departure is taken."""

GRAYISH = 40.0
"""Mean square of what a single colour all over the image is wrong by: below it, 32 dB, a colour
network is looked at."""

TILE = 96
"""Largest side, in LR pixels, of the rectangles that are restored to look at them."""
HALO = 4
"""LR pixels around such a rectangle that are restored with it. Of 51 blocks of hard images, each
restored alone, 47 had errors within 1 % of those with 8 pixels; the largest difference was 8 %."""
PROBED_SHARE = 0.01 / 2.25
"""Share of the blocks that are looked at in any case; with its halo each is 2.25 times as large."""
ROUGHER = 1.25
"""Blocks up to so many times as smooth as a probe that is worse are looked at as well."""
ROUNDS = 3
"""Times that restored blocks are looked at; what is worse in the last is marked unseen."""

Filed = Callable[[Pixels], Pixels]


@dataclass(frozen=True, eq=False)
class Guarded:
    """An LR that can be trusted.

    Attributes:
        pixels: of LR.
        blocks: where it is the plain one and has to be restored the plain way; None: nowhere.
        tint: R - Y, G - Y, B - Y of the mean colour of the image: what the plain way of a colour
            network adds. None for rescaling.
        repaired: share of blocks that were blended towards plain LR, but are the network's.
        neutral: its channels are equal, and so are those of what is restored.
    """

    pixels: Pixels
    blocks: Blocks | None = None
    tint: tuple[float, float, float] | None = None
    repaired: float = 0.0
    neutral: bool = False

    @property
    def bicubic(self) -> float:
        """Share of blocks that are restored the plain way."""
        return 0.0 if self.blocks is None else float(self.blocks.mean())


def guard(
    rescaler: Rescaler,
    hr: Pixels,
    low: Pixels,
    scale: float | None = None,
    *,
    temperature: float = 0.0,
    neutral: bool = False,
    filed: Filed | None = None,
    tick: Callable[[float], None] = quiet,
) -> Guarded:
    """Repair an LR where it is no good thumbnail, or would not be restored as well as a plain one.

    Laws: the same result for every tile and number of threads; the LR keeps the limits of
    `irncli.engine.doubt`.

    Args:
        rescaler: that made it.
        hr: uint8 or uint16 [H, W, 3].
        low: its LR, [h, w, C], by `rescaler.downscale`.
        scale: as given to that.
        temperature: of z, as it will be restored by default.
        neutral: the three channels of HR are equal: so are those of the result, and of what is
            going to be restored.
        filed: what a file will hold of an LR; None: all of it. Then every block is looked at,
            since a file loses something everywhere.
        tick: called with 0 before each part of the work: it may raise to end it. How much there is
            to do is known only when it is done.
    """
    work = _Guard(rescaler, hr, low, scale, temperature, tick, neutral=neutral, filed=filed)
    work.run()
    return work.result()


class _Guard:
    def __init__(
        self,
        rescaler: Rescaler,
        hr: Pixels,
        low: Pixels,
        scale: float | None,
        temperature: float,
        tick: Callable[[float], None],
        *,
        neutral: bool,
        filed: Filed | None,
    ) -> None:
        self.rescaler, self.temperature, self.filed = rescaler, temperature, filed
        self.tick = tick
        self.reading = rescaler.reading(hr, scale)
        color = rescaler.network.config.task == "color"
        self.tint = _tint(hr) if color else None
        self.plain = _plain(self.reading, rescaler.scale, bits_of(low), color=color)
        self.low = low
        # A gray image of a colour network has one channel anyway.
        self.neutral = neutral and not color
        if self.neutral:
            self.low, self.plain = to_gray(low), to_gray(self.plain)
        size = (low.shape[1], low.shape[0])
        self.side, self.shape = block_side(size), grid_shape(size)
        departure = _levels(self.low) - _levels(self.plain)
        flat = flat_blocks(_levels(self.plain), self.side)
        self.blend = needed_blend(departure, flat, self.side, color=color)
        self.marked = torch.zeros(self.shape, dtype=torch.bool)
        self.looked_at = (self.blend > (0 if color else DOUBTFUL_BLEND)) | flat
        found = texture(hr, self.shape, self.side * (scale or rescaler.scale))
        self.looked_at |= found.unphotographed
        self.growth = found.growth
        if color:
            self.looked_at |= self._colourless()
        if filed is not None:
            self.looked_at[:] = True

    def run(self) -> None:
        """Look at what is in doubt, mark what is worse, look at what that changed."""
        self.plain_seen = self._seen(self.plain)
        doubtful = self.looked_at | self._like_worse_probes()
        for _ in range(ROUNDS):
            if not doubtful.any():
                return
            worse = self._worse(doubtful) & ~self.marked
            self.marked |= worse
            doubtful = _grown(worse) & ~self.marked
        self.marked |= self._worse(doubtful)

    def result(self) -> Guarded:
        """LR as it is now, and the marks."""
        marked = self.marked.numpy()
        repaired = float(((self.blend > 0) & ~self.marked).float().mean())
        if not marked.any():
            return Guarded(self._blended(), repaired=repaired, neutral=self.neutral)
        return Guarded(self._blended(), marked, self.tint, repaired, self.neutral)

    def _colourless(self) -> torch.Tensor:
        """Blocks that one colour all over the image comes near already: [rows, columns]."""
        plain = Fallback(self.plain, self.marked.numpy(), 1, self.tint)
        colourless = torch.zeros(self.shape, dtype=torch.bool)
        height, width = self.low.shape[:2]
        for row in range(self.shape[0]):
            rows = slice(row * self.side, min((row + 1) * self.side, height))
            columns = slice(0, width)
            error = 255 * (plain.plain(rows, columns) - self._original(rows, columns))
            square = means(error.square().mean(1, keepdim=True), self.side)
            colourless[row] = square[0, 0, 0] < GRAYISH
        return colourless

    def _like_worse_probes(self) -> torch.Tensor:
        """Blocks as rough as those that turn out worse among the roughest: [rows, columns].

        Some networks fail on noise that no measure of the image alone tells from texture. So the
        roughest blocks are looked at, whatever they are: one, or as many as take a hundredth of
        the time of restoring the image.
        """
        candidates = torch.where(self.looked_at, torch.inf, self.growth).flatten()
        count = max(1, int(PROBED_SHARE * candidates.numel()))
        values, places = candidates.sort(stable=True)
        chosen = places[:count][values[:count].isfinite()]
        probes = torch.zeros(candidates.numel(), dtype=torch.bool)
        probes[chosen] = True
        worse = self._worse(probes.view(self.shape), tile=self.side)
        if not worse.any():
            return worse
        return self.growth <= ROUGHER * float(self.growth[worse].max())

    def _seen(self, low: Pixels) -> Pixels:
        return low if self.filed is None else np.ascontiguousarray(self.filed(low))

    def _blended(self) -> Pixels:
        """LR with its blends: the network's where the weight is 0, exactly plain where it is 1."""
        grid = torch.where(self.marked, 1.0, self.blend)
        if not grid.any():
            return self.low
        height, width = self.low.shape[:2]
        low = self.low.copy()
        for top in range(0, height, TILE):
            rows = slice(top, min(top + TILE, height))
            weights = block_weights(grid, self.side, rows, slice(0, width))
            network, plain = to_tensor(self.low[rows]), to_tensor(self.plain[rows])
            low[rows] = to_pixels(mixed(network, plain, weights), bits_of(low))
        return low

    def _worse(self, doubtful: torch.Tensor, tile: int = TILE) -> torch.Tensor:
        """Find the doubtful blocks that are restored worse than the plain way.

        Args:
            doubtful: [rows, columns].
            tile: largest side of what is restored at once, in LR pixels.
        """
        if not doubtful.any():
            return doubtful
        seen = self._seen(self._blended())
        fallback = Fallback(seen, self.marked.numpy(), self.rescaler.scale, self.tint)
        plain = replace(fallback, low=self.plain_seen)
        worse = torch.zeros_like(doubtful)
        for place, rows, columns in self._tiles(doubtful, tile):
            self.tick(0)
            original = self._original(rows, columns)
            network = self._restored(seen, fallback, rows, columns) - original
            simple = self._quantised(plain.plain(*self._up(rows, columns))) - original
            worse[place] = self._is_worse(255 * network, 255 * simple)
        return worse & doubtful

    def _tiles(
        self, doubtful: torch.Tensor, tile: int
    ) -> Iterator[tuple[tuple[slice, slice], slice, slice]]:
        """Rectangles around the doubtful blocks of each square of the grid.

        Yields:
            Rows and columns of the grid, rows of LR, columns of LR.
        """
        count = max(1, tile // self.side)
        height, width = self.low.shape[:2]
        for top in range(0, self.shape[0], count):
            for left in range(0, self.shape[1], count):
                found = doubtful[top : top + count, left : left + count].nonzero()
                if len(found):
                    first, last = found.amin(0).tolist(), found.amax(0).tolist()
                    down = slice(top + first[0], top + last[0] + 1)
                    across = slice(left + first[1], left + last[1] + 1)
                    rows = slice(down.start * self.side, min(down.stop * self.side, height))
                    columns = slice(across.start * self.side, min(across.stop * self.side, width))
                    yield (down, across), rows, columns

    def _up(self, rows: slice, columns: slice) -> tuple[slice, slice]:
        scale = self.rescaler.scale
        return (
            slice(rows.start * scale, rows.stop * scale),
            slice(columns.start * scale, columns.stop * scale),
        )

    def _original(self, rows: slice, columns: slice) -> torch.Tensor:
        down, across = self._up(rows, columns)
        return self.reading.rows(down)[:, :, :, across]

    def _restored(
        self, seen: Pixels, fallback: Fallback, rows: slice, columns: slice
    ) -> torch.Tensor:
        """As `upscale` with the marks and seed 0 will restore it."""
        scale = self.rescaler.scale
        height, width = seen.shape[:2]
        wide_rows = slice(max(0, rows.start - HALO), min(height, rows.stop + HALO))
        wide_columns = slice(max(0, columns.start - HALO), min(width, columns.stop + HALO))
        values = self.rescaler.restore_window(
            seen, wide_rows, wide_columns, seed=0, temperature=self.temperature
        )
        top, left = rows.start - wide_rows.start, columns.start - wide_columns.start
        inner = values[
            :, :, top * scale : (top + rows.stop - rows.start) * scale,
            left * scale : (left + columns.stop - columns.start) * scale,
        ]  # fmt: skip
        return self._quantised(fallback.over(inner, *self._up(rows, columns)))

    def _quantised(self, values: torch.Tensor) -> torch.Tensor:
        values = quantize(values)
        if self.neutral:
            values = quantize(values.mean(dim=1, keepdim=True)).expand(-1, 3, -1, -1)
        return values

    def _is_worse(self, network: torch.Tensor, plain: torch.Tensor) -> torch.Tensor:
        """For each block of a square, from the errors of both ways."""
        side = self.side * self.rescaler.scale

        def mean_square(error: torch.Tensor) -> torch.Tensor:
            return means(error.square().mean(1, keepdim=True), side)[0, 0]

        def shift(error: torch.Tensor) -> torch.Tensor:
            return largest(shifts(error, 16), max(1, side // 16))

        by_network, by_plain = mean_square(network), mean_square(plain)
        # In this direction, since a network that fails badly gives values that are not numbers.
        good = by_network <= by_plain.clamp_min(PERFECT)
        if side % 16 == 0:
            tinted = shift(network) > shift(plain).clamp_min(MOST_RESTORED_SHIFT)
            good &= ~tinted | (by_network < MUCH_BETTER * by_plain)
        return ~(good & ((by_plain >= PERFECT) | (largest(network.abs(), side) <= MOST_PEAK)))


def _levels(pixels: Pixels) -> torch.Tensor:
    """[1, C, h, w], white is 255."""
    return to_tensor(pixels).mul_(255)


def _plain(reading: Reading, scale: int, bits: int, *, color: bool) -> Pixels:
    """Bicubic LR of an image, or its luma, row by row."""
    height, width = reading.low_height, reading.low_width
    plain: Pixels = np.empty((height, width, 1 if color else 3), f"u{bits // 8}")
    columns = Window(reading.width, reading.width // scale, slice(0, width))
    luma = torch.tensor(YUV_ROWS[0]).view(1, 3, 1, 1)
    for top in range(0, height, TILE):
        part = slice(top, min(top + TILE, height))
        if color:
            low = (reading.rows(part)[:, :, :, :width] * luma).sum(dim=1, keepdim=True)
        else:
            rows = Window(reading.height, reading.height // scale, part)
            low = resize_window(reading.rows(rows.source)[:, :, :, columns.source], rows, columns)
        plain[part] = to_pixels(low, bits)
    return plain


def _tint(hr: Pixels) -> tuple[float, float, float]:
    mean = hr.mean(axis=(0, 1), dtype=np.float64) * (255 / np.iinfo(hr.dtype).max)
    red, green, blue = (float(round(value, 2)) for value in mean - mean @ np.array(YUV_ROWS[0]))
    return red, green, blue


def _grown(blocks: torch.Tensor) -> torch.Tensor:
    """The blocks and their neighbours."""
    return functional.max_pool2d(blocks[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0
