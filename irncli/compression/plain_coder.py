"""A plain JPEG whose tables and levels are chosen for the least error of its colours.

Encoders use tables that were made for the eye, and round. Here the levels are those that are worth
their bits, and the steps suit the squared error of R, G and B.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch.nn import functional

from irncli.compression.blocks import BACK, blocks_of, planes_of
from irncli.compression.quantiser import Quantiser, step_of
from irncli.engine.tensors import Pixels, to_tensor
from irncli.io.encoding import Coefficients, Subsampling

__all__ = ["PlainCoder"]

STEP: Final = 33.0
"""Step at quality 50 of a coefficient with the sensitivity 1: that of Y is then 19."""


class PlainCoder:
    """Coder of one image as a plain JPEG.

    Args:
        pixels: uint8 [H, W, 3].
        subsampling: chroma subsampling.
        gray: the channels are equal: write a gray JPEG.
    """

    def __init__(self, pixels: Pixels, subsampling: Subsampling, *, gray: bool) -> None:
        self._size, self._gray = (pixels.shape[1], pixels.shape[0]), gray
        planes = planes_of(to_tensor(pixels))
        luma, chroma = planes[:1], planes[1:]
        self._sensitivity = _GAINS[:1] if gray else _GAINS.clone()
        if subsampling == "4:2:0" and not gray:
            chroma = functional.avg_pool2d(_filled(chroma, 2)[None], 2)[0]
            self._sensitivity[1:] *= _upsampled()
        self._targets = [blocks_of(_filled(luma, 8))[0]]
        if not gray:
            self._targets += list(blocks_of(_filled(chroma, 8)))

    def code(self, quality: int) -> Coefficients:
        """Return the coefficients of a JPEG of a quality 1 to 100."""
        quantiser = Quantiser(self._sensitivity, STEP * step_of(quality), self._targets)
        levels = quantiser.levels(self._targets)
        return quantiser.coefficients(levels, self._size, gray=self._gray)


_GAINS: Final = torch.tensor(BACK).square().sum(dim=0)[:, None].repeat(1, 64)
"""Sensitivity of R, G and B together to the coefficients of Y, Cb and Cr, [3, 64]."""


def _filled(planes: torch.Tensor, side: int) -> torch.Tensor:
    """Return planes [C, H, W] with the last row and column repeated up to a multiple of `side`."""
    bottom, right = (-length % side for length in planes.shape[1:])
    return functional.pad(planes[None], (0, right, 0, bottom), mode="replicate")[0]


def _upsampled() -> torch.Tensor:
    """Return the energy that a wave of a block has after decoders have doubled it, [64].

    They interpolate linearly: the filter (1, 3, 3, 1) / 4 has the response 2 cos^3, and makes of a
    wave of the angle 2a one of the angle a and, weaker, its mirror image.
    """
    angles = np.pi * np.arange(8) / 16 / 2
    energy = 2 * (np.cos(angles) ** 6 + np.sin(angles) ** 6)
    return torch.from_numpy(np.outer(energy, energy).ravel()).float()
