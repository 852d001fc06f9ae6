"""irn: downscale images so that they can be restored.

Importing this package is cheap, since names that need torch are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from irncli.errors import (
    CheckpointError,
    DataError,
    ImageError,
    InputMissingError,
    IrnError,
    MemoryExhaustedError,
    OutputError,
    StorageError,
    TagError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from irncli.api import Model, Result, compress, decolor, downscale, load, restore

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "DataError",
    "ImageError",
    "InputMissingError",
    "IrnError",
    "MemoryExhaustedError",
    "Model",
    "OutputError",
    "Result",
    "StorageError",
    "TagError",
    "UnavailableError",
    "UsageError",
    "__version__",
    "compress",
    "decolor",
    "downscale",
    "load",
    "restore",
]

_LAZY = ("Model", "Result", "compress", "decolor", "downscale", "load", "restore")
"""Names that need torch, and are loaded on first use."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module("irncli.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
