"""Parameters for restoring a small or gray image, taken from its tag or from the user."""

from __future__ import annotations

from dataclasses import dataclass

from irncli.errors import TagError, UnavailableError
from irncli.geometry import hr_size_of, restored_size
from irncli.io.image_file import ImageFile
from irncli.io.tag import Tag
from irncli.operations.models import (
    COLOR_MODEL,
    LoadedModel,
    LoadedRestorer,
    Models,
)
from irncli.operations.result import check_scale
from irncli.zoo.named import other_weights, require_named

__all__ = ["COMMANDS", "Request", "Restoration", "resolve", "why_untagged"]

COMMANDS = {"rescale": "irn upscale", "color": "irn colorize"}
"""Command that restores the images of each task."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """The request of the user.

    Attributes:
        task: `rescale` or `color`; None: the task of the tag.
        model: model to use instead of that of the tag; None: the model of the tag.
        scale: HR size over LR size, for images without a tag.
        strict: raise an error in place of a warning about the tag.
    """

    task: str | None
    model: str | LoadedModel | None = None
    scale: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        check_scale(self.scale)


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """The parameters for restoring one image.

    Attributes:
        model: model that restores the image; None if the file holds the image itself.
        restorer: module that undoes the losses of the codec before the network runs; None: these
            losses are not undone.
        scale: HR size over LR size.
        hr_size: width and height of the restored image in pixels.
        temperature: default width of z.
        bits: bits per channel of the restored image, 8 or 16.
        tag: tag of the file; None if there is no tag.
        warnings: reasons why the image may not be restored well, one sentence each.
    """

    model: LoadedModel | None
    restorer: LoadedRestorer | None = None
    scale: float
    hr_size: tuple[int, int]
    temperature: float
    bits: int
    tag: Tag | None = None
    warnings: tuple[str, ...] = ()


def resolve(models: Models, request: Request, file: ImageFile, bits: int) -> Restoration:
    """Find the model, the scale and the size for restoring a small image.

    Args:
        models: models to load from.
        request: request of the user.
        file: the small image.
        bits: bits per channel of the small image, 8 or 16.

    Raises:
        TagError: there is no tag and the user names no model; the tag is unusable or is for another
            command; with `strict`, anything that would otherwise be a warning.
        UnavailableError: a model is not installed, or its weights are not those named in the tag.
    """
    warnings = _Warnings(strict=request.strict)
    size, tag = (file.header.width, file.header.height), file.tag
    if tag is None:
        return _resolve_untagged(models, request, size, bits, warnings, file.damage)
    if request.scale not in (None, tag.scale):
        warnings.add_unconditional(
            f"--scale {request.scale:g} was ignored: the tag of the file says {tag.scale:g}"
        )
    changed = not file.holds(tag.content_sha256)
    if tag.task == "plain":
        if changed:
            warnings.add("the pixels were changed since irn wrote them")
        return Restoration(
            model=None, scale=1, hr_size=size, temperature=0, bits=bits, tag=tag,
            warnings=warnings.checked(),
        )  # fmt: skip
    if request.task not in (None, tag.task):
        raise TagError(f"irn made this file for '{COMMANDS[tag.task]}': use that command")
    if tag.task == "rescale" and tag.scale <= 1:
        raise TagError(f"the irn tag of this file is not usable: scale {tag.scale:g}")
    model = _tagged_model(models, tag, request, warnings)
    restorer = _tagged_restorer(models, tag, warnings)
    if changed:
        warnings.add("the pixels were changed since irn wrote them: fine detail cannot be restored")
    hr_size = restored_size(tag.hr_size, tag.scale, size)
    if hr_size != tag.hr_size:
        warnings.add(f"the image was resized since: restoring to {hr_size[0]}x{hr_size[1]}")
    return Restoration(
        model=model, restorer=restorer, scale=tag.scale, hr_size=hr_size,
        temperature=tag.temperature, bits=tag.bits, tag=tag, warnings=warnings.checked(),
    )  # fmt: skip


class _Warnings:
    """Warnings about a file, which become an error with `strict`.

    Attributes:
        texts: the warnings, one sentence each.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._refused: tuple[str, ...] = ()
        self.texts: tuple[str, ...] = ()

    def add(self, text: str) -> None:
        self.texts += (text,)
        self._refused += (text,)

    def add_unconditional(self, text: str) -> None:
        """Add a text that is a warning even with `strict`; an empty text is left out."""
        if text:
            self.texts += (text,)

    def checked(self) -> tuple[str, ...]:
        """Return the warnings.

        Raises:
            TagError: with `strict`, a warning was added by `add`.
        """
        if self._strict and self._refused:
            raise TagError(f"{'; '.join(self._refused)} (--strict)")
        return self.texts


def why_untagged(damage: tuple[str, ...]) -> str:
    """Say why a file has no tag, given the damaged parts that were left out on reading."""
    return damage[0] if damage else "irn did not make this file, or it was stripped"


def _resolve_untagged(
    models: Models,
    request: Request,
    size: tuple[int, int],
    bits: int,
    warnings: _Warnings,
    damage: tuple[str, ...],
) -> Restoration:
    color = request.task == "color"
    if not color and request.model is None and request.scale is None:
        why = why_untagged(damage)
        raise TagError(f"no irn tag: {why}. If irn made it, name the model with --model or --scale")
    if color:
        warnings.add("no irn tag: irn restores colours and does not guess them")
        warnings.checked()  # called for its error, before a model is loaded
        model = models.load(request.model or COLOR_MODEL, "color")
    else:
        warnings.add("no irn tag: irn is not designed for plain super-resolution")
        warnings.checked()  # called for its error, before a model is loaded
        name = request.model or models.registry.for_scale(request.scale or 1)
        model = models.load(name, "rescale")
    scale = model.scale if request.scale is None else request.scale
    return Restoration(
        model=model, scale=scale, hr_size=hr_size_of(size, scale),
        temperature=model.temperature, bits=bits, warnings=warnings.checked(),
    )  # fmt: skip


def _tagged_model(models: Models, tag: Tag, request: Request, warnings: _Warnings) -> LoadedModel:
    name = request.model or _installed(models, tag.model, tag.weights_sha256)
    model = models.load(name, tag.task)
    message = other_weights(model.weights_sha256, tag.model, tag.weights_sha256)
    if message and request.model is None:
        raise UnavailableError(
            f"{message}: import the original weights, or pass --model to use the installed ones"
        )
    warnings.add_unconditional(message)
    if tag.scale > model.scale:
        raise UnavailableError(
            f"{model.name} has scale {model.scale}, expected {tag.scale:g} or more, as in the tag"
        )
    return model


def _installed(models: Models, name: str, weights_sha256: str) -> str:
    """Return the installed model that a tag names, or one with the same weights and another name.

    Raises:
        UnavailableError: neither is installed.
    """
    names = [entry.name for entry in models.registry.entries()]
    for candidate in sorted(names, key=lambda each: each != name):
        if models.recorded_sha256(candidate) == weights_sha256:
            return candidate
    require_named(models.registry, name, weights_sha256)
    return name


def _tagged_restorer(models: Models, tag: Tag, warnings: _Warnings) -> LoadedRestorer | None:
    if not tag.restorer:
        return None
    name = _installed(models, tag.restorer, tag.restorer_sha256)
    restorer = models.load_restorer(name)
    # A restorer estimates the LR that the network made. With other weights, this is just another
    # estimate of the same image, so a warning is enough.
    warnings.add_unconditional(
        other_weights(restorer.weights_sha256, tag.restorer, tag.restorer_sha256)
    )
    return restorer
