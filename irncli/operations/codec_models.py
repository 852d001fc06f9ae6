"""Models that `irn compress` uses unless others are named."""

from __future__ import annotations

from irncli.io.encoding import Format
from irncli.zoo.registry import Registry

__all__ = ["RESTORER", "default_restorer", "model_for"]

RESTORER = "crm-jpeg"
"""Name of the compression restoration module that is used if it is installed."""


def model_for(scale: float, codec: Format) -> str:
    """Return the name of the default model for a scale and a codec.

    PNG is lossless and does not need a robust model. At x4, training with JPEG in the loop gained
    nothing (docs/training-log.md).
    """
    if scale > 2:
        return "irn-x3" if scale <= 3 else "irn-x4"
    return "irn-x2" if codec == "png" else "irn-jpeg-x2"


def default_restorer(registry: Registry) -> str | None:
    """Return the name of the module that restores JPEGs; None if it is not installed."""
    return RESTORER if any(entry.name == RESTORER for entry in registry.entries()) else None
