"""Training of one network by several processes, which torchrun starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from irncli.errors import UsageError

T = TypeVar("T")

__all__ = ["Ranks", "process_group", "ranks_of"]


@dataclass(frozen=True)
class Ranks:
    """Position of this process among the processes of a run.

    Attributes:
        rank: number of this process, from 0.
        count: number of processes.
        local: number of this process on its machine, from 0, which selects its GPU.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """True for the one process that writes files and reports progress."""
        return self.rank == 0

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of a tensor over all ranks, on each rank."""
        if self.count > 1:
            values = values.clone()
            distributed.all_reduce(values)
            values /= self.count
        return values

    def from_leader(self, value: T) -> T:
        """Return the leader's value on each rank, and ignore the values of the other ranks."""
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]


def ranks_of(environment: os._Environ[str] | dict[str, str]) -> Ranks:
    """Read the position of this process from the variables that torchrun sets.

    Without these variables there is one rank.

    Raises:
        UsageError: the variables are not whole numbers, or contradict each other.
    """
    if "WORLD_SIZE" not in environment or "RANK" not in environment:
        return Ranks()
    try:
        rank, count, local = (
            int(environment.get(name, "0")) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")
        )
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE or LOCAL_RANK is not a number: {error}") from error
    if not 0 <= rank < count:
        raise UsageError(f"RANK is {rank} with WORLD_SIZE {count}: start the run with torchrun")
    return Ranks(rank, count, local)


@contextmanager
def process_group(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Connect the ranks while the block runs: NCCL between GPUs, Gloo between CPUs."""
    if ranks.count == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()
