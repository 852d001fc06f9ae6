"""Passes of an invertible network over an image in bounded memory.

The whole state (all channels, at the size of the level) is kept in memory, in channels-last layout.
Between levels, the state is rebuilt in bands of rows. Within a level, each half-step of a coupling
block,

    a += F(b)        and        b = b exp(s(H(a))) + G(a),

reads one part and changes the other, so it can run over tiles in any order, in place. The halo of
a tile is `REACH` pixels, the reach of a dense block, so the result equals that of the untiled run.
Memory holds the state, a copy of the state between levels, and the features of one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch.nn import functional

from irncli.engine.dense import DenseBlocks, Evaluator
from irncli.engine.memory import exhausted, in_parts
from irncli.engine.ticks import Progress, Tick, no_tick
from irncli.engine.tiles import MIN_TILE, MIN_WINDOW, Tile, cut, recut
from irncli.model import InvertibleNetwork
from irncli.model.coupling import CouplingBlock, log_scale
from irncli.model.dense import REACH
from irncli.model.transforms import Transform

__all__ = ["Passes", "empty_state"]

BAND_PIXELS = 1 << 18
"""Number of pixels that a transform converts at a time, counted on its smaller side."""

_FEATURES = 2 * 180
"""Largest number of feature channels of a tile: 45 + 4 * 32, twice for two buffers."""

Write = Callable[[Tile, torch.Tensor], None]


def empty_state(
    channels: int, height: int, width: int, device: torch.device, count: int = 1
) -> torch.Tensor:
    """Return an uninitialised float32 state [count, channels, height, width], channels-last."""
    return torch.empty(
        (count, channels, height, width), device=device, memory_format=torch.channels_last
    )


class Passes:
    """One forward or inverse pass of a network over one image, or several of the same size.

    Half precision overflows at 65504. Then the whole pass is run again in float32: a slow result is
    better than a black tile. Whether that happened is asked once per pass, since asking more often
    would stop a GPU each time.

    Args:
        network: network on the device where it should run.
        blocks: dense blocks of the network.
        tile: side of a tile in HR pixels; 0 for no tiling, None to choose a side for speed.
        tick: callback called after each tile with its share of the pass.
    """

    def __init__(
        self,
        network: InvertibleNetwork,
        blocks: DenseBlocks,
        *,
        tile: int | None,
        tick: Tick = no_tick,
    ) -> None:
        self.network, self.tile = network, tile
        self.evaluate, self.progress = Evaluator(blocks), Progress(tick)
        self.device = network.latent_sigma.device
        self.total = _cost(network)
        self.ceiling: int | None = None

    def forward(
        self, read: Callable[[slice], torch.Tensor], height: int, width: int
    ) -> torch.Tensor:
        """Return the state after the last operation, [N, C, height/reduction, width/reduction].

        Args:
            read: function that returns rows of the N images as float32 [N, 3, rows, width].
            height: height of the image, a multiple of the reduction.
            width: width of the image, a multiple of the reduction.
        """
        state = self._forward(read, height, width)
        return self._forward(read, height, width) if self._overflowed() else state

    def inverse(
        self, start: Callable[[], torch.Tensor], write: Callable[[slice, torch.Tensor], None]
    ) -> None:
        """Undo `forward`.

        Args:
            start: function that returns a new state [N, C, h, w], as returned by `forward`.
            write: callback that receives rows of the N images as float32 [N, 3, rows, width].
        """
        state = self._inverse(start())
        if self._overflowed():
            del state
            state = self._inverse(start())
        self._up(_first_transform(self.network), state, write)

    def _overflowed(self) -> bool:
        """Tell whether the pass has to be run again; if so, prepare that."""
        overflowed = self.evaluate.overflowed()
        if overflowed:
            self.evaluate = Evaluator(DenseBlocks(self.network, torch.float32))
            self.progress.done = 0.0
        return overflowed

    def _forward(
        self, read: Callable[[slice], torch.Tensor], height: int, width: int
    ) -> torch.Tensor:
        state, reduction = torch.empty(0), 1
        for operation in self.network.chain:
            if isinstance(operation, CouplingBlock):
                self._forward_block(operation, state, reduction)
            else:
                rows = read if reduction == 1 else _reader(state)
                state = self._down(operation, rows, height // reduction, width // reduction)
                reduction *= operation.factor
        return state

    def _inverse(self, state: torch.Tensor) -> torch.Tensor:
        """Undo all operations but the first, overwriting the given state."""
        reduction = self.network.config.reduction
        for operation in self.network.chain[:0:-1]:
            if isinstance(operation, CouplingBlock):
                self._inverse_block(operation, state, reduction)
                continue
            reduction //= operation.factor
            channels = state.shape[1] // operation.factor**2
            size = [side * operation.factor for side in state.shape[2:]]
            larger = empty_state(channels, size[0], size[1], self.device, state.shape[0])
            self._up(operation, state, _writer(larger))
            state = larger
        return state

    def measure(self, height: int, width: int) -> tuple[int, int]:
        """Return the number of tiles of a half-step at the finest level, and the bytes per tile.

        The bytes are those of the features of the largest tile.

        Args:
            height: height of the image, a multiple of the reduction.
            width: width of the image, a multiple of the reduction.
        """
        reduction = _first_transform(self.network).factor
        height, width = height // reduction, width // reduction
        side = self._side(reduction, height, width)
        tiles = cut(height, width, side, REACH)
        return len(tiles), 4 * _FEATURES * max(tile.pixels for tile in tiles)

    def _down(
        self, transform: Transform, read: Callable[[slice], torch.Tensor], height: int, width: int
    ) -> torch.Tensor:
        factor = transform.factor
        first = transform(read(slice(0, factor)))
        count, channels = first.shape[:2]
        state = empty_state(channels, height // factor, width // factor, self.device, count)
        for band in _bands(height // factor, width // factor):
            rows = read(slice(band.start * factor, band.stop * factor))
            state[:, :, band] = transform(rows.to(self.device))
        return state

    def _up(
        self,
        transform: Transform,
        state: torch.Tensor,
        write: Callable[[slice, torch.Tensor], None],
    ) -> None:
        factor = transform.factor
        for band in _bands(*state.shape[2:]):
            rows = transform.inverse(state[:, :, band])
            write(slice(band.start * factor, band.stop * factor), rows)

    def _forward_block(self, block: CouplingBlock, state: torch.Tensor, reduction: int) -> None:
        a, b = state.split(block.split, dim=1)

        def add(tile: Tile, window: torch.Tensor) -> None:
            (f,) = self.evaluate(window, block.F)
            _at(a, tile).add_(_inner(f, tile))

        # Here and below, exp is computed for the whole window: for a part of it, an elementwise
        # function may take another path through the vector units, and its last bit would differ
        # from tile to tile.
        def scale(tile: Tile, window: torch.Tensor) -> None:
            h, g = self.evaluate(window, block.H, block.G)
            factor = _inner(torch.exp(log_scale(h)), tile)
            _at(b, tile).mul_(factor).add_(_inner(g, tile))

        self._over_tiles(b, add, reduction)
        self._over_tiles(a, scale, reduction)

    def _inverse_block(self, block: CouplingBlock, state: torch.Tensor, reduction: int) -> None:
        a, b = state.split(block.split, dim=1)

        def unscale(tile: Tile, window: torch.Tensor) -> None:
            h, g = self.evaluate(window, block.H, block.G)
            factor = _inner(torch.exp(-log_scale(h)), tile)
            _at(b, tile).sub_(_inner(g, tile)).mul_(factor)

        def subtract(tile: Tile, window: torch.Tensor) -> None:
            (f,) = self.evaluate(window, block.F)
            _at(a, tile).sub_(_inner(f, tile))

        self._over_tiles(a, unscale, reduction)
        self._over_tiles(b, subtract, reduction)

    def _over_tiles(self, source: torch.Tensor, change: Write, reduction: int) -> None:
        height, width = source.shape[2:]
        tiles = cut(height, width, self._side(reduction, height, width), REACH)
        share = (source.shape[1] * reduction**-2) / (self.total * height * width)

        def work(tile: Tile) -> None:
            window = source[:, :, tile.rows.window, tile.columns.window]
            change(tile, window.contiguous(memory_format=torch.channels_last))

        def split(tile: Tile) -> Iterable[Tile]:
            return recut(tile, self._shrunk(tile), REACH, height, width)

        for tile in tiles:
            in_parts(tile, work, split, self.device)
            covered = (tile.rows.stop - tile.rows.start) * (tile.columns.stop - tile.columns.start)
            self.progress.advance(share * covered)

    def _shrunk(self, tile: Tile) -> int:
        """Return half the side of a tile that did not fit in memory; limit later tiles to it."""
        self.evaluate.release()
        sides = (
            tile.rows.stop - tile.rows.start,
            tile.columns.stop - tile.columns.start,
        )
        if max(sides) < 2 * MIN_TILE:
            raise exhausted(self.device, f"a tile of {sides[1]}x{sides[0]}")
        side = max(MIN_TILE, max(sides) // 2)
        self.ceiling = min(side, self.ceiling or side)
        return side

    def _side(self, reduction: int, height: int, width: int) -> int:
        """Return the side of a tile in state pixels."""
        if self.tile == 0:
            side = max(height, width)
        else:
            wanted = self.tile // reduction if self.tile else _automatic_side(self.device)
            # In a narrow image, tiles are longer, so that their windows are never too small.
            side = max(MIN_TILE, wanted, MIN_WINDOW // min(height, width, MIN_TILE))
        return min(side, self.ceiling or side)


def _automatic_side(device: torch.device) -> int:
    """Return the default side of a tile: the fastest on the CPU, one that fits on a GPU."""
    if device.type != "cuda":
        return 256
    free, _ = torch.cuda.mem_get_info(device)
    return max(MIN_TILE, min(1024, int((free / 4 / (2 * 4 * _FEATURES)) ** 0.5)))


def _cost(network: InvertibleNetwork) -> float:
    """Return the work of a pass: channels read, times pixels per HR pixel, as in `_over_tiles`."""
    reduction, cost = 1, 0.0
    for operation in network.chain:
        if isinstance(operation, CouplingBlock):
            cost += sum(operation.split) * reduction**-2
        else:
            reduction *= operation.factor
    return max(cost, 1e-9)


def _first_transform(network: InvertibleNetwork) -> Transform:
    first = network.chain[0]
    assert not isinstance(first, CouplingBlock)  # noqa: S101 -- each level begins with a transform
    return first


def _inner(window: torch.Tensor, tile: Tile) -> torch.Tensor:
    return window[:, :, tile.rows.inner, tile.columns.inner]


def _at(part: torch.Tensor, tile: Tile) -> torch.Tensor:
    return part[:, :, tile.rows.tile, tile.columns.tile]


def _bands(height: int, width: int) -> Iterable[slice]:
    rows = max(1, BAND_PIXELS // max(1, width))
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _reader(state: torch.Tensor) -> Callable[[slice], torch.Tensor]:
    return lambda rows: state[:, :, rows]


def _writer(state: torch.Tensor) -> Callable[[slice, torch.Tensor], None]:
    def write(rows: slice, values: torch.Tensor) -> None:
        state[:, :, rows] = values

    return write


def pad_to(rows: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Pad [1, C, H, W] to height x width by repeating the last row and column."""
    below, beside = height - rows.shape[2], width - rows.shape[3]
    return functional.pad(rows, (0, beside, 0, below), mode="replicate") if below | beside else rows
