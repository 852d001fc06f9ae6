"""What is measured: invertible networks, and the resizing filters they are compared with.

A contestant makes an image small (or gray) and brings it back. Its LR is 8-bit, as in a file.
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
from irncli.errors import UnavailableError, UsageError
from irncli.eval.runner import Tick, no_tick
from irncli.io.picture import Picture
from irncli.io.pillow import lanczos
from irncli.operations.decolor import Decolor
from irncli.operations.downscale import Downscale
from irncli.operations.models import LoadedModel, Models
from irncli.zoo.registry import Registry

__all__ = [
    "BASELINES",
    "Baseline",
    "Contestant",
    "Trained",
    "choose",
    "describe",
    "warm_up",
]

Resize = Callable[[Pixels, int, int], Pixels]

BASELINES: dict[str, Resize] = {"bicubic": bicubic, "lanczos": lanczos}
"""Down and up again by one filter. bicubic: MATLAB's; lanczos: Pillow's, three lobes."""


class Contestant(Protocol):
    """Something that makes images small and brings them back.

    Attributes:
        name: in tables and folders.
        kind: `model`, which has z, or `baseline`, which has none.
        task: `rescale`, or `color`, where LR is one gray channel of full size.
        scale: HR over LR size.
        temperature: default width of z; 0: none is drawn.
        weights_sha256: of a model.
        guarded: whether a model's guard is on; None for a baseline.
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
        """LR of an image [H, W, 3] whose sides are multiples of the scale."""

    def up(self, made: Guarded, seed: int, temperature: float, tick: Tick) -> Pixels:
        """The image [H, W, 3] of an LR."""

    def placement(self) -> tuple[str, str]:
        """Device and precision of the work."""


@dataclass(frozen=True)
class Trained:
    """An invertible network, for rescaling or for colour.

    Attributes:
        name: unlike that of any other contestant.
        model: weights, card, and what runs them.
        guarded: LR is guarded as the commands do it; else it is that of the network alone, as the
            papers measure.
    """

    name: str
    model: LoadedModel
    guarded: bool = False
    kind: Literal["model"] = "model"

    @property
    def rescaler(self) -> Rescaler:
        """What runs the network."""
        return self.model.rescaler

    @property
    def task(self) -> Literal["rescale", "color"]:
        """What its LR is."""
        return self.model.task

    @property
    def scale(self) -> int:
        """HR over LR size; 1 for colour."""
        return self.model.scale

    @property
    def temperature(self) -> float:
        """Default width of z, as the card has it."""
        return self.model.temperature

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights."""
        return self.model.weights_sha256

    def down(self, hr: Pixels, tick: Tick) -> Guarded:
        """Return LR, by the network and perhaps its guard."""
        kind = Decolor if self.task == "color" else Downscale
        operation = kind(model=self.model, guard=self.guarded)
        return operation.made(self.model, Picture(hr), self.scale, "png", 100, tick).guarded

    def up(self, made: Guarded, seed: int, temperature: float, tick: Tick) -> Pixels:
        """HR, by the network run backwards, but for the places that the guard marked."""
        fallback = Fallback.chosen(made.pixels, made.blocks, self.scale, made.tint)
        restored = self.rescaler.upscale(
            made.pixels, seed=seed, temperature=temperature, tick=tick, fallback=fallback
        )
        return to_gray(restored) if made.neutral else restored

    def placement(self) -> tuple[str, str]:
        """Device and precision as they are now: a device may have been given up on the way."""
        device = self.rescaler.network.latent_sigma.device
        names = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return name, names[resolve_precision(self.rescaler.precision, device)]


@dataclass(frozen=True)
class Baseline:
    """A resizing filter, down and up again; always on the CPU, 8-bit at both ends."""

    name: str
    scale: int
    kind: Literal["baseline"] = "baseline"
    task: Literal["rescale"] = "rescale"
    temperature: float = 0.0
    weights_sha256: None = None
    guarded: None = None

    def down(self, hr: Pixels, tick: Tick) -> Guarded:
        """LR, by the filter."""
        height, width = (side // self.scale for side in hr.shape[:2])
        low = BASELINES[self.name](hr, height, width)
        tick(1.0)
        return Guarded(low)

    def up(self, made: Guarded, seed: int, temperature: float, tick: Tick) -> Pixels:  # noqa: ARG002
        """HR, by the filter; there is no z."""
        height, width = (side * self.scale for side in made.pixels.shape[:2])
        restored = BASELINES[self.name](made.pixels, height, width)
        tick(1.0)
        return restored

    def placement(self) -> tuple[str, str]:
        """Where filters run."""
        return "cpu", "fp32" if self.name == "bicubic" else "uint8"


def choose(
    models: Sequence[str],
    baselines: Sequence[str],
    scale: int | None,
    loader: Models,
    *,
    guarded: bool = False,
) -> list[Contestant]:
    """Who takes part: for each scale, smallest first, the baselines and then the models.

    Args:
        models: names or paths; with neither models nor baselines: all shipped rescaling models
            (of `scale`), and bicubic.
        baselines: names out of `BASELINES`, measured at each scale of the models or at `scale`.
        scale: the only one wanted.
        loader: loads models.
        guarded: models make files as the commands do.

    Raises:
        UsageError: a model of another scale, one named twice, or baselines without any scale.
        UnavailableError: no such model, or one that is not invertible.
    """
    if not models and not baselines:
        models, baselines = _shipped(loader.registry, scale), ["bicubic"]
    loaded = [loader.load(given, None) for given in models]
    trained = [Trained(model.name, model, guarded) for model in loaded]
    for given, model in zip(models, trained, strict=True):
        if scale is not None and model.scale != scale:
            raise UsageError(f"{given} has scale {model.scale}, --scale says {scale}: drop one")
    scales = {model.scale for model in trained if model.task == "rescale"}
    if scale is not None and scale > 1:
        scales.add(scale)
    if baselines and not scales:
        raise UsageError("at what scale are the baselines to be measured? give --scale S")
    filters = [Baseline(name, at) for at in sorted(scales) for name in baselines]
    everyone: list[Contestant] = [*filters, *_renamed(models, trained)]
    return sorted(everyone, key=lambda one: one.scale)


def _shipped(registry: Registry, scale: int | None) -> list[str]:
    found = [s for s in registry.summaries() if s.entry.origin == "shipped"]
    rescalers = [s for s in found if s.task == "rescale"]
    names = [s.entry.name for s in rescalers if scale in (None, s.scale)]
    if not names:
        have = ", ".join(f"{s.entry.name} (x{s.scale})" for s in rescalers) or "none"
        wanted = "" if scale is None else f" of scale {scale}"
        raise UnavailableError(
            f"no shipped model{wanted}; there are: {have}. Name one with --model, or only "
            "baselines with --baseline"
        )
    return names


def _renamed(given: Sequence[str], trained: Sequence[Trained]) -> list[Trained]:
    """Models of one name (runs/a/last, runs/b/last) get that of their folder before it."""
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


def describe(contestant: Contestant) -> dict[str, Any]:
    """The first keys of a record: who was measured."""
    return {
        "model": contestant.name,
        "kind": contestant.kind,
        "task": contestant.task,
        "scale": contestant.scale,
        "guard": contestant.guarded,
    }


def warm_up(contestant: Contestant) -> None:
    """Run once on a small gray image, so that no first image pays for the libraries' start."""
    side = 8 * contestant.scale
    low = contestant.down(np.full((side, side, 3), 128, np.uint8), no_tick)
    contestant.up(low, 0, contestant.temperature, no_tick)
