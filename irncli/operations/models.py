"""Models that are ready to run. Each model is loaded once and stays on its device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from irncli.engine.device import Precision
from irncli.engine.placing import ignore_message
from irncli.engine.rescaler import Rescaler
from irncli.engine.restorer import Restorer
from irncli.errors import UnavailableError
from irncli.model import CompressionRestoration, InvertibleNetwork
from irncli.zoo.checkpoint import Checkpoint
from irncli.zoo.model_dirs import recorded_sha256
from irncli.zoo.registry import Registry, default_registry

__all__ = ["COLOR_MODEL", "TASK_NAMES", "LoadedModel", "LoadedRestorer", "Models", "name_of"]

COLOR_MODEL = "irn-color"
"""Name of the default model of `decolor` and `colorize`."""
TASK_NAMES = {"rescale": "rescaling", "color": "colour"}
"""Words for the models of each task in messages."""


@dataclass(frozen=True)
class LoadedModel:
    """An invertible network on a device.

    Attributes:
        checkpoint: weights and model card.
        rescaler: rescaler that runs the network.
    """

    checkpoint: Checkpoint
    rescaler: Rescaler

    @property
    def name(self) -> str:
        """Name of the model in the registry, or the stem of its file."""
        return self.checkpoint.card.name

    @property
    def task(self) -> Literal["rescale", "color"]:
        """Task of the model: `rescale` (downscale, upscale) or `color` (decolor, colorize)."""
        return self.rescaler.network.config.task

    @property
    def scale(self) -> int:
        """HR size over LR size; 1 for a colour model."""
        return self.rescaler.scale

    @property
    def temperature(self) -> float:
        """Default width of z, as a multiple of the recorded standard deviations."""
        return self.checkpoint.card.temperature

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights, as stored in tags."""
        return self.checkpoint.weights_sha256


@dataclass(frozen=True)
class LoadedRestorer:
    """A compression restoration module on a device.

    Attributes:
        checkpoint: weights and model card.
        restorer: restorer that runs the module.
    """

    checkpoint: Checkpoint
    restorer: Restorer

    @property
    def name(self) -> str:
        """Name of the module in the registry, or the stem of its file."""
        return self.checkpoint.card.name

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights, as stored in tags."""
        return self.checkpoint.weights_sha256


@dataclass
class Models:
    """The models of a device, each loaded on first use.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: floating-point precision of the network.
        tile: side of a tile in HR pixels, at least 64; 0: no tiles; None: chosen automatically.
        warn: called with a message if the work falls back to another device.
        registry: registry in which names are looked up.
    """

    device: str = "auto"
    precision: Precision = "auto"
    tile: int | None = None
    warn: Callable[[str], None] = ignore_message
    registry: Registry = field(default_factory=default_registry)
    _models: dict[str, LoadedModel] = field(default_factory=dict)
    _restorers: dict[str, LoadedRestorer] = field(default_factory=dict)
    _hashes: dict[str, str | None] = field(default_factory=dict)

    def recorded_sha256(self, name: str) -> str | None:
        """Return the weights hash recorded in the file of a model, without loading the weights.

        Raises:
            UnavailableError: there is no such model.
        """
        if name not in self._hashes:
            self._hashes[name] = recorded_sha256(self.registry.locate(name))
        return self._hashes[name]

    def load(self, model: str | LoadedModel, task: str | None = "rescale") -> LoadedModel:
        """Return an invertible model, and load it unless it was loaded before.

        Args:
            model: a name in the registry, a path, or a model that is already loaded.
            task: required task, `rescale` or `color`; None: any task.

        Raises:
            UnavailableError: there is no such model, or it is for another task.
        """
        if isinstance(model, LoadedModel):
            return require_task(model, task)
        name = model
        if name not in self._models:
            checkpoint = self.registry.load(name)
            network = checkpoint.network
            if not isinstance(network, InvertibleNetwork):
                raise UnavailableError(_refusal(f"{name} (CRM)", task))
            rescaler = Rescaler(network, self.device, self.precision, self.tile, self.warn)
            self._models[name] = LoadedModel(checkpoint, rescaler)
        return require_task(self._models[name], task)

    def load_restorer(self, name: str) -> LoadedRestorer:
        """Return a compression restoration module, and load it unless it was loaded before.

        Raises:
            UnavailableError: there is no such model, or it is of another kind.
        """
        if name not in self._restorers:
            checkpoint = self.registry.load(name)
            network = checkpoint.network
            if not isinstance(network, CompressionRestoration):
                raise UnavailableError(f"{name} is not a restoration module: see 'irn models list'")
            restorer = Restorer(network, self.device, self.precision, self.warn)
            self._restorers[name] = LoadedRestorer(checkpoint, restorer)
        return self._restorers[name]


def name_of(model: str | LoadedModel) -> str:
    """Return the name of a model that is given by name or as a loaded model."""
    return model if isinstance(model, str) else model.name


def require_task(model: LoadedModel, task: str | None) -> LoadedModel:
    """Return the model if it is for this task.

    Raises:
        UnavailableError: the model is for another task.
    """
    if task not in (None, model.task):
        raise UnavailableError(_refusal(model.name, task))
    return model


def _refusal(name: str, task: str | None) -> str:
    wanted = "rescaling or colour" if task is None else TASK_NAMES[task]
    return f"{name} is not a {wanted} model: see 'irn models list'"
