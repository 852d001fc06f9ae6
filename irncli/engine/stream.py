"""A CRM run over an image from top to bottom, band by band, all its layers at once.

Each layer takes rows as they come, keeps the last few that it still needs (twice its reach), and
hands on the rows that no later row can change:

    dense block of reach 5     keeps 10 rows of its input
    residual around three      keeps 15 rows of its input
    skip around the trunk      keeps none: the first convolution is run again

So memory is 45 rows of features an RRDB and three bands, however high the image is, where whole
layers would need two copies of all features; and no row is computed twice but for the halo of a
dense block. The first band is so high that something comes out of the last layer, the last one
empties all layers. What comes out is that of the network on the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from irncli.config import CrmConfig
from irncli.engine.half_precision import run_dense
from irncli.engine.tiles import MIN_TILE, MIN_WINDOW, Span, spans
from irncli.model import CompressionRestoration
from irncli.model.crm import RESIDUAL_SCALE, ResidualInResidual
from irncli.model.dense import REACH, DenseBlock

__all__ = ["Plan", "Stream", "reach_of"]

Rows = Callable[[slice], torch.Tensor]
"""Gives rows of the image or of its first features."""

Change = Callable[["_Window", slice], torch.Tensor]
"""Takes a window and the rows of it that are wanted, gives those rows in a tensor of its own."""


def reach_of(config: CrmConfig) -> int:
    """Pixels from which an output pixel depends, in each direction: 123 for the paper's."""
    return 3 * REACH * config.blocks + 3


@dataclass(frozen=True)
class Plan:
    """How an image is cut; the result does not depend on it.

    Attributes:
        strip: columns of the image that are run from top to bottom together, their halo apart.
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
        """What is fast on this device in bounded memory."""
        if device.type == "cpu":
            return cls(2048, max(64, min(128, (1 << 17) // width)), 96)
        return cls(4096, max(128, min(1024, (1 << 20) // width)), 1024)

    def fitted(self, height: int, width: int) -> Plan:
        """For an image of this size, with windows of `MIN_WINDOW` pixels where it has as many."""
        narrow = max(2 * MIN_TILE, -(-MIN_WINDOW // min(height, MIN_TILE)))
        least = max(MIN_TILE, -(-MIN_WINDOW // min(width, 2 * MIN_TILE)))
        # Even strips: spans would join a remainder to its neighbour, to twice the width.
        strip = width // -(-width // max(self.strip, narrow))
        return Plan(strip, max(self.band, least), max(self.tile, narrow, least), least)

    def bands(self, height: int, reach: int) -> list[Span]:
        """Rows that are taken in at a time.

        Law: they cover the height once, in order. Of the first, each of the layers whose reaches
        add up to `reach` has `least` rows to work on, of the others `band`.
        """
        first = max(self.band, reach + self.least)
        rest = height - first
        if rest < self.band:
            return spans(0, height, height, 0, height)
        even = rest // (rest // self.band)
        return [*spans(0, first, first, 0, height), *spans(first, height, even, 0, height)]

    def halved(self) -> Plan:
        """For about half the memory, as far as halos let it."""
        strip, band, tile = self.strip // 2, self.band // 2, self.tile // 2
        return Plan(max(4 * MIN_TILE, strip), max(MIN_TILE, band), max(MIN_TILE, tile))


class _Kept:
    """The last rows that went through a layer, in a place of their own for the whole run.

    Small tensors made and kept between large ones that go would leave the heap full of holes:
    measured, four times the memory.
    """

    def __init__(self, count: int, like: torch.Tensor, features: int) -> None:
        shape = (1, features, count, like.shape[3])
        self.store = torch.empty(shape, device=like.device, memory_format=torch.channels_last)
        self.rows = self.store[:, :, :0]

    def replace(self, rows: torch.Tensor) -> None:
        """Keep the last of these instead; they are as many at least."""
        self.rows = self.store.copy_(rows[:, :, rows.shape[2] - self.store.shape[2] :])


@dataclass(frozen=True, eq=False)
class _Window:
    """Rows that were kept, and the new ones below them."""

    kept: torch.Tensor
    new: torch.Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.kept.shape[2] + self.new.shape[2], self.new.shape[3]

    def cut(self, rows: slice, columns: slice) -> torch.Tensor:
        """A part of it, copied."""
        count = self.kept.shape[2]
        below = slice(max(0, rows.start - count), max(0, rows.stop - count))
        both = self.kept[:, :, rows, columns], self.new[:, :, below, columns]
        return torch.cat(both, dim=2).contiguous(memory_format=torch.channels_last)


class _Layer:
    """A function of some reach, run over rows as they come.

    Law: what `push` gives, put together, is the function of all rows put together.

    Args:
        change: the function.
        reach: of it, in rows.
        kept: for twice as many rows.
    """

    def __init__(self, change: Change, reach: int, kept: _Kept) -> None:
        self.change, self.reach, self.kept = change, reach, kept

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:
        """Take in [1, C, rows, W], at least twice the reach; give the rows that are certain now."""
        window = _Window(self.kept.rows, rows)
        start = self.reach if self.kept.rows.shape[2] else 0
        done = self.change(window, slice(start, window.size[0] - (0 if last else self.reach)))
        if not last:
            self.kept.replace(rows)
        return done


class _Residual:
    """An RRDB over rows as they come.

    Args:
        layers: its residual dense blocks.
        kept: for as many rows as their reaches add up to.
    """

    def __init__(self, layers: list[_Layer], kept: _Kept) -> None:
        self.layers, self.kept = layers, kept

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:
        """As of a layer."""
        inputs = rows
        for layer in self.layers:
            rows = layer.push(rows, last)
        count = self.kept.rows.shape[2]
        rows.mul_(RESIDUAL_SCALE)
        rows[:, :, :count].add_(self.kept.rows)
        rows[:, :, count:].add_(inputs[:, :, : rows.shape[2] - count])
        if not last:
            self.kept.replace(inputs)
        return rows


class _Sum:
    """Rows as they come, plus what `other` gives for the same rows."""

    def __init__(self, other: Rows) -> None:
        self.other, self.start = other, 0

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:  # noqa: ARG002
        """As of a layer."""
        place = slice(self.start, self.start + rows.shape[2])
        self.start = place.stop
        return rows.add_(self.other(place))


class Stream:
    """One CRM over one strip of an image, once.

    Args:
        network: on the device where it shall run.
        described: the tables, [1, TABLE_FEATURES], for a conditioned CRM.
        plan: fitted to the image.
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
            height: of the image.
            advance: told the share of the strip's work that was just done.
        """

        def first(rows: slice) -> torch.Tensor:
            low, high = max(0, rows.start - 1), min(height, rows.stop + 1)
            features = self.network.first(read(slice(low, high)), self.described)
            return features[:, :, rows.start - low : rows.stop - low]

        parts = self._parts(first, read)
        for band in self.plan.bands(height, reach_of(self.network.config)):
            rows = first(band.tile)
            for part in parts:
                rows = part.push(rows, band.stop == height)
                advance(rows.shape[2] / (height * len(parts)))
            yield rows

    def _parts(self, first: Rows, read: Rows) -> list[_Layer | _Residual | _Sum]:
        network, features = self.network, self.network.config.features
        some = read(slice(0, 1))

        def layer(change: Change, reach: int) -> _Layer:
            return _Layer(change, reach, _Kept(2 * reach, some, features))

        parts: list[_Layer | _Residual | _Sum] = []
        for block in network.trunk:
            assert isinstance(block, ResidualInResidual)  # noqa: S101
            layers = [layer(self._dense(inner), REACH) for inner in block.dense_blocks]
            parts.append(_Residual(layers, _Kept(REACH * len(layers), some, features)))
        parts += [layer(_convolution(network.trunk_conv), 1), _Sum(first)]
        parts += [layer(_convolution(network.conv_last), 1)]
        return [*parts, _Sum(read)] if network.config.residual else parts

    def _dense(self, block: DenseBlock) -> Change:
        """A residual dense block, x + 0.2 D(x), in tiles."""

        def change(window: _Window, rows: slice) -> torch.Tensor:
            height, width = window.size
            out = torch.empty_like(
                window.new[:, :, :1].expand(-1, -1, rows.stop - rows.start, -1),
                memory_format=torch.channels_last,
            )
            for down in spans(rows.start, rows.stop, self.plan.tile, REACH, height):
                place = slice(down.start - rows.start, down.stop - rows.start)
                for across in spans(0, width, self.plan.tile, REACH, width):
                    part = window.cut(down.window, across.window)
                    added = run_dense(block, part, self.dtype)[:, :, down.inner, across.inner]
                    here = part[:, :, down.inner, across.inner]
                    out[:, :, place, across.tile] = here + RESIDUAL_SCALE * added
            return out

        return change


def _convolution(conv: nn.Module) -> Change:
    def change(window: _Window, rows: slice) -> torch.Tensor:
        height, width = window.size
        out: torch.Tensor = conv(window.cut(slice(0, height), slice(0, width)))
        return out[:, :, rows]

    return change
