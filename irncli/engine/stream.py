"""Streaming of an image through a CRM, from top to bottom and through all layers, band by band.

Each layer receives rows in order, keeps the last rows that it still needs (twice its reach), and
passes on the rows that no later row can change:

    dense block of reach 5     keeps 10 rows of its input
    residual around three      keeps 15 rows of its input
    skip around the trunk      keeps no rows: the first convolution is run again

Memory is therefore 45 rows of features per RRDB plus three bands, regardless of the height of the
image, whereas whole layers would need two copies of all features. No row is computed twice, except
in the halos of dense blocks. The first band is high enough for the last layer to return rows, and
the last band empties all layers. The result equals that of the network on the whole image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from irncli.config import CrmConfig
from irncli.engine.dense import Evaluator
from irncli.engine.ticks import Tick
from irncli.engine.tiles import MIN_TILE, MIN_WINDOW, Span, spans
from irncli.model import CompressionRestoration
from irncli.model.crm import RESIDUAL_SCALE, ResidualInResidual
from irncli.model.dense import REACH, DenseBlock

__all__ = ["Plan", "Stream", "reach_of"]

Rows = Callable[[slice], torch.Tensor]
"""Function that returns rows of the image or of its first features."""

Change = Callable[["_Window", slice], torch.Tensor]
"""Function of a window and a slice of its rows that returns the result for these rows as a copy."""


def reach_of(config: CrmConfig) -> int:
    """Return the distance, in pixels, over which an output pixel depends on the input.

    For the paper's CRM, the distance is 123 pixels in each direction.
    """
    return 3 * REACH * config.blocks + 3


@dataclass(frozen=True)
class Plan:
    """Plan for cutting an image into parts; the result does not depend on the plan.

    Attributes:
        strip: number of columns streamed from top to bottom together, without their halo.
        band: number of rows read at a time.
        tile: number of rows, and of columns, on which a dense block runs at a time.
        least: number of rows of the smallest window.
    """

    strip: int
    band: int
    tile: int
    least: int = MIN_TILE

    @classmethod
    def chosen(cls, width: int, device: torch.device) -> Plan:
        """Return a plan that is fast on this device in bounded memory."""
        if device.type == "cpu":
            return cls(2048, max(64, min(128, (1 << 17) // width)), 96)
        return cls(4096, max(128, min(1024, (1 << 20) // width)), 1024)

    def fitted(self, height: int, width: int) -> Plan:
        """Return the plan fitted to an image of this size.

        Windows have at least `MIN_WINDOW` pixels, unless the image is smaller.
        """
        narrow = max(2 * MIN_TILE, -(-MIN_WINDOW // min(height, MIN_TILE)))
        least = max(MIN_TILE, -(-MIN_WINDOW // min(width, 2 * MIN_TILE)))
        # Make strips even, since spans would join a remainder to its neighbour, doubling the width.
        strip = width // -(-width // max(self.strip, narrow))
        return Plan(strip, max(self.band, least), max(self.tile, narrow, least), least)

    def bands(self, height: int, reach: int) -> list[Span]:
        """Return the bands: the rows to read at a time.

        Law: the bands cover the height once, in order. From the first band, each of the layers
        whose reaches add up to `reach` has at least `least` rows to work on; from later bands, at
        least `band` rows.
        """
        first = max(self.band, reach + self.least)
        rest = height - first
        if rest < self.band:
            return spans(0, height, height, 0, height)
        even = rest // (rest // self.band)
        return [*spans(0, first, first, 0, height), *spans(first, height, even, 0, height)]

    def halved(self) -> Plan:
        """Return a plan for about half the memory, as far as the halos allow."""
        strip, band, tile = self.strip // 2, self.band // 2, self.tile // 2
        return Plan(max(4 * MIN_TILE, strip), max(MIN_TILE, band), max(MIN_TILE, tile))


class _Kept:
    """Storage for the last input rows of a layer, allocated once for the whole run.

    Allocating small long-lived tensors between large short-lived ones would fragment the heap: it
    took four times the memory in a measurement.
    """

    def __init__(self, count: int, like: torch.Tensor, features: int) -> None:
        shape = (1, features, count, like.shape[3])
        self.store = torch.empty(shape, device=like.device, memory_format=torch.channels_last)
        self.rows = self.store[:, :, :0]

    def replace(self, rows: torch.Tensor) -> None:
        """Replace the kept rows by the last of these, which must be at least as many."""
        self.rows = self.store.copy_(rows[:, :, rows.shape[2] - self.store.shape[2] :])


@dataclass(frozen=True, eq=False)
class _Window:
    """Window of the kept rows and the new rows below them."""

    kept: torch.Tensor
    new: torch.Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.kept.shape[2] + self.new.shape[2], self.new.shape[3]

    def cut(self, rows: slice, columns: slice) -> torch.Tensor:
        """Return a copy of a part of the window."""
        count = self.kept.shape[2]
        below = slice(max(0, rows.start - count), max(0, rows.stop - count))
        both = self.kept[:, :, rows, columns], self.new[:, :, below, columns]
        return torch.cat(both, dim=2).contiguous(memory_format=torch.channels_last)


class _Layer:
    """Function of limited reach, applied to rows as they arrive.

    Law: the rows returned by all calls of `push`, joined, equal the function of all rows, joined.

    Args:
        change: function to apply.
        reach: reach of the function, in rows.
        kept: storage for twice as many rows.
    """

    def __init__(self, change: Change, reach: int, kept: _Kept) -> None:
        self.change, self.reach, self.kept = change, reach, kept

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:
        """Receive [1, C, rows, W] and return the output rows that no later row can change.

        Args:
            rows: new rows, at least twice as many as the reach.
            last: true for the last rows of the image.
        """
        window = _Window(self.kept.rows, rows)
        start = self.reach if self.kept.rows.shape[2] else 0
        done = self.change(window, slice(start, window.size[0] - (0 if last else self.reach)))
        if not last:
            self.kept.replace(rows)
        return done


class _Residual:
    """RRDB applied to rows as they arrive.

    Args:
        layers: residual dense blocks of the RRDB.
        kept: storage for as many rows as the sum of the reaches of the layers.
    """

    def __init__(self, layers: list[_Layer], kept: _Kept) -> None:
        self.layers, self.kept = layers, kept

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:
        """Receive rows and return finished ones, as `_Layer.push` does."""
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
    """Sum of the rows that arrive and the same rows of `other`."""

    def __init__(self, other: Rows) -> None:
        self.other, self.start = other, 0

    def push(self, rows: torch.Tensor, last: bool) -> torch.Tensor:  # noqa: ARG002
        """Receive rows and return finished ones, as `_Layer.push` does."""
        place = slice(self.start, self.start + rows.shape[2])
        self.start = place.stop
        return rows.add_(self.other(place))


class Stream:
    """Single run of a CRM over one strip of an image.

    Args:
        network: network on the device where it should run.
        described: description of the tables, [1, TABLE_FEATURES], for a conditioned CRM.
        plan: plan fitted to the image.
        evaluate: evaluates the dense blocks of the network. In half precision, rows are wrong if
            its values overflowed.
    """

    def __init__(
        self,
        network: CompressionRestoration,
        described: torch.Tensor | None,
        plan: Plan,
        evaluate: Evaluator,
    ) -> None:
        self.network, self.described, self.plan = network, described, plan
        self.evaluate = evaluate

    def run(self, read: Rows, height: int, advance: Tick) -> Iterator[torch.Tensor]:
        """Restore the strip from top to bottom.

        Args:
            read: function that returns rows of the strip as float32 [1, 3, rows, W] in [0, 1], on
                the device.
            height: height of the image in pixels.
            advance: callback that receives the share of the strip's work just completed.

        Yields:
            Restored rows in order, float32 [1, 3, some, W], not clamped.
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
        """Return a function that runs a residual dense block, x + 0.2 D(x), in tiles."""

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
                    (added,) = self.evaluate(part, block)
                    both = part + RESIDUAL_SCALE * added
                    out[:, :, place, across.tile] = both[:, :, down.inner, across.inner]
            return out

        return change


def _convolution(conv: nn.Module) -> Change:
    def change(window: _Window, rows: slice) -> torch.Tensor:
        height, width = window.size
        out: torch.Tensor = conv(window.cut(slice(0, height), slice(0, width)))
        return out[:, :, rows]

    return change
