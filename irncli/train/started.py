"""What a run was started with, so that `--resume` need not be told again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from irncli.errors import DataError, StorageError

__all__ = ["START_FILE", "Start", "read_start"]

START_FILE = "run.json"
"""Name of the file in the run directory."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Settings of a run besides its recipe.

    Attributes:
        preset: name of the preset.
        variant: variant of the preset, `irn` or `paper`.
        data: absolute paths and patterns of the training images.
        validation: absolute paths and patterns of the validation images; empty: some of the
            training images.
        init: name or absolute path of the initial weights, or `none`; None: those of the recipe.
        seed: random seed.
        steps: budget in steps; None: `minutes`.
        minutes: budget in minutes; None: `steps`.
    """

    preset: str
    variant: str
    data: tuple[str, ...]
    validation: tuple[str, ...] = ()
    init: str | None = None
    seed: int = 0
    steps: int | None = None
    minutes: float | None = None

    def as_json(self) -> bytes:
        """Return the content of the file."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode("ascii")

    @classmethod
    def from_json(cls, data: bytes) -> Start:
        """Rebuild the settings from a result of `as_json`; ignore keys of later versions.

        Raises:
            ValueError: the data are not such a result.
        """
        record = json.loads(data)
        if not isinstance(record, dict):
            raise ValueError("not a record")
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {key: value for key, value in record.items() if key in known}
        for key in ("data", "validation"):
            values[key] = tuple(values[key])
        if not (
            all(isinstance(values[key], str) for key in ("preset", "variant"))
            and all(isinstance(path, str) for path in (*values["data"], *values["validation"]))
            and isinstance(values["init"], str | None)
            and isinstance(values["seed"], int)
            and isinstance(values["steps"], int | None)
            and isinstance(values["minutes"], int | float | None)
        ):
            raise ValueError("a value has the wrong type")
        return cls(**values)


def read_start(directory: Path) -> Start | None:
    """Return what a run was started with; None if its directory does not say it.

    Raises:
        DataError: the file is damaged.
        StorageError: the file cannot be read.
    """
    path = directory / START_FILE
    try:
        return Start.from_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged: delete it, and repeat --preset and --data with --resume"
        ) from error
