"""Work that is done in smaller parts where memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch

from irncli.engine.device import is_out_of_memory
from irncli.errors import MemoryExhaustedError

__all__ = ["exhausted", "fits", "in_parts"]

T = TypeVar("T")


def fits(work: Callable[[], None], device: torch.device) -> bool:
    """Do some work; return False, with the device's cache freed, if it needs too much memory."""
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    # Outside of the handler: the traceback holds the tensors of the failed attempt.
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return False


def in_parts(
    part: T,
    work: Callable[[T], None],
    split: Callable[[T], Iterable[T]],
    device: torch.device,
) -> None:
    """Do a part of some work; where memory does not suffice, in the parts that `split` makes of it.

    Args:
        part: what to do.
        work: does a part; writes nothing before it has computed everything.
        split: makes smaller parts, or raises MemoryExhaustedError.
        device: where the memory is.
    """
    if not fits(lambda: work(part), device):
        for smaller in split(part):
            in_parts(smaller, work, split, device)


def exhausted(device: torch.device, what: str) -> MemoryExhaustedError:
    """Return the error for `what` did not fit, and cannot be made smaller."""
    return MemoryExhaustedError(
        f"not enough memory on {device} for {what}: close other programs or use a machine with "
        "more memory"
    )
