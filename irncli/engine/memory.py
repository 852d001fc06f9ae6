"""Work that is split into smaller parts when memory runs out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch

from irncli.engine.device import is_out_of_memory
from irncli.engine.tiles import Tile, even_tiles
from irncli.errors import MemoryExhaustedError

__all__ = ["exhausted", "fits", "in_parts", "quarters"]

T = TypeVar("T")


def fits(work: Callable[[], None], device: torch.device) -> bool:
    """Run `work` and tell whether memory was sufficient.

    If memory was insufficient, the cache of the device is freed as well.
    """
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    # Free the cache outside the handler: there, the traceback holds the tensors of the failed run.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return False


def in_parts(
    part: T,
    work: Callable[[T], None],
    split: Callable[[T], Iterable[T]],
    device: torch.device,
) -> None:
    """Do a part of some work; if memory runs out, split the part and do the smaller parts.

    Args:
        part: part of the work to do.
        work: function that does a part; writes nothing before everything has been computed.
        split: function that cuts a part into smaller ones, or raises MemoryExhaustedError.
        device: device whose memory is used.
    """
    if not fits(lambda: work(part), device):
        for smaller in split(part):
            in_parts(smaller, work, split, device)


def quarters(
    tile: Tile, size: tuple[int, int], halo: int, grain: int, device: torch.device, work: str
) -> Iterator[Tile]:
    """Cut a tile that needs too much memory into quarters.

    Args:
        tile: the tile.
        size: height and width of the image.
        halo: width of the border around a tile.
        grain: tiles begin at multiples of it.
        device: device whose memory is used.
        work: what is done with a tile, such as `refine`, for the error.

    Raises:
        MemoryExhaustedError: the tile cannot be made smaller.
    """
    longest = max(axis.stop - axis.start for axis in (tile.rows, tile.columns))
    if longest <= grain:
        raise exhausted(device, f"a window of {grain}x{grain} pixels to {work}")
    side = math.ceil(longest / 2 / grain) * grain
    return even_tiles(tile.rows.tile, tile.columns.tile, side, size, halo, grain)


def exhausted(device: torch.device, what: str) -> MemoryExhaustedError:
    """Return the error for `what`, which does not fit in memory and cannot be made smaller."""
    return MemoryExhaustedError(
        f"not enough memory on {device} for {what}: close other programs or use a machine with "
        "more memory"
    )
