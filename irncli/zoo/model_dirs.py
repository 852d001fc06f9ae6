"""Locations and names of checkpoints, found without importing torch or reading tensors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path

__all__ = [
    "Entry",
    "entries",
    "imported_folder",
    "recorded_sha256",
    "scan",
    "shipped_folder",
    "uses",
]


MAX_HEADER = 1 << 24
"""Largest number of bytes of metadata that are read."""
_WITH_JPEG = re.compile(r"JPEG|-jpeg|jpeg_least'?: [1-9]")
"""Parts of the card of a model that was trained with JPEG: its name, description or recipe."""


@dataclass(frozen=True)
class Entry:
    """Name and location of a model."""

    name: str
    path: Path
    origin: Literal["shipped", "imported"]


def scan(folder: Path, origin: Literal["shipped", "imported"]) -> Iterator[Entry]:
    """Yield the models of a directory by name; nothing if the directory does not exist."""
    for path in sorted(folder.glob("*.safetensors")):
        if not path.name.startswith("."):
            yield Entry(path.stem, path, origin)


def shipped_folder() -> Path:
    """Return the directory of the shipped models; in a checkout it is beside the package."""
    package = Path(__file__).resolve().parents[1]
    inside, beside = package / "weights", package.parent / "weights"
    return inside if inside.is_dir() else beside


def imported_folder() -> Path:
    """Return the directory of the imported models, which may not exist yet."""
    return user_data_path("irn", appauthor=False) / "models"


def entries(shipped: Path, imported: Path) -> list[Entry]:
    """Return the models of two directories, shipped ones first, each sorted by name."""
    return [*scan(shipped, "shipped"), *scan(imported, "imported")]


def uses(path: Path) -> frozenset[str]:
    """Return the uses of a model, from the metadata of its file alone; empty if it is damaged.

    `rescale`: downscale and upscale; `color`: decolor and colorize; `codec`: a rescaling model that
    was trained with JPEG, for compress; `restore`: undoes the losses of a codec.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            metadata = json.loads(file.read(min(length, MAX_HEADER)))["__metadata__"]
        architecture, card = metadata["architecture"], metadata["card"]
        network = json.loads(architecture)
        if network["kind"] == "crm":
            return frozenset({"restore"})
        if network["low_channels"] != 3:
            return frozenset({"color"})
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()
    return frozenset({"rescale", "codec"} if _WITH_JPEG.search(card) else {"rescale"})


def recorded_sha256(path: Path) -> str | None:
    """Return the weights hash that a checkpoint states; None if missing or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get("weights_sha256")
    except (SafetensorError, ValueError, OSError):
        return None
