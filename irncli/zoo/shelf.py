"""Where checkpoints lie and what they are called; their files are not read here, nor is torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

__all__ = ["Entry", "imported_folder", "names", "scan", "shipped_folder"]


@dataclass(frozen=True)
class Entry:
    """Where a named model lies."""

    name: str
    path: Path
    origin: Literal["shipped", "imported"]


def scan(folder: Path, origin: Literal["shipped", "imported"]) -> Iterator[Entry]:
    """The models of a folder, by name; none where there is no such folder."""
    for path in sorted(folder.glob("*.safetensors")):
        if not path.name.startswith("."):
            yield Entry(path.stem, path, origin)


def shipped_folder() -> Path:
    """The package's own weights; in a checkout the folder beside it."""
    package = Path(__file__).resolve().parents[1]
    inside, beside = package / "weights", package.parent / "weights"
    return inside if inside.is_dir() else beside


def imported_folder() -> Path:
    """Of the models that the user imported; it may not be there yet."""
    return user_data_path("irn", appauthor=False) / "models"


def names() -> list[str]:
    """Of all models that are here, shipped ones first."""
    shipped, imported = scan(shipped_folder(), "shipped"), scan(imported_folder(), "imported")
    return [entry.name for entry in (*shipped, *imported)]
