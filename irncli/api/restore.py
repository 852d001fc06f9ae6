"""The Python interface: `irncli.restore("small.png")` restores a file by its tag."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, overload

from irncli.api.files import File, read, warn
from irncli.api.model import Model, given_up
from irncli.engine.latent import draw_seed
from irncli.engine.placing import quiet
from irncli.errors import TagError
from irncli.io.image_file import DEFAULT_MAX_PIXELS, ImageFile
from irncli.io.pillow import PillowImage, to_pillow
from irncli.operations.models import Models
from irncli.operations.resolve import Request
from irncli.operations.restore import Restore
from irncli.operations.result import Source
from irncli.pixels import Pixels

__all__ = ["restore"]


@overload
def restore(
    file: File,
    seed: int | None = None,
    temperature: float | None = None,
    *,
    model: Model | None = None,
    strict: bool = False,
    array: Literal[False] = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> PillowImage: ...


@overload
def restore(
    file: File,
    seed: int | None = None,
    temperature: float | None = None,
    *,
    model: Model | None = None,
    strict: bool = False,
    array: Literal[True],
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Pixels: ...


def restore(
    file: File,
    seed: int | None = None,
    temperature: float | None = None,
    *,
    model: Model | None = None,
    strict: bool = False,
    array: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> PillowImage | Pixels:
    """Restore the image of a file that irn made: by `save`, `downscale`, `decolor` or `compress`.

    The pixels are those that `irn upscale` or `irn colorize` make of it. Whatever is in doubt, such
    as pixels that were changed since, is a UserWarning.

    Args:
        file: path, or a binary file open for reading.
        seed: of z; None: drawn at random.
        temperature: width of z in units of the recorded one; None: that of the tag.
        model: used whatever the tag says; None: that of the tag, on the best device here.
        strict: refuse what is in doubt.
        array: return an array [H, W, 3], uint8 or, where the image had 16 bits, uint16.
        max_pixels: refuse larger images.

    Returns:
        A PIL image of 8 bits per channel with the metadata in `info`, or an array.

    Raises:
        InputMissingError, StorageError: there is no such file, or it cannot be read.
        ImageError: it is no image, damaged, or too large.
        TagError: there is no tag, or an unusable one; with `strict`, whatever is in doubt.
        UnavailableError: a model is missing here, is for another task, or has other weights now.
        UsageError: an option out of range.
    """
    data = read(file)
    source = Source.decoded(ImageFile(data, max_pixels=max_pixels), deep=True)
    operation = Restore(
        request=Request(task=None, model=None if model is None else model.loaded, strict=strict),
        seed=seed,
        temperature=temperature,
        drawn=draw_seed(),
        max_pixels=max_pixels,
    )
    models = Models(warn=given_up)
    plan = operation.plan(models, source, "png")
    found = plan.restoration
    if found.tag is None:
        raise TagError(
            "no irn tag: irn did not make this file, or it was stripped. If irn made it, use "
            "load(NAME).upscale(image)"
        )
    doubts: tuple[str, ...] = ()
    if found.bits > 8 and not array:
        doubts = ("16 bits a channel were reduced to 8: array=True keeps them",)
        plan = replace(plan, restoration=replace(found, bits=8))
    result = operation.run(models, source, plan, "png", 95, quiet)
    warn((*plan.warnings, *doubts, *result.warnings))
    return result.image.pixels if array else to_pillow(result.image)
