"""The networks: pure maths, forward and inverse. No files, devices or printing."""

from __future__ import annotations

from irncli.config import Architecture, CrmConfig
from irncli.model.crm import CompressionRestoration
from irncli.model.irn import InvertibleNetwork

__all__ = ["CompressionRestoration", "InvertibleNetwork", "Network", "build"]

Network = InvertibleNetwork | CompressionRestoration


def build(architecture: Architecture) -> Network:
    """A freshly initialised network of the given architecture."""
    if isinstance(architecture, CrmConfig):
        return CompressionRestoration(architecture)
    return InvertibleNetwork(architecture)
