"""What an image will take: tiles, memory and time, before it is worked on."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from irncli.engine.passes import Passes
from irncli.engine.rescaler import Rescaler, whole_cells
from irncli.geometry import lr_size

__all__ = ["Forecast", "forecast", "seconds_per_pixel"]

_STATE_BYTES = 2 * 12
"""A pixel of HR takes in the state, 12 bytes of float32, and in its copy at the next level."""
_COPIES = 3
"""Copies of the image in memory: the decoder's, the engine's, and the file."""
_FIXED = 150 << 20
"""What torch takes to run any convolution at all, in bytes."""
_SAMPLE = 192
"""Side in pixels of what is run to see how fast this machine is."""


@dataclass(frozen=True)
class Forecast:
    """What one pass over an image takes.

    Attributes:
        tiles: of each half-step at the finest level.
        memory: in bytes, beside that of an idle program; about.
    """

    tiles: int
    memory: int


def forecast(rescaler: Rescaler, size: tuple[int, int], scale: float, bits: int) -> Forecast:
    """What a pass of a network takes, in either direction.

    Args:
        rescaler: the network on its device.
        size: width and height of HR.
        scale: HR size over LR size.
        bits: a channel of the image.
    """
    low = lr_size(size, scale)
    rows, columns = whole_cells(rescaler.network, low[1], low[0])
    height, width = rows * rescaler.scale, columns * rescaler.scale
    passes = Passes(rescaler.network, tile=rescaler.tile, dtype=rescaler.dtype)
    tiles, features = passes.measure(height, width)
    picture = 3 * bits // 8 * _COPIES * size[0] * size[1]
    return Forecast(tiles, _STATE_BYTES * height * width + picture + features + _FIXED)


def seconds_per_pixel(rescaler: Rescaler, *, up: bool) -> float:
    """Time of one direction for each pixel of HR, of the second run on a small image.

    Large images go at about the same rate; decoding and encoding come on top.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (_SAMPLE, _SAMPLE, 3), dtype=np.uint8)
    low = rescaler.downscale(pixels)

    def run() -> None:
        if up:
            rescaler.upscale(low, (_SAMPLE, _SAMPLE))
        else:
            rescaler.downscale(pixels)

    run()
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) / _SAMPLE**2
