"""The run directory: resumable state, checkpoints and the log, never half written."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import torch

from irncli.errors import DataError, OutputError
from irncli.io.paths import atomic_write

__all__ = ["RunDirectory"]


class RunDirectory:
    """Files of one training run.

    - `state.pt`: everything the next step depends on (read by the weights-only loader).
    - `last.safetensors`, `best.safetensors`: checkpoints of the averaged weights.
    - `log.jsonl`: one record a line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot create the run directory {path}: {error.strerror}; choose another --out"
            ) from error

    @property
    def state_file(self) -> Path:
        """Where the resumable state lies."""
        return self.path / "state.pt"

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the resumable state as a whole."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        atomic_write(self.state_file, buffer.getvalue(), overwrite=True)

    def load_state(self) -> dict[str, Any] | None:
        """The state of the last save, None for a fresh run."""
        if not self.state_file.exists():
            return None
        try:
            state = torch.load(self.state_file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise DataError(
                f"{self.state_file} is damaged: delete it to start the run anew"
            ) from error
        if not isinstance(state, dict):
            raise DataError(f"{self.state_file} holds no training state: delete it to start anew")
        return state

    def save_checkpoint(self, name: str, data: bytes) -> None:
        """Replace `{name}.safetensors`."""
        atomic_write(self.path / f"{name}.safetensors", data, overwrite=True)

    def log(self, record: dict[str, Any]) -> None:
        """Append one JSON line."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
