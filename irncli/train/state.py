"""Run directory: state, recipe, checkpoints, log and samples, never left half-written."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from irncli.errors import DataError, OutputError, StorageError
from irncli.io.encoding import encode
from irncli.io.paths import atomic_write, make_directory, remove_partials
from irncli.io.picture import Picture
from irncli.train.recipe import Recipe
from irncli.train.started import START_FILE, Start

__all__ = ["RunDirectory"]


class RunDirectory:
    """Files of one training run.

    - `state.pt`: everything that the next step depends on (read by the weights-only loader).
    - `recipe.toml`: the recipe, as `--config` reads it.
    - `run.json`: what else the run was started with.
    - `last.safetensors`, `best.safetensors`: checkpoints of the averaged weights.
    - `log.jsonl`: one record per line; `tensorboard/`: the same records for TensorBoard.
    - `samples/`: held-out images, side by side, at each validation.

    This is a context manager. Inside the context, `run.lock` keeps other processes out (the system
    releases the lock when a process is killed), and files that a killed process left half-written
    have been removed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "run.lock", timeout=0)

    def __enter__(self) -> Self:
        """Create and lock the directory.

        Raises:
            OutputError: the directory cannot be created or written to, or another process is using
                it.
        """
        make_directory(self.path)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise OutputError(
                f"another process is training in {self.path}: wait for it, or choose another --out"
            ) from error
        except OSError as error:
            raise OutputError(f"cannot write to {self.path}: {error.strerror}") from error
        for folder in (self.path, self.path / "samples"):
            remove_partials(folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock."""
        self._lock.release()

    @property
    def state_file(self) -> Path:
        """Path of the resumable state."""
        return self.path / "state.pt"

    @property
    def log_file(self) -> Path:
        """Path of the records."""
        return self.path / "log.jsonl"

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the resumable state atomically."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        atomic_write(self.state_file, buffer.getvalue(), overwrite=True)

    def load_state(self) -> dict[str, Any] | None:
        """Return the last saved state, or None for a fresh run.

        Raises:
            DataError: the file is damaged or belongs to another version of irn.
        """
        if not self.state_file.exists():
            return None
        try:
            state = torch.load(self.state_file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise DataError(
                f"{self.state_file} is damaged: delete it to restart the run"
            ) from error
        if not isinstance(state, dict) or "recipe" not in state:
            raise DataError(f"{self.state_file} holds no training state: delete it to restart")
        return state

    def save_recipe(self, recipe: Recipe) -> None:
        """Save the recipe in readable form."""
        atomic_write(self.path / "recipe.toml", recipe.as_toml().encode(), overwrite=True)

    def save_start(self, start: Start) -> None:
        """Save what the run was started with."""
        atomic_write(self.path / START_FILE, start.as_json(), overwrite=True)

    def save_checkpoint(self, name: str, data: bytes) -> None:
        """Replace `{name}.safetensors`."""
        atomic_write(self.path / f"{name}.safetensors", data, overwrite=True)

    def save_sample(self, step: int, index: int, pixels: NDArray[np.uint8]) -> None:
        """Save a side-by-side image."""
        folder = self.path / "samples"
        make_directory(folder)
        data = encode(Picture(pixels), image_format="png")
        atomic_write(folder / f"step-{step:07d}-{index}.png", data, overwrite=True)

    def log(self, record: dict[str, Any]) -> None:
        """Append a record to the log as one JSON line."""
        try:
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise StorageError(f"cannot write {self.log_file}: {error.strerror}") from error

    def rewind_log(self, step: int) -> None:
        """Drop the records of steps after `step`, and an incomplete last line.

        A killed run may have logged steps that the resumed run repeats.
        """
        if not self.log_file.exists():
            return
        kept = []
        for line in self._logged():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("step", 0) <= step:
                kept.append(line + "\n")
        atomic_write(self.log_file, "".join(kept).encode(), overwrite=True)

    def _logged(self) -> list[str]:
        try:
            return self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise StorageError(f"cannot read {self.log_file}: {error.strerror}") from error
