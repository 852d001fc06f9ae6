"""Work that is split into smaller parts when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch

from irncli.engine.device import is_out_of_memory
from irncli.errors import MemoryExhaustedError

__all__ = ["exhausted", "fits", "in_parts"]

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


def exhausted(device: torch.device, what: str) -> MemoryExhaustedError:
    """Return the error for `what`, which does not fit in memory and cannot be made smaller."""
    return MemoryExhaustedError(
        f"not enough memory on {device} for {what}: close other programs or use a machine with "
        "more memory"
    )
