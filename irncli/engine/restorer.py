"""Restoration of decoded LR images by a CRM, strip by strip. Input and output are arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.engine.dense import DenseBlocks, Evaluator
from irncli.engine.device import Precision
from irncli.engine.memory import exhausted, fits
from irncli.engine.placing import Placed, ignore_message
from irncli.engine.stream import Plan, Stream, reach_of
from irncli.engine.tensors import Pixels, to_pixels, to_tensor
from irncli.engine.ticks import Progress, Tick, no_tick
from irncli.engine.tiles import Span, spans
from irncli.errors import UsageError
from irncli.model import CompressionRestoration
from irncli.model.crm import describe_tables

__all__ = ["Restorer"]


@dataclass
class Restorer(Placed):
    """One CRM on one device, which maps LR as decoded from a file to LR as the network made it.

    Law: on the CPU, the same image and weights give the same 8-bit pixels, equal to those of the
    network run on the whole image, regardless of the plan and the number of threads.

    Attributes:
        network: compression restoration module (CRM).
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: precision inside the dense blocks: `auto`, `fp32`, `bf16` or `fp16`.
        warn: callback that receives a one-sentence message on fallback to the CPU.
        plan: plan for cutting images into parts; None to choose one.

    Raises:
        UsageError: an option is out of range.
        UnavailableError: this machine has no such device.
    """

    network: CompressionRestoration
    device: str = "auto"
    precision: Precision = "auto"
    warn: Callable[[str], None] = ignore_message
    plan: Plan | None = None

    def __post_init__(self) -> None:
        self._settle()

    def restore(
        self,
        lr: Pixels,
        tables: NDArray[np.uint8] | None = None,
        tick: Tick = no_tick,
    ) -> Pixels:
        """Restore LR to its state before it was coded.

        Args:
            lr: decoded LR image, uint8 [h, w, 3].
            tables: luma and chroma quantisation steps of the file in row order, uint8 [2, 64], 1 to
                255; required by a conditioned CRM, ignored by others.
            tick: callback that receives the share of the work just completed.

        Returns:
            Restored LR image, uint8 [h, w, 3].

        Raises:
            UsageError: the tables for a conditioned CRM are missing, or not those of a JPEG file.
            MemoryExhaustedError: there is not enough memory even for the smallest parts.
        """
        described = self._described(tables)
        progress = Progress(tick)
        return self._guarded(lambda: self._restored(lr, described, progress))

    def _described(self, tables: NDArray[np.uint8] | None) -> torch.Tensor | None:
        if not self.network.config.conditioned:
            return None
        if tables is None:
            raise UsageError(
                "this model needs the quantisation tables of a JPEG file, but the input has none: "
                "give the original JPEG file, or use a model for one quality"
            )
        if tables.shape != (2, 64) or not tables.all():
            raise UsageError(
                f"quantisation tables of shape {list(tables.shape)} with steps from "
                f"{tables.min(initial=255)}: expected shape [2, 64] with steps from 1"
            )
        return describe_tables(torch.from_numpy(tables.copy())[None])

    @torch.inference_mode()
    def _restored(self, lr: Pixels, described: torch.Tensor | None, progress: Progress) -> Pixels:
        plan = self.plan or Plan.chosen(lr.shape[1], self._device)
        described = None if described is None else described.to(self._device)
        progress.done = 0.0
        return _Work(self.network, described, self.blocks, plan, lr, progress).run()


class _Work:
    """Restoration of one image on one device, strip by strip."""

    def __init__(
        self,
        network: CompressionRestoration,
        described: torch.Tensor | None,
        blocks: DenseBlocks,
        plan: Plan,
        lr: Pixels,
        progress: Progress,
    ) -> None:
        self.network, self.described = network, described
        self.evaluate = Evaluator(blocks)
        self.device = network.conv_first.weight.device
        self.lr, self.progress = lr, progress
        self.height, self.width = lr.shape[:2]
        self.plan = plan.fitted(self.height, self.width)
        self.restored = np.empty_like(lr)

    def run(self) -> Pixels:
        """Restore the image.

        If memory runs out, continue from there in smaller parts; if half precision overflows, in
        float32.
        """
        start, reach = 0, reach_of(self.network.config)
        while start < self.width:
            strip = spans(start, self.width, self.plan.strip, reach, self.width)[0]
            before = self.progress.done
            if not fits(partial(self._restore, strip), self.device):
                self.evaluate.release()
                self.plan = self._smaller()
                self.progress.done = before
            elif self.evaluate.overflowed():
                self.evaluate = Evaluator(DenseBlocks(self.network, torch.float32))
                self.progress.done = before
            else:
                start = strip.stop
        return self.restored

    def _restore(self, strip: Span) -> None:
        def read(rows: slice) -> torch.Tensor:
            return to_tensor(self.lr[rows, strip.window]).to(self.device)

        def advance(share: float) -> None:
            self.progress.advance(share * (strip.stop - strip.start) / self.width)

        stream = Stream(self.network, self.described, self.plan, self.evaluate)
        top = 0
        for rows in stream.run(read, self.height, advance):
            bottom = top + rows.shape[2]
            self.restored[top:bottom, strip.tile] = to_pixels(rows[:, :, :, strip.inner])
            top = bottom

    def _smaller(self) -> Plan:
        """Return the plan for about half the size of the parts that did not fit."""
        plan = self.plan.halved().fitted(self.height, self.width)
        if plan == self.plan:
            raise exhausted(self.device, f"a strip of {plan.strip} columns")
        return plan
