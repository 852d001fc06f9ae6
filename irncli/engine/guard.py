"""Guard against LR images that are poor thumbnails or are restored worse than plain LR.

Networks fail on images that they were not trained for. The guard therefore compares LR, block by
block, with *plain* LR: bicubic LR or, for a colour network, luma. On ordinary photographs, little
happens beyond this comparison (`irncli.engine.guard_measures` has the limits).

1. Where LR departs too far from plain LR, it is blended towards plain LR as far as needed. In
   blocks that are flat, each pixel is clamped to plain LR and a level more or less.
2. Blocks that need a strong blend, and blocks that are flat, drawn or noise, are checked: they are
   restored by the network and by the plain method, and the two results are compared as a user gets
   them, at the size of the original. The plain method enlarges plain LR bicubically or, for a
   colour network, adds the mean colour of the image.
3. Blocks that the network restores worse are marked: LR becomes plain LR there, and these blocks
   are restored by the plain method. A marked block changes its surroundings, so the neighbouring
   blocks are checked again.
4. The two methods are blended around marked blocks, which can cost the neighbours more than the
   marks gain. Marks that are near each other form a group with their neighbours. Of each group, all
   marks are kept, those found first, or none, whichever has the least error in the group.

The marks are stored in the tag.

All errors are in 8-bit code values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from irncli.engine.fallback import Fallback, block_weights, mixed
from irncli.engine.guard_measures import (
    clamp_flat,
    flat_blocks,
    means,
    needed_blend,
    texture,
)
from irncli.engine.guard_verdict import (
    BlockErrors,
    State,
    block_errors,
    cheapest,
    components,
    costs,
    is_worse,
    with_neighbours,
)
from irncli.engine.original import Original
from irncli.engine.rescaler import Rescaler, to_gray
from irncli.engine.tensors import AsStored, Pixels, bits_of, to_pixels, to_tensor
from irncli.engine.ticks import Tick, no_tick
from irncli.engine.windows import Area
from irncli.geometry import Blocks, block_side, grid_shape
from irncli.model.bicubic import Window, resize_window
from irncli.model.transforms import YUV_ROWS

__all__ = ["Guarded", "guard"]

DOUBTFUL_BLEND = 0.4
"""Blend above which a block is checked, for rescaling. Single blocks of ordinary photographs need
smaller blends, which are no reason for a check."""
TINT_SUFFICES = 40.0
"""Mean square error, 32 dB, of a block of luma tinted with the mean colour of the image. For a
colour network, blocks with a smaller error are checked."""

TILE = 96
"""Largest side, in LR pixels, of the rectangles that are restored for a check, and the height of
the bands in which plain LR is made and blended."""
HALO = 4
"""Width, in LR pixels, of the border that is restored around such a rectangle. Of 51 blocks of hard
images, each restored alone, 47 had errors within 1 % of those with a halo of 8 pixels; the largest
difference was 8 %. Resizing to the original needs less than 3 of these pixels at any scale."""
PROBED_SHARE = 0.01 / 2.25
"""Share of the blocks that are always checked; with its halo, each is 2.25 times as large."""
ROUGHER = 1.25
"""Factor of smoothness: if a probe turns out worse, blocks up to this many times as smooth as that
probe are checked as well."""
ROUNDS = 3
"""Number of rounds of checks, each followed by a check of the neighbours of newly marked blocks.
Blocks found worse after the last round are marked, but their neighbours are not checked again."""


@dataclass(frozen=True, eq=False)
class Guarded:
    """LR image after the guard has checked and repaired it.

    Attributes:
        pixels: pixels of LR.
        blocks: grid of the marked blocks, which hold plain LR and are restored by the plain method;
            None if there are none.
        tint: R - Y, G - Y, B - Y of the mean colour of the image, in 8-bit code values, which the
            plain method of a colour network adds; None for rescaling, or if no block is marked.
        repaired: share of blocks, 0 to 1, whose LR was brought nearer to plain LR but which are
            still restored by the network.
        neutral: true if the three channels of LR are equal, as are those of the restored image.
    """

    pixels: Pixels
    blocks: Blocks | None = None
    tint: tuple[float, float, float] | None = None
    repaired: float = 0.0
    neutral: bool = False

    @property
    def bicubic(self) -> float:
        """Share of blocks, 0 to 1, that are restored by the plain method."""
        return 0.0 if self.blocks is None else float(self.blocks.mean())


def guard(
    rescaler: Rescaler,
    hr: Pixels,
    low: Pixels,
    scale: float | None = None,
    *,
    temperature: float = 0.0,
    neutral: bool = False,
    as_stored: AsStored | None = None,
    tick: Tick = no_tick,
) -> Guarded:
    """Repair LR where it is not a good thumbnail or would be restored worse than plain LR.

    Laws: the result does not depend on the tile size or the number of threads; LR keeps the limits
    of `irncli.engine.guard_measures`.

    Args:
        rescaler: rescaler that made `low`.
        hr: HR image, uint8 or uint16 [H, W, 3].
        low: LR image, [h, w, C], made from `hr` by `rescaler.downscale`.
        scale: scale that was given to `rescaler.downscale`.
        temperature: default temperature of z for restoring the image.
        neutral: true if the three channels of HR are equal; those of the result and of the restored
            image are then equal as well.
        as_stored: function that returns the pixels that a lossy file will hold for an LR; None if
            the file is lossless. If given, every block is checked, since such a file loses
            something everywhere.
        tick: callback called with 0 before each part of the work; it may raise an exception to stop
            the guard. The total amount of work is not known in advance.
    """
    work = _Guard(rescaler, hr, low, scale, temperature, tick, neutral=neutral, as_stored=as_stored)
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
        tick: Tick,
        *,
        neutral: bool,
        as_stored: AsStored | None,
    ) -> None:
        self.rescaler, self.temperature, self.as_stored = rescaler, temperature, as_stored
        self.tick = tick
        self.original = Original.of(rescaler, hr, low, scale)
        color = rescaler.network.config.task == "color"
        self.tint = _tint(hr) if color else None
        self.plain = _plain(self.original, low, rescaler.scale, color=color)
        self.low = low
        # The gray image of a colour network has only one channel.
        self.neutral = neutral and not color
        if self.neutral:
            self.low, self.plain = to_gray(low), to_gray(self.plain)
        size = (low.shape[1], low.shape[0])
        self.side, self.shape = block_side(size), grid_shape(size)
        flat = flat_blocks(_levels(self.plain), self.side)
        self.clamped = torch.zeros_like(flat)
        if flat.any() and not color:
            self.low, self.clamped = clamp_flat(self.low, self.plain, flat, self.side)
        departure = _levels(self.low) - _levels(self.plain)
        self.blend = needed_blend(departure, self.side, color=color)
        self.marked = torch.zeros(self.shape, dtype=torch.bool)
        self.to_check = (self.blend > (0 if color else DOUBTFUL_BLEND)) | flat
        found = texture(hr, self.shape, self.side * (scale or rescaler.scale))
        self.to_check |= found.synthetic
        self.growth = found.growth
        if color:
            self.to_check |= self._colourless()
        if as_stored is not None:
            self.to_check[:] = True

    def run(self) -> None:
        """Mark doubtful blocks that are worse, then their neighbours; keep what is worthwhile."""
        self.plain_as_stored = self._stored(self.plain)
        doubtful = self.to_check | self._as_rough_as_failed_probes()
        states = [self._state(doubtful)]
        while (worse := states[-1].worse & doubtful & ~self.marked).any():
            self.marked = self.marked | worse
            doubtful = with_neighbours(worse) & ~self.marked & (len(states) <= ROUNDS)
            states.append(self._state(doubtful))
        if len(states) > 1:
            self.marked = self._worthwhile(states)

    def _worthwhile(self, states: Sequence[State]) -> torch.Tensor:
        """Return the marks of each group that cost least: all, those found first, or none.

        What was restored before is not restored again; a marked block costs what the plain method
        costs.

        Args:
            states: the states without marks, with those found first, and so on.
        """
        plain = states[0].plain
        for state in states[1:]:
            plain = torch.where(plain.isnan(), state.plain, plain)
        choices = list(dict.fromkeys((states[-1], states[1], states[0])))
        around = with_neighbours(states[-1].marked)
        found = []
        for state in choices:
            cost = torch.where(state.marked, plain, state.cost)
            self.marked = state.marked
            missing = self._state(around & cost.isnan())
            found.append(torch.where(cost.isnan(), missing.cost, cost))
        return cheapest([state.marked for state in choices], found, components(around))

    def result(self) -> Guarded:
        """Return LR in its present state, with the marks."""
        marked = self.marked.numpy()
        changed = (self.blend > 0) | self.clamped
        repaired = float((changed & ~self.marked).float().mean())
        if not marked.any():
            return Guarded(self._blended(), repaired=repaired, neutral=self.neutral)
        return Guarded(self._blended(), marked, self.tint, repaired, self.neutral)

    def _colourless(self) -> torch.Tensor:
        """Return the blocks that one tint for the whole image restores well: [rows, columns]."""
        plain = Fallback(self.plain, self.marked.numpy(), 1, self.tint)
        colourless = torch.zeros(self.shape, dtype=torch.bool)
        height, width = self.low.shape[:2]
        for row in range(self.shape[0]):
            rows = slice(row * self.side, min((row + 1) * self.side, height))
            columns = slice(0, width)
            original = self.original.rows(rows)[:, :, :, columns]
            error = 255 * (plain.plain(rows, columns) - original)
            square = means(error.square().mean(1, keepdim=True), self.side)
            colourless[row] = square[0, 0, 0] < TINT_SUFFICES
        return colourless

    def _as_rough_as_failed_probes(self) -> torch.Tensor:
        """Return the blocks about as rough as the probes that turn out worse: [rows, columns].

        Some networks fail on noise that no measure of the image alone can tell from texture. The
        roughest blocks are therefore always checked, as probes: as many as take a hundredth of the
        time of restoring the image, and at least one.
        """
        candidates = torch.where(self.to_check, torch.inf, self.growth).flatten()
        count = max(1, int(PROBED_SHARE * candidates.numel()))
        values, places = candidates.sort(stable=True)
        chosen = places[:count][values[:count].isfinite()]
        probes = torch.zeros(candidates.numel(), dtype=torch.bool)
        probes[chosen] = True
        probed = probes.view(self.shape)
        worse = self._state(probed, tile=self.side).worse & probed
        if not worse.any():
            return worse
        return self.growth <= ROUGHER * float(self.growth[worse].max())

    def _stored(self, low: Pixels) -> Pixels:
        return low if self.as_stored is None else np.ascontiguousarray(self.as_stored(low))

    def _blended(self) -> Pixels:
        """Return LR with its blends: unchanged at weight 0, exactly plain at weight 1."""
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

    def _state(self, wanted: torch.Tensor, tile: int = TILE) -> State:
        """Return what wanted blocks cost with the present marks."""
        unknown = torch.full(self.shape, torch.nan)
        state = State(self.marked, unknown, unknown.clone(), torch.zeros_like(self.marked))
        for place, network, plain in self._restored(wanted, tile):
            state.cost[place] = costs(network, plain)
            state.plain[place] = plain.square
            state.worse[place] = is_worse(network, plain)
        return state

    def _restored(
        self, wanted: torch.Tensor, tile: int = TILE
    ) -> Iterator[tuple[tuple[slice, slice], BlockErrors, BlockErrors]]:
        """Restore blocks with the present marks.

        Args:
            wanted: grid of the blocks to restore, [rows, columns].
            tile: largest side, in LR pixels, of a rectangle restored at once.

        Yields:
            Rows and columns of the grid that contain wanted blocks; the errors of their blocks as a
            user gets them, and by the plain method.
        """
        if not wanted.any():
            return
        stored = self._stored(self._blended())
        fallback = Fallback(stored, self.marked.numpy(), self.rescaler.scale, self.tint)
        plain = replace(fallback, low=self.plain_as_stored)
        tiles = list(self._tiles(wanted, tile))
        windows = [self._window(rows, columns) for _, rows, columns in tiles]
        self.tick(0)
        for index, values in self.rescaler.restore_windows(
            stored, windows, seed=0, temperature=self.temperature
        ):
            self.tick(0)
            place, rows, columns = tiles[index]
            area = self._up(rows, columns)
            needed = self.original.needed(area)
            inner = self._inner(values, windows[index], needed)
            side = self.side * self.rescaler.scale
            network, simple = (
                block_errors(self.original.errors(each, area, neutral=self.neutral), side)
                for each in (fallback.over(inner, *needed), plain.plain(*needed))
            )
            yield place, network, simple

    def _tiles(
        self, wanted: torch.Tensor, tile: int
    ) -> Iterator[tuple[tuple[slice, slice], slice, slice]]:
        """Yield the rectangle around the wanted blocks in each square of the grid.

        Yields:
            Rows and columns of the grid, rows of LR, columns of LR.
        """
        count = max(1, tile // self.side)
        height, width = self.low.shape[:2]
        for top in range(0, self.shape[0], count):
            for left in range(0, self.shape[1], count):
                found = wanted[top : top + count, left : left + count].nonzero()
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

    def _window(self, rows: slice, columns: slice) -> Area:
        """Return the window of LR that is restored for a part of it: the part with its halo."""
        height, width = self.low.shape[:2]
        return (
            slice(max(0, rows.start - HALO), min(height, rows.stop + HALO)),
            slice(max(0, columns.start - HALO), min(width, columns.stop + HALO)),
        )

    def _inner(self, values: torch.Tensor, window: Area, needed: Area) -> torch.Tensor:
        """Return the part of a restored window that is needed, in pixels of the network's image."""
        top, left = (part.start for part in self._up(*window))
        rows, columns = needed
        return values[
            :, :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]


def _levels(pixels: Pixels) -> torch.Tensor:
    """Return the values as float32 [1, C, h, w], where white is 255."""
    return to_tensor(pixels).mul_(255)


def _plain(original: Original, low: Pixels, scale: int, *, color: bool) -> Pixels:
    """Return plain LR, bicubic LR or luma, of the shape of `low`, computed in bands of rows."""
    height, width = low.shape[:2]
    (size, across), (target, target_across) = original.size, original.network
    plain: Pixels = np.empty_like(low)
    columns = Window(across, target_across // scale, slice(0, width))
    luma = torch.tensor(YUV_ROWS[0]).view(1, 3, 1, 1)
    for top in range(0, height, TILE):
        part = slice(top, min(top + TILE, height))
        rows = Window(size, target // scale, part)
        values = original.rows(rows.source)[:, :, :, columns.source]
        values = (values * luma).sum(dim=1, keepdim=True) if color else values
        plain[part] = to_pixels(resize_window(values, rows, columns), bits_of(low))
    return plain


def _tint(hr: Pixels) -> tuple[float, float, float]:
    """Return R - Y, G - Y and B - Y of the mean colour, in 8-bit code values rounded to 0.01."""
    mean = hr.mean(axis=(0, 1), dtype=np.float64) * (255 / np.iinfo(hr.dtype).max)
    red, green, blue = (float(round(value, 2)) for value in mean - mean @ np.array(YUV_ROWS[0]))
    return red, green, blue
