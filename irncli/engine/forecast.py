"""Estimates of the tiles, memory and time that an image will need."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from irncli.engine.passes import Passes
from irncli.engine.rescaler import Rescaler, whole_cells
from irncli.geometry import lr_size

__all__ = ["Forecast", "forecast", "seconds_per_pixel"]

_STATE_BYTES = 2 * 12
"""Bytes per HR pixel: 12 bytes of float32 in the state and 12 in its copy at the next level."""
_COPIES = 3
"""Number of copies of the image in memory: in the decoder, in the engine, and as a file."""
_FIXED = 150 << 20
"""Bytes that torch needs to run any convolution at all."""
_SAMPLE = 192
"""Side, in HR pixels, of the image used to measure the speed of this machine."""


@dataclass(frozen=True)
class Forecast:
    """Resources needed for one pass over an image.

    Attributes:
        tiles: number of tiles in each half-step at the finest level.
        memory: approximate memory in bytes, in addition to that of the idle program.
    """

    tiles: int
    memory: int


def forecast(rescaler: Rescaler, size: tuple[int, int], scale: float, bits: int) -> Forecast:
    """Estimate the resources for one pass of a network, in either direction.

    Args:
        rescaler: network on its device.
        size: width and height of HR in pixels.
        scale: ratio of HR size to LR size.
        bits: bits per channel of the image, 8 or 16.
    """
    low = lr_size(size, scale)
    rows, columns = whole_cells(rescaler.network, low[1], low[0])
    height, width = rows * rescaler.scale, columns * rescaler.scale
    passes = Passes(rescaler.network, rescaler.blocks, tile=rescaler.tile)
    tiles, features = passes.measure(height, width)
    image = 3 * bits // 8 * _COPIES * size[0] * size[1]
    return Forecast(tiles, _STATE_BYTES * height * width + image + features + _FIXED)


def seconds_per_pixel(rescaler: Rescaler, *, up: bool) -> float:
    """Measure the time per HR pixel in one direction, in the second run on a small image.

    Large images take about the same time per pixel. Decoding and encoding take additional time.

    Args:
        rescaler: network on its device.
        up: true to measure upscaling, false to measure downscaling.
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
