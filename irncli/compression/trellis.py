"""Choice of the quantised coefficients of blocks by their cost in bits and in error.

For a block with the coefficients t, in steps, the levels q are sought that minimise

    sum_k w_k (t_k - q_k)^2 + price * bits(q)

The bits are those of an entropy coder of pairs (run of zeros, size of the level), whose
probabilities are those of the image itself. For each block the best levels are found by dynamic
programming over the last coefficient that is not zero, where a level may be the nearest integer,
one less, or zero. The mean of a block is only rounded.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from irncli.io.formats.jpeg_scans import Integers, bit_lengths

__all__ = ["Reals", "best_levels", "bits_of_blocks", "lengths_of"]

Reals = npt.NDArray[np.float64]

_END, _SIXTEEN = (0, 0), (15, 0)
"""Pairs for the end of a block and for sixteen zeros."""
_RARE: Final = 0.3
"""Count given to each pair beforehand, so that a pair that is not in the image has a length."""


def _pairs(levels: Integers) -> tuple[Integers, Integers, npt.NDArray[np.bool_]]:
    """Return run and size of each coefficient [N, 63] behind the mean, and which are not zero."""
    waves = np.arange(1, 64, dtype=np.int32)
    there = levels[:, 1:] != 0
    latest = np.maximum.accumulate(np.where(there, waves, 0), axis=1)
    before = np.concatenate([np.zeros((len(levels), 1), np.int32), latest[:, :-1]], axis=1)
    return waves - 1 - before, bit_lengths(levels[:, 1:]), there


def lengths_of(levels: Integers) -> Reals:
    """Return the lengths in bits [16, 11] of the pairs (run, size), -log2 of their frequencies.

    Args:
        levels: levels of blocks [N, 64] in the order of the file.
    """
    runs, sizes, there = _pairs(levels)
    counts = np.zeros((16, 11))
    counts[:, 1:] = _RARE
    counts[_END] = counts[_SIXTEEN] = _RARE
    np.add.at(counts, (runs[there] % 16, np.minimum(sizes[there], 10)), 1)
    counts[_SIXTEEN] += (runs[there] // 16).sum()
    counts[_END] += (levels[:, 63] == 0).sum()
    with np.errstate(divide="ignore"):
        lengths: Reals = -np.log2(counts / counts.sum())
    return lengths


def bits_of_blocks(levels: Integers, lengths: Reals) -> Reals:
    """Return the bits of each block [N], without those of its mean."""
    runs, sizes, there = _pairs(levels)
    own = lengths[runs % 16, np.minimum(sizes, 10)] + sizes + (runs // 16) * lengths[_SIXTEEN]
    bits: Reals = np.where(there, own, 0).sum(axis=1)
    return bits + np.where(levels[:, 63] == 0, lengths[_END], 0)


def best_levels(targets: Reals, weights: Reals, price: float, lengths: Reals) -> Integers:
    """Return the levels [N, 64] with the least cost; see the module.

    Args:
        targets: coefficients in steps, [N, 64] in the order of the file.
        weights: weight of a squared error of one step, [64].
        price: cost of a bit.
        lengths: see `lengths_of`.
    """
    sizes = np.abs(targets)
    nearest = np.rint(sizes).astype(np.int32)
    left_out = np.cumsum(weights * np.square(sizes), axis=1)  # including the mean: it cancels
    count = len(targets)
    least = np.full((count, 64), np.inf)
    least[:, 0] = 0
    last = np.zeros((count, 64), dtype=np.int32)
    chosen = np.zeros((count, 64), dtype=np.int32)
    for wave in range(1, 64):
        rows = np.flatnonzero(nearest[:, wave])
        if len(rows):
            runs = wave - 1 - np.arange(wave)
            start = least[rows, :wave] + left_out[rows, wave - 1 : wave] - left_out[rows, :wave]
            start += price * lengths[_SIXTEEN] * (runs // 16)
            cost, place, level = _step(
                start, lengths[runs % 16], sizes[rows, wave], nearest[rows, wave],
                weights[wave], price,
            )  # fmt: skip
            least[rows, wave], last[rows, wave], chosen[rows, wave] = cost, place, level
    whole = least + left_out[:, 63:] - left_out
    whole[:, :63] += price * lengths[_END]
    levels = _traced(whole.argmin(axis=1), last, chosen)
    levels *= np.sign(targets).astype(np.int32)
    levels[:, 0] = np.rint(targets[:, 0])
    return levels


def _step(
    start: Reals, lengths: Reals, sizes: Reals, nearest: Integers, weight: float, price: float
) -> tuple[Reals, npt.NDArray[np.intp], Integers]:
    """Return the least cost up to a coefficient that is not zero, the one before, and its level.

    Args:
        start: cost [N, J] of each coefficient before it as the last one that is not zero.
        lengths: lengths [J, 11] of the pairs with the run after each of these.
        sizes: magnitudes [N] of the coefficient in steps.
        nearest: nearest integers [N], 1 or more.
        weight: weight of a squared error of one step.
        price: cost of a bit.
    """
    rows = np.arange(len(start))
    found: list[tuple[Reals, npt.NDArray[np.intp]]] = []
    for less in (0, 1):
        level = nearest - less
        bits = np.minimum(bit_lengths(np.maximum(level, 1)), 10)
        cost = start + price * lengths.T[bits]
        place = cost.argmin(axis=1)
        own = cost[rows, place] + price * bits + weight * np.square(sizes - level)
        found.append((np.where(level > 0, own, np.inf), place))
    (same, place), (lower, other) = found
    better = lower < same
    return (
        np.where(better, lower, same),
        np.where(better, other, place),
        np.where(better, nearest - 1, nearest),
    )


def _traced(ends: npt.NDArray[np.intp], last: Integers, chosen: Integers) -> Integers:
    """Return the levels of the best paths, from their last coefficients back."""
    levels = np.zeros_like(chosen)
    place, rows = ends.copy(), np.arange(len(ends))
    rows = rows[place > 0]
    while len(rows):
        here = place[rows]
        levels[rows, here] = chosen[rows, here]
        place[rows] = last[rows, here]
        rows = rows[place[rows] > 0]
    return levels
