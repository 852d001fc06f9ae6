"""Placement of a network on a device, with a fallback to the CPU when memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from irncli.engine.dense import DenseBlocks
from irncli.engine.device import (
    Precision,
    is_out_of_memory,
    resolve_device,
    resolve_precision,
    use_exact_fp32,
)
from irncli.errors import MemoryExhaustedError

__all__ = ["Placed", "ignore_message"]

T = TypeVar("T")


def ignore_message(message: str) -> None:
    """Ignore a message."""


class Placed:
    """Base class for classes that run one network on one device.

    Attributes:
        network: network in channels-last layout on the device.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: precision inside the dense blocks: `auto`, `fp32`, `bf16` or `fp16`.
        warn: callback that receives a one-sentence message on fallback to the CPU.
        blocks: dense blocks of the network, converted to the precision.
    """

    network: nn.Module
    blocks: DenseBlocks
    device: str
    precision: Precision
    warn: Callable[[str], None]

    def _settle(self) -> None:
        """Move the network to the requested device.

        Raises:
            UsageError: the name of the device or the precision is unknown.
            UnavailableError: this machine has no such device.
        """
        use_exact_fp32()
        self._place(resolve_device(self.device))

    def _place(self, device: torch.device) -> None:
        self._device = device
        self.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.blocks = DenseBlocks(self.network, resolve_precision(self.precision, device))

    def _guarded(self, run: Callable[[], T]) -> T:
        """Run; if the device lacks memory even for the smallest tile, run again on the CPU."""
        try:
            return run()
        except (MemoryExhaustedError, RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) and not isinstance(error, MemoryExhaustedError):
                raise
            if self._device.type == "cpu":
                raise MemoryExhaustedError(
                    "not enough memory for this image: close other programs or use a machine "
                    "with more memory"
                ) from error
            failed = self._device
        self.warn(
            f"{failed} has too little memory for this image: continuing on the CPU, which is slower"
        )
        self._place(torch.device("cpu"))
        return run()
