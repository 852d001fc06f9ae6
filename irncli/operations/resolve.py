"""How a small or gray image is restored: by its tag, or by what the user asks for."""

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

__all__ = ["Request", "Restoration", "resolve"]

COMMANDS = {"rescale": "irn upscale", "color": "irn colorize"}
"""The command that restores the images of each task."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asks for.

    Attributes:
        task: `rescale` or `color`; None: that of the tag.
        model: used whatever the tag says; None: the model of the tag.
        scale: HR size over LR size of images without a tag.
        strict: refuse whatever would be a warning about the tag.
    """

    task: str | None
    model: str | LoadedModel | None = None
    scale: float | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        check_scale(self.scale)


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """How one image is restored.

    Attributes:
        model: None: the file holds the image itself.
        restorer: undoes the codec before the network runs; None: nothing is undone.
        scale: HR size over LR size.
        hr_size: width and height of the restored image.
        temperature: default width of z.
        bits: bits per channel of the restored image.
        tag: tag of the file, if it has one.
        warnings: what may keep the image from being restored well, a sentence each.
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
    """Find the model, the scale and the size with which a small image is restored.

    Args:
        models: where models are loaded from.
        request: of the user.
        file: the small image.
        bits: bits per channel of the small image.

    Raises:
        TagError: there is no tag and the user names no model; the tag is for another command, or
            unusable; with `strict`, anything that would be a warning.
        UnavailableError: a model is missing here, or has other weights than the tag says.
    """
    doubts = _Doubts(strict=request.strict)
    size, tag = (file.header.width, file.header.height), file.tag
    if tag is None:
        return _untagged(models, request, size, bits, doubts)
    changed = tag.content_sha256 != file.content_sha256
    if tag.task == "plain":
        if changed:
            doubts.add("the pixels were changed since irn wrote them")
        return Restoration(
            model=None, scale=1, hr_size=size, temperature=0, bits=bits, tag=tag,
            warnings=doubts.settled(),
        )  # fmt: skip
    if request.task not in (None, tag.task):
        raise TagError(f"irn made this file for '{COMMANDS[tag.task]}': use that")
    if tag.task == "rescale" and tag.scale <= 1:
        raise TagError(f"the irn tag of this file is not usable: scale {tag.scale:g}")
    model = _tagged_model(models, tag, request, doubts)
    restorer = _tagged_restorer(models, tag, doubts)
    if changed:
        doubts.add("the pixels were changed since irn wrote them: fine detail cannot be restored")
    hr_size = restored_size(tag.hr_size, tag.scale, size)
    if hr_size != tag.hr_size:
        doubts.add(f"resized since: restoring to {hr_size[0]}x{hr_size[1]}")
    return Restoration(
        model=model, restorer=restorer, scale=tag.scale, hr_size=hr_size,
        temperature=tag.temperature, bits=tag.bits, tag=tag, warnings=doubts.settled(),
    )  # fmt: skip


class _Doubts:
    """Warnings about a file; with `strict`, errors.

    Attributes:
        texts: a sentence each.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._refused: tuple[str, ...] = ()
        self.texts: tuple[str, ...] = ()

    def add(self, text: str) -> None:
        self.note(text)
        self._refused += (text,)

    def note(self, text: str) -> None:
        """Add what is a warning even with `strict`."""
        self.texts += (text,) * bool(text)

    def settled(self) -> tuple[str, ...]:
        """Return the warnings.

        Raises:
            TagError: there is a doubt, and `strict` was asked for.
        """
        if self._strict and self._refused:
            raise TagError(f"{'; '.join(self._refused)} (--strict)")
        return self.texts


def _untagged(
    models: Models, request: Request, size: tuple[int, int], bits: int, doubts: _Doubts
) -> Restoration:
    color = request.task == "color"
    if not color and request.model is None and request.scale is None:
        raise TagError(
            "no irn tag: irn did not make this file, or it was stripped. If irn made it, name the "
            "model with --model or --scale"
        )
    if color:
        doubts.add("no irn tag: irn restores colours, it does not guess them")
        doubts.settled()
        model = models.load(request.model or COLOR_MODEL, "color")
    else:
        doubts.add("no irn tag: plain super-resolution is not what irn is for")
        doubts.settled()
        name = request.model or models.registry.for_scale(request.scale or 1)
        model = models.load(name, "rescale")
    scale = model.scale if request.scale is None else request.scale
    return Restoration(
        model=model, scale=scale, hr_size=hr_size_of(size, scale),
        temperature=model.temperature, bits=bits, warnings=doubts.settled(),
    )  # fmt: skip


def _tagged_model(models: Models, tag: Tag, request: Request, doubts: _Doubts) -> LoadedModel:
    if request.model is None:
        require_named(models.registry, tag.model, tag.weights_sha256)
    model = models.load(request.model or tag.model, tag.task)
    message = other_weights(model.weights_sha256, tag.model, tag.weights_sha256)
    if message and request.model is None:
        raise UnavailableError(f"{message}: import the old ones, or pass --model to insist")
    doubts.note(message)
    if tag.scale > model.scale:
        raise UnavailableError(f"{model.name} is x{model.scale}, the tag says x{tag.scale:g}")
    return model


def _tagged_restorer(models: Models, tag: Tag, doubts: _Doubts) -> LoadedRestorer | None:
    if not tag.restorer:
        return None
    require_named(models.registry, tag.restorer, tag.restorer_sha256)
    restorer = models.load_restorer(tag.restorer)
    # It gives back LR as the network made it: other weights are another estimate of the same image.
    doubts.note(other_weights(restorer.weights_sha256, tag.restorer, tag.restorer_sha256))
    return restorer
