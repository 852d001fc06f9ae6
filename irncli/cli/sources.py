"""How a small or gray picture is to be restored: by its tag, or by the user's word."""

from __future__ import annotations

from dataclasses import dataclass

from irncli.cli.workshop import Loaded, LoadedRestorer, Workshop
from irncli.errors import TagError, UnavailableError
from irncli.geometry import hr_size_of, restored_size
from irncli.io.tag import Tag
from irncli.zoo.named import other_weights, require_named

__all__ = ["Source", "Wishes", "find_source"]

COLOR_MODEL = "irn-color"
COMMANDS = {"rescale": "irn upscale", "color": "irn colorize"}
"""What restores the pictures of each task."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """How a picture is to be restored.

    Attributes:
        model: None: the file is the picture itself.
        restorer: what undoes the codec first; None: nothing.
        scale: HR size over LR size.
        hr_size: width and height of what comes out.
        temperature: default when z is drawn.
        bits: a channel of what comes out.
        tag: of the file, if it has one.
    """

    model: Loaded | None
    restorer: LoadedRestorer | None = None
    scale: float
    hr_size: tuple[int, int]
    temperature: float
    bits: int
    tag: Tag | None = None


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user says about the files of a batch.

    Attributes:
        task: of the command.
        model: to use whatever the tags say.
        scale: of files without a tag.
        strict: refuse what is in doubt.
    """

    task: str
    model: str | None
    scale: float | None
    strict: bool


def find_source(
    workshop: Workshop,
    wishes: Wishes,
    tag: Tag | None,
    content_sha256: str,
    size: tuple[int, int],
    bits: int,
    warnings: list[str],
) -> Source:
    """Model, scale and size for a small picture.

    Args:
        workshop: models.
        wishes: of the user.
        tag: of the file.
        content_sha256: of the file as it is now.
        size: its width and height.
        bits: a channel of it.
        warnings: takes up what is in doubt.

    Raises:
        TagError: no tag and no word of the user; made for another command; with `strict`, any
            doubt.
        UnavailableError: a model is not here, or has other weights now.
    """
    if tag is None:
        return _untagged(workshop, wishes, size, bits, warnings)
    changed = tag.content_sha256 != content_sha256
    if tag.task == "plain":
        if changed:
            _doubt("the pixels were changed since irn wrote them", wishes, warnings)
        return Source(model=None, scale=1, hr_size=size, temperature=0, bits=bits, tag=tag)
    if tag.task != wishes.task:
        raise TagError(f"irn made this file for '{COMMANDS[tag.task]}': use that")
    if tag.task == "rescale" and tag.scale <= 1:
        raise TagError(f"the irn tag of this file is not usable: scale {tag.scale:g}")
    loaded = _tagged_model(workshop, tag, wishes, warnings)
    restorer = _tagged_restorer(workshop, tag, warnings)
    if changed:
        _doubt(
            "the pixels were changed since irn wrote them: fine detail cannot be restored",
            wishes,
            warnings,
        )
    hr_size = restored_size(tag.hr_size, tag.scale, size)
    if hr_size != tag.hr_size:
        _doubt(f"resized since: restoring to {hr_size[0]}x{hr_size[1]}", wishes, warnings)
    return Source(
        model=loaded, restorer=restorer, scale=tag.scale, hr_size=hr_size,
        temperature=tag.temperature, bits=tag.bits, tag=tag,
    )  # fmt: skip


def _doubt(message: str, wishes: Wishes, warnings: list[str]) -> None:
    if wishes.strict:
        raise TagError(f"{message} (--strict)")
    warnings.append(message)


def _untagged(
    workshop: Workshop, wishes: Wishes, size: tuple[int, int], bits: int, warnings: list[str]
) -> Source:
    if wishes.task == "color":
        _doubt("no irn tag: irn restores colours, it does not guess them", wishes, warnings)
        loaded = workshop.load(wishes.model or COLOR_MODEL, "color")
    elif wishes.model is None and wishes.scale is None:
        raise TagError(
            "no irn tag: irn did not make this file, or it was stripped. If irn made it, name the "
            "model with --model or --scale"
        )
    else:
        _doubt("no irn tag: plain super-resolution is not what irn is for", wishes, warnings)
        loaded = workshop.load(wishes.model or workshop.registry.for_scale(wishes.scale or 1))
    scale = loaded.rescaler.scale if wishes.scale is None else wishes.scale
    temperature = loaded.checkpoint.card.temperature
    return Source(
        model=loaded, scale=scale, hr_size=hr_size_of(size, scale), temperature=temperature,
        bits=bits,
    )  # fmt: skip


def _tagged_model(workshop: Workshop, tag: Tag, wishes: Wishes, warnings: list[str]) -> Loaded:
    if wishes.model is None:
        require_named(workshop.registry, tag.model, tag.weights_sha256)
    loaded = workshop.load(wishes.model or tag.model, tag.task)
    message = other_weights(loaded.checkpoint.weights_sha256, tag.model, tag.weights_sha256)
    if message and wishes.model is None:
        raise UnavailableError(f"{message}: import the old ones, or pass --model to insist")
    warnings += [message] * bool(message)
    if tag.scale > loaded.rescaler.scale:
        raise UnavailableError(
            f"{loaded.name} is x{loaded.rescaler.scale}, the tag says x{tag.scale:g}"
        )
    return loaded


def _tagged_restorer(workshop: Workshop, tag: Tag, warnings: list[str]) -> LoadedRestorer | None:
    if not tag.restorer:
        return None
    require_named(workshop.registry, tag.restorer, tag.restorer_sha256)
    loaded = workshop.load_restorer(tag.restorer)
    # It gives back LR as the network made it, so other weights are another guess, no other picture.
    message = other_weights(loaded.checkpoint.weights_sha256, tag.restorer, tag.restorer_sha256)
    warnings += [message] * bool(message)
    return loaded
