"""Tables for the coefficients of an image, and the levels that are worth their bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from irncli.compression.trellis import Reals, best_levels, bits_of_blocks, lengths_of
from irncli.io.formats.jpeg_scans import MOST, ZIGZAG, Coefficients, Integers

__all__ = ["Planes", "Quantiser", "step_of"]

Planes = Sequence[torch.Tensor] | torch.Tensor
"""Blocks [rows, columns, 64] of each plane."""
PRICE: Final = 0.05
"""Price of a bit in units of the squared step. In theory ln(2) / 12 = 0.058 at many bits, and less
at few."""
AT_A_TIME: Final = 1 << 14
"""Number of blocks whose levels are chosen at a time, in 60 MiB."""


def step_of(quality: int) -> float:
    """Return the step at a quality in units of that at 50, which falls as libjpeg's tables do."""
    percent = 5000 / quality if quality < 50 else max(200 - 2 * quality, 1)
    return percent / 100


class Quantiser:
    """Quantiser of the planes of one image.

    The steps are in proportion to 1 / sqrt(h), where h is the sensitivity: then all coefficients
    add the same error. Planes may differ in size, as those of subsampled chroma do.

    Args:
        sensitivity: sensitivity h of the coefficients, [C, 64]: an error e costs h e^2 / 2.
        step: step of a coefficient with the sensitivity 1.
        targets: coefficients [rows, columns, 64] of each plane of the whole image, from which the
            probabilities of levels are taken.

    Attributes:
        tables: quantisation steps of luma and chroma, [1 or 2, 64], 1 to 255.
        price: cost of a bit.
    """

    def __init__(self, sensitivity: torch.Tensor, step: float, targets: Planes) -> None:
        rows = [sensitivity[:1]]
        if len(sensitivity) > 1:
            rows.append(sensitivity[1:].mean(dim=0, keepdim=True))
        self.tables = (step / torch.cat(rows).sqrt()).round().clamp(1, 255)
        self.price = PRICE * step**2
        self._steps = self.tables[[0, 1, 1]] if len(rows) > 1 else self.tables
        self._weights = [_in_file_order(row)[0] for row in sensitivity * self._steps.square() / 2]
        self._lengths = _counted(self._each(targets, lambda _, blocks: np.rint(blocks)))
        self._lengths = _counted(self._best(targets))

    def levels(self, targets: Planes) -> list[torch.Tensor]:
        """Return the levels of the coefficients of each plane, in their shapes and types."""
        return [
            _in_shape(blocks, plane)
            for blocks, plane in zip(self._best(targets), targets, strict=True)
        ]

    def values(self, levels: torch.Tensor) -> torch.Tensor:
        """Return the coefficients [C, rows, columns, 64] that a decoder takes from levels."""
        return levels * self._steps[:, None, None]

    def bits(self, levels: torch.Tensor) -> torch.Tensor:
        """Return the bits of each block of planes of one size together, [rows, columns]."""
        total = np.zeros(levels.shape[1] * levels.shape[2])
        for plane, lengths in zip(levels, self._lengths, strict=True):
            total += bits_of_blocks(_in_file_order(plane).astype(np.int32), lengths)
        return torch.from_numpy(total).reshape(levels.shape[1:3]).to(levels)

    def coefficients(self, levels: Planes, size: tuple[int, int], *, gray: bool) -> Coefficients:
        """Return what a JPEG holds.

        Args:
            levels: levels of each plane.
            size: width and height of the image in pixels.
            gray: write a gray JPEG; otherwise one plane gets Cb and Cr of zero.
        """
        planes = tuple(plane.to(torch.int32).cpu().numpy() for plane in levels)
        tables = self.tables.to(torch.int32).cpu().numpy()
        if len(planes) == 1 and not gray:
            planes = (*planes, *[np.zeros_like(planes[0])] * 2)
            tables = np.repeat(tables, 2, axis=0)
        return Coefficients(planes, tables, size)

    def _best(self, targets: Planes) -> list[Integers]:
        def levels(plane: int, blocks: Reals) -> Integers:
            return best_levels(blocks, self._weights[plane], self.price, self._lengths[plane])

        return self._each(targets, levels)

    def _each(
        self, targets: Planes, work: Callable[[int, Reals], npt.NDArray[Any]]
    ) -> list[Integers]:
        """Return the levels [N, 64] of each plane in the order of the file, some blocks at a time.

        Args:
            targets: coefficients.
            work: function from the number of a plane and coefficients in steps to their levels.
        """
        found = []
        for plane, (given, steps) in enumerate(zip(targets, self._steps, strict=True)):
            parts = [
                work(plane, _in_file_order(part / steps).clip(-MOST, MOST)).astype(np.int32)
                for part in given.reshape(-1, 64).split(AT_A_TIME)
            ]
            found.append(np.concatenate(parts))
        return found


def _counted(levels: list[Integers]) -> list[Reals]:
    """Return the lengths of the pairs for each plane: Cb and Cr share theirs."""
    luma, *chroma = levels
    shared = [lengths_of(np.concatenate(chroma))] * 2 if chroma else []
    return [lengths_of(luma), *shared]


def _in_file_order(blocks: torch.Tensor) -> Reals:
    return blocks.reshape(-1, 64)[:, torch.from_numpy(ZIGZAG)].cpu().numpy().astype(np.float64)


def _in_shape(blocks: Integers, like: torch.Tensor) -> torch.Tensor:
    """Return blocks [N, 64] in the order of the file in the shape and type of others."""
    found = np.empty_like(blocks)
    found[:, ZIGZAG] = blocks
    return torch.from_numpy(found).reshape(like.shape).to(like)
