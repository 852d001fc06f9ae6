"""Methods of the evaluation: invertible networks, and resizing filters to compare with.

A method downscales an image (or converts it to gray) and restores it. LR is 8-bit, as in a
file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch

from irncli.engine.device import resolve_precision
from irncli.engine.fallback import Fallback
from irncli.engine.guard import Guarded
from irncli.engine.rescaler import Pixels, Rescaler, bicubic, to_gray
from irncli.engine.ticks import Tick, no_tick
from irncli.errors import UnavailableError, UsageError
from irncli.io.picture import Picture
from irncli.io.pillow import lanczos
from irncli.operations.decolor import Decolor
from irncli.operations.downscale import Downscale
from irncli.operations.models import LoadedModel, Models
from irncli.zoo.registry import Registry

__all__ = [
    "BASELINES",
    "Baseline",
    "Method",
    "Trained",
    "choose",
    "describe",
    "warm_up",
]

Resize = Callable[[Pixels, int, int], Pixels]

BASELINES: dict[str, Resize] = {"bicubic": bicubic, "lanczos": lanczos}
"""Filters for downscaling and upscaling. bicubic: MATLAB's; lanczos: Pillow's, three lobes."""


class Method(Protocol):
    """Method that downscales images and restores them.

    Attributes:
        name: name in tables and of directories.
        kind: `model`, which has z, or `baseline`, which does not.
        task: `rescale`, or `color`, for which LR is one gray channel of full size.
        scale: HR size over LR size.
        temperature: default width of z, as a multiple of the recorded standard deviations; 0: z
            is 0.
        weights_sha256: hash of the weights of a model; None for a baseline.
        guarded: True if the guard of a model is on; None for a baseline.
    """

    @property
    def guarded(self) -> bool | None: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> Literal["model", "baseline"]: ...  # noqa: D102
    @property
    def task(self) -> Literal["rescale", "color"]: ...  # noqa: D102
    @property
    def scale(self) -> int: ...  # noqa: D102
    @property
    def temperature(self) -> float: ...  # noqa: D102
    @property
    def weights_sha256(self) -> str | None: ...  # noqa: D102

    def down(self, hr: Pixels, tick: Tick) -> Guarded:
        """Return LR of an image [H, W, 3] whose sides are multiples of the scale."""

    def up(self, made: Guarded, seed: int, temperature: float, tick: Tick) -> Pixels:
        """Return the image [H, W, 3] restored from LR."""

    def placement(self) -> tuple[str, str]:
        """Return the device and the precision of the computation."""


@dataclass(frozen=True)
class Trained:
    """An invertible network, for rescaling or for colour.

    Attributes:
        name: unique name among the methods.
        model: loaded model: weights, card and rescaler.
        guarded: apply the guard to LR as the commands do; otherwise LR is that of the network
            alone, as measured in the papers.
        kind: always `model`.
    """

    name: str
    model: LoadedModel
    guarded: bool = False
    kind: Literal["model"] = "model"

    @property
    def rescaler(self) -> Rescaler:
        """Rescaler that runs the network."""
        return self.model.rescaler

    @property
    def task(self) -> Literal["rescale", "color"]:
        """Task of the model: `rescale` or `color`."""
        return self.model.task

    @property
    def scale(self) -> int:
        """HR size over LR size; 1 for colour."""
        return self.model.scale

    @property
    def temperature(self) -> float:
        """Default width of z, as a multiple of the recorded standard deviations; from the card."""
        return self.model.temperature

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights."""
        return self.model.weights_sha256

    def down(self, hr: Pixels, tick: Tick) -> Guarded:
        """Return LR made by the network, with the guard if `guarded`."""
        kind = Decolor if self.task == "color" else Downscale
        operation = kind(model=self.model, guard=self.guarded)
        return operation.run_network(self.model, Picture(hr), self.scale, "png", 100, tick).guarded

    def up(self, made: Guarded, seed: int, temperature: float, tick: Tick) -> Pixels:
        """Return HR restored by the inverse network, except in the blocks marked by the guard."""
        fallback = Fallback.for_image(made.pixels, made.blocks, self.scale, made.tint)
        restored = self.rescaler.upscale(
            made.pixels, seed=seed, temperature=temperature, tick=tick, fallback=fallback
        )
        return to_gray(restored) if made.neutral else restored

    def placement(self) -> tuple[str, str]:
        """Return the device and precision in use; a device that was too small is now the CPU."""
        device = self.rescaler.network.latent_sigma.device
        names = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return name, names[resolve_precision(self.rescaler.precision, device)]


@dataclass(frozen=True)
class Baseline:
    """A resizing filter for both directions, always on the CPU, with 8-bit LR and HR."""

    name: str
    scale: int
    kind: Literal["baseline"] = "baseline"
    task: Literal["rescale"] = "rescale"
    temperature: float = 0.0
    weights_sha256: None = None
    guarded: None = None

    def down(self, hr: Pixels, tick: Tick) -> Guarded:
        """Return LR made by the filter."""
        height, width = (side // self.scale for side in hr.shape[:2])
        low = BASELINES[self.name](hr, height, width)
        tick(1.0)
        return Guarded(low)

    def up(self, made: Guarded, seed: int, temperature: float, tick: Tick) -> Pixels:  # noqa: ARG002
        """Return HR restored by the filter; seed and temperature are ignored."""
        height, width = (side * self.scale for side in made.pixels.shape[:2])
        restored = BASELINES[self.name](made.pixels, height, width)
        tick(1.0)
        return restored

    def placement(self) -> tuple[str, str]:
        """Return the device and the precision of the filter."""
        return "cpu", "fp32" if self.name == "bicubic" else "uint8"


def choose(
    models: Sequence[str],
    baselines: Sequence[str],
    scale: int | None,
    loader: Models,
    *,
    guarded: bool = False,
) -> list[Method]:
    """Return the methods: for each scale, smallest first, the baselines and then the models.

    With neither models nor baselines, these are all shipped rescaling models (of `scale`, if given)
    and bicubic.

    Args:
        models: names or paths of models.
        baselines: names from `BASELINES`, measured at each scale of the models or at `scale`.
        scale: the scale to measure; None: all scales of the models.
        loader: loader of the models.
        guarded: apply the guard to LR as the commands do.

    Raises:
        UsageError: a model has another scale or is named twice, or baselines have no scale.
        UnavailableError: there is no such model, or it is not invertible.
    """
    if not models and not baselines:
        models, baselines = _shipped(loader.registry, scale), ["bicubic"]
    loaded = [loader.load(given, None) for given in models]
    trained = [Trained(model.name, model, guarded) for model in loaded]
    for given, model in zip(models, trained, strict=True):
        if scale is not None and model.scale != scale:
            raise UsageError(f"{given} has scale {model.scale}, not --scale {scale}: drop one")
    scales = {model.scale for model in trained if model.task == "rescale"}
    if scale is not None and scale > 1:
        scales.add(scale)
    if baselines and not scales:
        raise UsageError("missing --scale: the baselines need one, such as --scale 4")
    filters = [Baseline(name, at) for at in sorted(scales) for name in baselines]
    everyone: list[Method] = [*filters, *_renamed(models, trained)]
    return sorted(everyone, key=lambda one: one.scale)


def _shipped(registry: Registry, scale: int | None) -> list[str]:
    found = [s for s in registry.summaries() if s.entry.origin == "shipped"]
    rescalers = [s for s in found if s.task == "rescale"]
    names = [s.entry.name for s in rescalers if scale in (None, s.scale)]
    if not names:
        have = ", ".join(f"{s.entry.name} (x{s.scale})" for s in rescalers) or "none"
        wanted = "" if scale is None else f" of scale {scale}"
        raise UnavailableError(
            f"no shipped model{wanted}; available: {have}. Name one with --model, or only "
            "baselines with --baseline"
        )
    return names


def _renamed(given: Sequence[str], trained: Sequence[Trained]) -> list[Trained]:
    """Put the name of the directory before names that would clash (runs/a/last, runs/b/last)."""
    doubled = next((name for name, count in Counter(given).items() if count > 1), None)
    if doubled is not None:
        raise UsageError(f"--model {doubled} is given twice: once is enough")
    counts = Counter([*BASELINES, *(model.name for model in trained)])
    names = [
        _long_name(path) if counts[model.name] > 1 else model.name
        for path, model in zip(given, trained, strict=True)
    ]
    clash = next((name for name, count in Counter(names).items() if count > 1), None)
    if clash is not None:
        raise UsageError(f"two models would be called {clash} in the tables: rename a file")
    return [replace(model, name=name) for name, model in zip(names, trained, strict=True)]


def _long_name(given: str) -> str:
    path = Path(given).absolute()
    return f"{path.parent.name}-{path.stem}"


def describe(method: Method) -> dict[str, Any]:
    """Return the first keys of a record, which identify the method."""
    return {
        "model": method.name,
        "kind": method.kind,
        "task": method.task,
        "scale": method.scale,
        "guard": method.guarded,
    }


def warm_up(method: Method) -> None:
    """Run once on a small gray image, so that no measured time includes starting the libraries."""
    side = 8 * method.scale
    low = method.down(np.full((side, side, 3), 128, np.uint8), no_tick)
    method.up(low, 0, method.temperature, no_tick)
