"""Verdicts of the guard: which blocks the network restores worse, and which marks pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from irncli.engine.guard_measures import largest, means, shifts

__all__ = [
    "BlockErrors",
    "State",
    "block_errors",
    "cheapest",
    "components",
    "costs",
    "is_worse",
    "with_neighbours",
]

MARGIN = 1.04
"""How many times the cost of the plain method the network may have in a block. If all blocks of an
image are at this limit, it is 0.17 dB worse, less than can be seen."""
MOST_RESTORED_SHIFT = 2.5
"""Largest departure of the mean of 16x16 restored pixels from the original that is not counted as a
tint, unless the plain method departs further."""
TINT_COST = 0.43
"""By how much of its mean square error the cost of a block rises with each level of a tint: a tint
of one level is accepted where the network has less than 0.73 times the error."""
STRONG_TINT = 1.5
"""Levels of a tint from which on the cost rises no further. Without this limit, sixteen hard images
at x3 were restored 0.04 dB worse on average, and colour noise had the same tints."""
PERFECT = 255**2 * 1e-5
"""Mean square error, 50 dB, below which a restored block counts as perfect. Such blocks are not
compared by their mean square error but by their largest error."""
MAX_ERROR_IF_PLAIN_IS_PERFECT = 1.5
"""Largest error of a value that the network may make in a block that the plain method restores
perfectly, that is, with a mean square error below PERFECT."""


@dataclass(frozen=True, eq=False)
class BlockErrors:
    """Errors of restored blocks in 8-bit code values, as grids [rows, columns].

    Attributes:
        square: mean square error.
        shift: largest departure of the mean of 16x16 pixels.
        most: largest error of a value.
    """

    square: torch.Tensor
    shift: torch.Tensor
    most: torch.Tensor


def block_errors(error: torch.Tensor, side: int) -> BlockErrors:
    """Return the errors of the blocks of a part of an image.

    Args:
        error: errors of the restored pixels, [1, C, rows, columns].
        side: side of a block in restored pixels.
    """
    return BlockErrors(
        means(error.square().mean(1, keepdim=True), side)[0, 0],
        largest(shifts(error, 16), side // 16),
        largest(error.abs(), side),
    )


def costs(network: BlockErrors, plain: BlockErrors) -> torch.Tensor:
    """Return the cost of blocks: their mean square error, and more if they have a tint.

    A failing network can return NaN, which costs infinitely much.
    """
    tint = (network.shift - plain.shift.clamp_min(MOST_RESTORED_SHIFT)).clamp(0, STRONG_TINT)
    return (network.square * (1 + TINT_COST * tint)).nan_to_num(nan=torch.inf, posinf=torch.inf)


def is_worse(network: BlockErrors, plain: BlockErrors) -> torch.Tensor:
    """Tell which blocks the network restores worse than the plain method does."""
    good = costs(network, plain) <= (MARGIN * plain.square).clamp_min(PERFECT)
    exact = network.most <= MAX_ERROR_IF_PLAIN_IS_PERFECT
    return ~(good & ((plain.square >= PERFECT) | exact))


@dataclass(frozen=True, eq=False)
class State:
    """Blocks as they are restored with some marks; grids [rows, columns].

    Attributes:
        marked: the marks.
        cost: cost of the blocks as a user gets them; NaN where they were not restored.
        plain: mean square error by the plain method; NaN where it was not computed.
        worse: true where the network is worse than the plain method.
    """

    marked: torch.Tensor
    cost: torch.Tensor
    plain: torch.Tensor
    worse: torch.Tensor


def with_neighbours(blocks: torch.Tensor) -> torch.Tensor:
    """Return the blocks together with their neighbours."""
    return functional.max_pool2d(blocks[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0


def components(blocks: torch.Tensor) -> torch.Tensor:
    """Number the connected groups of a grid of blocks; blocks that touch at a corner are connected.

    Returns:
        Grid of numbers, int64: 0 outside, and the same positive number for all blocks of a group.
    """
    numbers = (1.0 + torch.arange(blocks.numel(), dtype=torch.float64)).view(blocks.shape) * blocks
    while True:
        grown = functional.max_pool2d(numbers[None, None], 3, stride=1, padding=1)[0, 0] * blocks
        if torch.equal(grown, numbers):
            labels: torch.Tensor = torch.unique(numbers, return_inverse=True)[1]
            return labels + int(bool(blocks.all()))
        numbers = grown


def cheapest(
    choices: Sequence[torch.Tensor], prices: Sequence[torch.Tensor], groups: torch.Tensor
) -> torch.Tensor:
    """Return the marks that cost least in each group of blocks; of equal ones the first.

    Args:
        choices: grids of marks.
        prices: grid of the costs of all blocks with each of these marks.
        groups: numbers of the groups, from 1; 0: no marks.
    """
    count = int(groups.max()) + 1
    best = torch.zeros_like(choices[0])
    least = torch.full((count,), torch.inf, dtype=torch.float64)
    for place, (marks, cost) in enumerate(zip(choices, prices, strict=True)):
        total = torch.zeros(count, dtype=torch.float64)
        total.index_add_(0, groups.flatten(), cost.flatten().double())
        better = (total < least) if place else torch.ones(count, dtype=torch.bool)
        least = torch.where(better, total, least)
        best = torch.where(better[groups], marks, best)
    return best & (groups > 0)
