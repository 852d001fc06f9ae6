"""The models of a batch, each read once and made ready to run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from irncli.engine.device import Precision
from irncli.engine.rescaler import Rescaler
from irncli.engine.restorer import Restorer
from irncli.errors import UnavailableError
from irncli.model import CompressionRestoration, InvertibleNetwork
from irncli.zoo.checkpoint import Checkpoint
from irncli.zoo.registry import Registry, default_registry
from irncli.zoo.shelf import recorded_sha256

__all__ = ["TASKS", "Loaded", "LoadedRestorer", "Workshop"]

TASKS = {"rescale": "rescaling", "color": "colour"}
"""What a model of each task is called."""


@dataclass(frozen=True)
class Loaded:
    """An invertible model ready to run."""

    checkpoint: Checkpoint
    rescaler: Rescaler

    @property
    def name(self) -> str:
        """By which it was found."""
        return self.checkpoint.card.name


@dataclass(frozen=True)
class LoadedRestorer:
    """A compression restoration module ready to run."""

    checkpoint: Checkpoint
    restorer: Restorer

    @property
    def name(self) -> str:
        """By which it was found."""
        return self.checkpoint.card.name


@dataclass
class Workshop:
    """Models on the device of a batch."""

    device: str
    precision: Precision
    tile: int | None
    warn: Callable[[str], None]
    registry: Registry = field(default_factory=default_registry)
    _models: dict[str, Loaded] = field(default_factory=dict)
    _restorers: dict[str, LoadedRestorer] = field(default_factory=dict)
    _hashes: dict[str, str | None] = field(default_factory=dict)

    def recorded_sha256(self, name: str) -> str | None:
        """What the file of a model says of its weights, without loading it.

        Raises:
            UnavailableError: no such model.
        """
        if name not in self._hashes:
            self._hashes[name] = recorded_sha256(self.registry.locate(name))
        return self._hashes[name]

    def load(self, name: str, task: str = "rescale") -> Loaded:
        """An invertible model.

        Raises:
            UnavailableError: no such model, or not one for the task.
        """
        if name not in self._models:
            checkpoint = self.registry.load(name)
            network = checkpoint.network
            if not isinstance(network, InvertibleNetwork):
                raise UnavailableError(f"{name} is no {TASKS[task]} model: see 'irn models list'")
            rescaler = Rescaler(network, self.device, self.precision, self.tile, self.warn)
            self._models[name] = Loaded(checkpoint, rescaler)
        loaded = self._models[name]
        if loaded.rescaler.network.config.task != task:
            raise UnavailableError(f"{name} is no {TASKS[task]} model: see 'irn models list'")
        return loaded

    def load_restorer(self, name: str) -> LoadedRestorer:
        """A compression restoration module.

        Raises:
            UnavailableError: no such model, or not such a one.
        """
        if name not in self._restorers:
            checkpoint = self.registry.load(name)
            network = checkpoint.network
            if not isinstance(network, CompressionRestoration):
                raise UnavailableError(f"{name} restores no compressed LR: see 'irn models list'")
            restorer = Restorer(network, self.device, self.precision, self.warn)
            self._restorers[name] = LoadedRestorer(checkpoint, restorer)
        return self._restorers[name]
