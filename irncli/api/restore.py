"""The Python interface for restoring files, such as `irncli.restore("small.png")`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, overload

from irncli.api.files import File, read, warn
from irncli.api.model import Model
from irncli.engine.latent import draw_seed
from irncli.engine.ticks import no_tick
from irncli.errors import TagError, UsageError
from irncli.io.image_file import ImageFile
from irncli.io.pillow import PillowImage, to_pillow
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.operations.models import Models
from irncli.operations.resolve import Request, why_untagged
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
    frame: int | None = None,
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
    frame: int | None = None,
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
    frame: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> PillowImage | Pixels:
    """Restore the image of a file made by `save`, `downscale`, `decolor` or `compress`.

    The pixels are the same as those of `irn upscale` or `irn colorize`. Doubts about the file, such
    as pixels that were changed since irn wrote them, are issued as a UserWarning.

    Args:
        file: path, or a binary file open for reading.
        seed: random seed of z, 0 to 2**64 - 1; None: drawn at random.
        temperature: width of z, 0 to 100, as a multiple of the recorded standard deviations; None:
            the temperature of the tag.
        model: model to use instead of that of the tag; None: the model of the tag, on the best
            available device.
        strict: raise an error in place of warnings about the tag.
        array: return an array [H, W, 3] of uint8, or of uint16 if the image had 16 bits.
        frame: number of the frame to restore, from 0; an animation is restored by `irn upscale`,
            and one frame of it here.
        max_pixels: refuse images with more pixels than this, before or after restoration.

    Returns:
        A PIL image of 8 bits per channel with the metadata in `info`, or an array.

    Raises:
        InputMissingError, StorageError: there is no such file, or the file cannot be read.
        ImageError: the file is not an image, is damaged, or is too large.
        TagError: there is no tag, or the tag is unusable; with `strict`, the file is in doubt.
        UnavailableError: a model is not installed, is for another task, or has other weights.
        UsageError: an option is out of range.
    """
    data = read(file)
    image = ImageFile(data, max_pixels=max_pixels)
    if frame is None and image.frames > 1:
        raise UsageError(
            f"{image.frames} frames, expected one image: pass frame=N (0 to {image.frames - 1}), "
            "or use 'irn upscale'"
        )
    source = Source.decoded(image, deep=True, frame=frame)
    operation = Restore(
        request=Request(task=None, model=None if model is None else model.loaded, strict=strict),
        seed=seed,
        temperature=temperature,
        drawn=draw_seed(),
        max_pixels=max_pixels,
    )
    models = Models(warn=warn)
    plan = operation.plan(models, source, "png")
    found = plan.restoration
    if found.tag is None:
        raise TagError(
            f"no irn tag: {why_untagged(source.file.damage)}. If irn made it, use "
            "load(NAME).upscale(image)"
        )
    notes: tuple[str, ...] = ()
    if found.bits > 8 and not array:
        notes = ("16 bits per channel were reduced to 8: pass array=True to keep them",)
        plan = replace(plan, restoration=replace(found, bits=8))
    result = operation.run(models, source, plan, "png", 95, no_tick)
    warn(*source.image.notes, *plan.warnings, *notes, *result.warnings)
    return result.image.pixels if array else to_pillow(result.image)
