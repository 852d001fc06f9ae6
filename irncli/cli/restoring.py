"""What downscale and upscale share: loading models once, tagging, restoring by tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from irncli.engine.device import Precision
from irncli.engine.rescaler import Rescaler, hr_size_of, lr_size
from irncli.errors import TagError, UnavailableError
from irncli.io.images import Metadata
from irncli.io.tag import Tag, embed, remove
from irncli.model import InvertibleNetwork
from irncli.zoo.checkpoint import Checkpoint
from irncli.zoo.registry import Registry, default_registry

__all__ = ["Loaded", "Source", "Workshop", "find_source", "tagged_xmp", "untagged"]


@dataclass(frozen=True)
class Loaded:
    """A model ready to run."""

    checkpoint: Checkpoint
    rescaler: Rescaler

    @property
    def name(self) -> str:
        """By which it was found."""
        return self.checkpoint.card.name


@dataclass
class Workshop:
    """Models of a batch: each is read once."""

    device: str
    precision: Precision
    tile: int | None
    warn: Callable[[str], None]
    _models: dict[str, Loaded] = field(default_factory=dict)

    @cached_property
    def registry(self) -> Registry:
        """Shipped and imported models."""
        return default_registry()

    def load(self, name: str) -> Loaded:
        """A rescaling model.

        Raises:
            UnavailableError: no such model, or not one for rescaling.
        """
        if name not in self._models:
            checkpoint = self.registry.load(name)
            network = checkpoint.network
            if not isinstance(network, InvertibleNetwork) or network.config.task != "rescale":
                raise UnavailableError(f"{name} is no rescaling model: see 'irn models list'")
            rescaler = Rescaler(network, self.device, self.precision, self.tile, self.warn)
            self._models[name] = Loaded(checkpoint, rescaler)
        return self._models[name]


def tagged_xmp(metadata: Metadata, tag: Tag, warnings: list[str]) -> bytes:
    """XMP for LR: what the picture had, and the tag. Unreadable XMP is dropped, and said."""
    try:
        return embed(metadata.xmp, tag)
    except TagError as error:
        warnings.append(f"XMP was dropped: {error}")
        return embed(None, tag)


def untagged(metadata: Metadata) -> Metadata:
    """Metadata of the restored picture: without our tag."""
    try:
        return replace(metadata, xmp=remove(metadata.xmp))
    except TagError:
        return replace(metadata, xmp=None)


@dataclass(frozen=True)
class Source:
    """How an LR picture is to be restored."""

    model: Loaded
    scale: float
    hr_size: tuple[int, int]
    temperature: float


def find_source(
    workshop: Workshop,
    tag: Tag | None,
    content_sha256: str,
    size: tuple[int, int],
    *,
    model: str | None,
    scale: float | None,
    strict: bool,
    warnings: list[str],
) -> Source:
    """Model, scale and size for an LR picture, by its tag or by the user's word.

    Raises:
        TagError: no tag and no word of the user; with `strict`, any doubt.
        UnavailableError: the model is not here, or has other weights now.
    """
    if tag is None:
        return _untagged_source(workshop, size, model, scale, strict, warnings)
    if tag.task != "rescale":
        raise UnavailableError(f"made by the task {tag.task}, which this irn does not restore yet")
    loaded = _tagged_model(workshop, tag, model, warnings)
    hr_size = tag.hr_size
    if tag.content_sha256 != content_sha256:
        _doubt(
            "the pixels were changed since irn wrote them: fine detail cannot be restored",
            strict,
            warnings,
        )
    if lr_size(hr_size, tag.scale) != size:
        hr_size = hr_size_of(size, tag.scale)
        _doubt(f"resized since: restoring to {hr_size[0]}x{hr_size[1]}", strict, warnings)
    return Source(loaded, tag.scale, hr_size, tag.temperature)


def _doubt(message: str, strict: bool, warnings: list[str]) -> None:
    if strict:
        raise TagError(f"{message} (--strict)")
    warnings.append(message)


def _untagged_source(
    workshop: Workshop,
    size: tuple[int, int],
    model: str | None,
    scale: float | None,
    strict: bool,
    warnings: list[str],
) -> Source:
    if model is None and scale is None:
        raise TagError(
            "no irn tag: irn did not make this file, or it was stripped. If irn made it, name the "
            "model with --model or --scale"
        )
    _doubt("no irn tag: plain super-resolution is not what irn is for", strict, warnings)
    loaded = workshop.load(model or workshop.registry.for_scale(scale or 1))
    chosen = loaded.rescaler.scale if scale is None else scale
    return Source(loaded, chosen, hr_size_of(size, chosen), loaded.checkpoint.card.temperature)


def _tagged_model(workshop: Workshop, tag: Tag, model: str | None, warnings: list[str]) -> Loaded:
    # A tag names models, never files: what a stranger wrote must not choose what is opened.
    if model is None and tag.model not in {entry.name for entry in workshop.registry.entries()}:
        raise UnavailableError(
            f"made by the model {tag.model!r} (weights {tag.weights_sha256[:12]}), which is not "
            "here: import it with 'irn models import FILE --name " + tag.model + "'"
        )
    loaded = workshop.load(model or tag.model)
    if loaded.checkpoint.weights_sha256 != tag.weights_sha256:
        message = (
            f"made by weights {tag.weights_sha256[:12]} of {tag.model}, "
            f"here are weights {loaded.checkpoint.weights_sha256[:12]}"
        )
        if model is None:
            raise UnavailableError(f"{message}: import the old ones, or pass --model to insist")
        warnings.append(message)
    if tag.scale > loaded.rescaler.scale:
        raise UnavailableError(
            f"{loaded.name} is x{loaded.rescaler.scale}, the tag says x{tag.scale:g}"
        )
    return loaded
