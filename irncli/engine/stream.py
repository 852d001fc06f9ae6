"""A CRM run over a picture from top to bottom, band by band, all its layers at once.

Each layer takes rows as they come, keeps the last few that it still needs (twice its reach), and
hands on the rows that no later row can change:

    dense block of reach 5     keeps 10 rows of its input
    residual around three      keeps 15 rows of its input
    skip around the trunk      keeps none: the first convolution is run again

So memory is 45 rows of features an RRDB and a few bands, however high the picture is, where whole
layers would need two copies of all features; and no row is computed twice but for the halo of a
dense block. What comes out is that of the network on the whole picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from irncli.config import CrmConfig
from irncli.engine.tiles import MIN_TILE, MIN_WINDOW, spans
from irncli.model import CompressionRestoration
from irncli.model.crm import RESIDUAL_SCALE, ResidualInResidual
from irncli.model.dense import REACH, DenseBlock

__all__ = ["Plan", "Stream", "reach_of"]

Rows = Callable[[slice], torch.Tensor]
"""Gives rows of the picture or of its first features."""

Change = Callable[[torch.Tensor, slice], torch.Tensor]
"""Takes a window and the rows of it that are wanted, gives those rows."""


def reach_of(config: CrmConfig) -> int:
    """Pixels from which an output pixel depends, in each direction: 123 for the paper's."""
    return 3 * REACH * config.blocks + 3


@dataclass(frozen=True)
class Plan:
    """How a picture is cut; the result does not depend on it.

    Attributes:
        strip: columns of the picture that are run from top to bottom together, their halo apart.
        band: rows that are taken in at a time.
        tile: rows and columns on which a dense block is run at a time.
        least: rows of the smallest window.
    """

    strip: int
    band: int
    tile: int
    least: int = MIN_TILE

    @classmethod
    def chosen(cls, width: int, device: torch.device) -> Plan:
        """What is fast on this device in bounded memory: 0.4 GB of kept rows for 64 features."""
        if device.type == "cpu":
            return cls(4096, max(64, min(128, (1 << 17) // width)), 128)
        return cls(4096, max(128, min(1024, (1 << 20) // width)), 1024)

    def fitted(self, height: int, width: int) -> Plan:
        """For a picture of this size, with windows of `MIN_WINDOW` pixels where it has as many."""
        narrow = max(2 * MIN_TILE, -(-MIN_WINDOW // min(height, MIN_TILE)))
        least = max(MIN_TILE, -(-MIN_WINDOW // min(width, 2 * MIN_TILE)))
        # Even strips: spans would join a remainder to its neighbour, to twice the width.
        strip = width // -(-width // max(self.strip, narrow))
        return Plan(strip, max(self.band, least), max(self.tile, narrow, least), least)

    def halved(self) -> Plan:
        """For about half the memory, as far as halos let it."""
        strip, band, tile = self.strip // 2, self.band // 2, self.tile // 2
        return Plan(max(4 * MIN_TILE, strip), max(MIN_TILE, band), max(MIN_TILE, tile))


class _Layer:
    """A function of some reach, run over rows as they come.

    Law: what `push` gives, put together, is the function of all rows put together.

    Args:
        change: the function; rows of the window that lie `reach` from its cut edges are right.
        reach: in rows.
        least: rows of the smallest window but for a picture that has no more.
    """

    def __init__(self, change: Change, reach: int, least: int) -> None:
        self.change, self.reach, self.least = change, reach, least
        self.held: torch.Tensor | None = None
        self.above = 0

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:
        """Take in [1, C, rows, W]; give the rows that are certain now, maybe none."""
        window = _stack(self.held, rows)
        height = window.shape[2]
        if not last and height < self.least:
            self.held = window
            return window[:, :, :0]
        stop = height if last else height - self.reach
        done = self.change(window, slice(self.above, stop))
        self.above = min(self.reach, stop)
        # A copy, so that the window can go.
        self.held = window[:, :, stop - self.above :].clone()
        return done


class _Residual:
    """An RRDB over rows as they come."""

    def __init__(
        self, block: ResidualInResidual, dense: Callable[[DenseBlock], Change], least: int
    ) -> None:
        self.layers = [_Layer(dense(inner), REACH, least) for inner in block.dense_blocks]
        self.held: torch.Tensor | None = None

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:
        """As of a layer."""
        inputs = _stack(self.held, rows)
        for layer in self.layers:
            rows = layer.push(rows, last)
        done = rows.shape[2]
        self.held = inputs[:, :, done:].clone()
        return inputs[:, :, :done] + RESIDUAL_SCALE * rows


class _Sum:
    """Rows as they come, plus what `other` gives for the same rows."""

    def __init__(self, other: Rows) -> None:
        self.other, self.start = other, 0

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:  # noqa: ARG002
        """As of a layer."""
        if not rows.shape[2]:
            return rows
        place = slice(self.start, self.start + rows.shape[2])
        self.start = place.stop
        return self.other(place) + rows


class Stream:
    """One CRM over one strip of a picture, once.

    Args:
        network: on the device where it shall run.
        described: the tables, [1, TABLE_FEATURES], for a conditioned CRM.
        plan: fitted to the picture.
        dtype: inside the dense blocks.
    """

    def __init__(
        self,
        network: CompressionRestoration,
        described: torch.Tensor | None,
        plan: Plan,
        dtype: torch.dtype,
    ) -> None:
        self.network, self.described, self.plan, self.dtype = network, described, plan, dtype

    def run(
        self, read: Rows, height: int, advance: Callable[[float], None]
    ) -> Iterator[torch.Tensor]:
        """Restore the strip: its rows from top to bottom, float32 [1, 3, some, W], not clamped.

        Args:
            read: gives rows of it as float32 [1, 3, rows, W] in [0, 1], on the device.
            height: of the picture.
            advance: told the share of the strip's work that was just done.
        """

        def first(rows: slice) -> torch.Tensor:
            low, high = max(0, rows.start - 1), min(height, rows.stop + 1)
            features = self.network.first(read(slice(low, high)), self.described)
            return features[:, :, rows.start - low : rows.stop - low]

        parts = self._parts(first, read)
        for span in spans(0, height, self.plan.band, 0, height):
            rows = first(span.tile)
            for part in parts:
                rows = part.push(rows, span.stop == height)
                advance(rows.shape[2] / (height * len(parts)))
            if rows.shape[2]:
                yield rows

    def _parts(self, first: Rows, read: Rows) -> list[_Layer | _Residual | _Sum]:
        network, least = self.network, self.plan.least
        parts: list[_Layer | _Residual | _Sum] = [
            _Residual(block, self._dense, least)
            for block in network.trunk
            if isinstance(block, ResidualInResidual)
        ]
        parts += [_Layer(_convolution(network.trunk_conv), 1, least), _Sum(first)]
        parts += [_Layer(_convolution(network.conv_last), 1, least)]
        return [*parts, _Sum(read)] if network.config.residual else parts

    def _dense(self, block: DenseBlock) -> Change:
        """A residual dense block, x + 0.2 D(x), in tiles."""

        def change(window: torch.Tensor, rows: slice) -> torch.Tensor:
            out = torch.empty_like(window, memory_format=torch.channels_last)
            height, width = window.shape[2:]
            for down in spans(rows.start, rows.stop, self.plan.tile, REACH, height):
                for across in spans(0, width, self.plan.tile, REACH, width):
                    part = _laid_out(window[:, :, down.window, across.window])
                    added = self._in_precision(block, part)[:, :, down.inner, across.inner]
                    here = window[:, :, down.tile, across.tile]
                    out[:, :, down.tile, across.tile] = here + RESIDUAL_SCALE * added
            return out[:, :, rows]

        return change

    def _in_precision(self, block: DenseBlock, window: torch.Tensor) -> torch.Tensor:
        if self.dtype == torch.float32:
            return block(window)  # type: ignore[no-any-return]
        with torch.autocast(window.device.type, dtype=self.dtype):
            out: torch.Tensor = block(window).float()
        # Half precision overflows at 65504: rather a slow tile than a black one.
        return out if bool(torch.isfinite(out).all()) else block(window)


def _convolution(conv: nn.Module) -> Change:
    return lambda window, rows: conv(window)[:, :, rows]


def _laid_out(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _stack(held: torch.Tensor | None, rows: torch.Tensor) -> torch.Tensor:
    return _laid_out(rows if held is None else torch.cat((held, rows), dim=2))
