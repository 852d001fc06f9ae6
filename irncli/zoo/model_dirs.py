"""Where checkpoints lie and what they are called; their files are not read here, nor is torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

__all__ = ["Entry", "entries", "imported_folder", "recorded_sha256", "scan", "shipped_folder"]


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
    """Return the directory of the imported models, which may not exist yet."""
    return user_data_path("irn", appauthor=False) / "models"


def entries(shipped: Path, imported: Path) -> list[Entry]:
    """All models of two folders, shipped first, each by name."""
    return [*scan(shipped, "shipped"), *scan(imported, "imported")]


def recorded_sha256(path: Path) -> str | None:
    """The hash of its weights that a checkpoint states; None: it states none, or is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("weights_sha256")
    except (SafetensorError, ValueError, OSError):
        return None
