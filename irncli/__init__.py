"""irn: make a picture small and get it back.

Importing this package is cheap: names that need torch are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irncli.api import Model, load, restore
    from irncli.errors import IrnError

__version__ = "0.1.0"

__all__ = ["IrnError", "Model", "__version__", "load", "restore"]

_HOMES = {
    "IrnError": "irncli.errors",
    "Model": "irncli.api",
    "load": "irncli.api",
    "restore": "irncli.api",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
