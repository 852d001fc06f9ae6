"""The networks, forward and inverse: pure mathematics without files, devices or printing."""

from __future__ import annotations

from irncli.config import Architecture, CrmConfig
from irncli.model.crm import CompressionRestoration
from irncli.model.irn import InvertibleNetwork

__all__ = ["CompressionRestoration", "InvertibleNetwork", "Network", "build"]

Network = InvertibleNetwork | CompressionRestoration


def build(architecture: Architecture) -> Network:
    """Return a newly initialised network of the given architecture."""
    if isinstance(architecture, CrmConfig):
        return CompressionRestoration(architecture)
    return InvertibleNetwork(architecture)
