"""Records of a run: JSON lines always, TensorBoard if it is installed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irncli.train.state import RunDirectory

__all__ = ["RunLog"]


class RunLog:
    """Writer of sample images and of the records of steps and validations.

    Args:
        directory: run directory.
        step: step from which the run continues; records of later steps are dropped.
        say: called once if TensorBoard is not installed.
    """

    def __init__(self, directory: RunDirectory, step: int, say: Callable[[str], None]) -> None:
        self.directory = directory
        directory.rewind_log(step)
        self._board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            say("TensorBoard is not installed (pip install 'irncli[train]'): using log.jsonl only")
        else:
            folder = str(directory.path / "tensorboard")
            self._board = SummaryWriter(folder, purge_step=step + 1)

    def record(self, step: int, kind: str, values: dict[str, float]) -> None:
        """Write a record `{"step": step, kind: values}`; non-finite values become null."""
        finite = {
            name: round(value, 6) if math.isfinite(value) else None
            for name, value in values.items()
        }
        self.directory.log({"step": step, kind: finite})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def image(self, step: int, index: int, pixels: NDArray[np.uint8]) -> None:
        """Save a sample image of a validation."""
        self.directory.save_sample(step, index, pixels)
        if self._board is not None:
            self._board.add_image(f"held-out/{index}", pixels, step, dataformats="HWC")
            self._board.flush()

    def close(self) -> None:
        """Write out buffered records."""
        if self._board is not None:
            with contextlib.suppress(OSError):  # the disk may be full; the run itself is saved
                self._board.close()
