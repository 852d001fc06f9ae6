"""The Python interface: `irncli.restore("small.png")`, files that say how they are restored."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, overload

import numpy as np

from irncli.api.kinds import remade
from irncli.api.model import Model
from irncli.api.tagged import File, Tagged, read, warn
from irncli.engine.fallback import Fallback
from irncli.engine.latent import draw_seed
from irncli.engine.rescaler import to_gray
from irncli.engine.restorer import Restorer
from irncli.errors import ImageError, UnavailableError
from irncli.io.images import DEFAULT_MAX_PIXELS, PillowImage, to_pillow
from irncli.io.picture import Picture
from irncli.model import CompressionRestoration
from irncli.pixels import Pixels, to_bits
from irncli.zoo.named import other_weights, require_named
from irncli.zoo.registry import default_registry

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
    """The picture of a file that irn made: by `save`, `downscale`, `decolor` or `compress`.

    The pixels are those that `irn upscale` or `irn colorize` give of it. Whatever is in doubt, such
    as pixels that were changed since, is a UserWarning.

    Args:
        file: path, or a binary file open for reading.
        seed: of z; None: drawn.
        temperature: width of z in units of the recorded one; None: that of the tag.
        model: to use whatever the tag says; None: that of the tag, on the best device here.
        strict: refuse what is in doubt.
        array: return an array [H, W, 3], uint8 or, where the picture had 16 bits, uint16.
        max_pixels: refuse larger pictures.

    Returns:
        A PIL image of 8 bits a channel with the metadata in `info`, or an array.

    Raises:
        InputMissingError, StorageError: no such file, or one that cannot be read.
        ImageError: no image, a damaged one, or one that is too large.
        TagError: no tag or an unusable one; with `strict` whatever is in doubt.
        UnavailableError: a model is not here, or has other weights now.
        UsageError: an option out of range.
    """
    tagged = read(file, strict=strict, max_pixels=max_pixels)
    picture, tag, doubts = tagged.picture, tagged.tag, list(tagged.doubts)
    bits = tag.bits if array else 8
    if bits < tag.bits:
        doubts.append("16 bits a channel were reduced to 8: array=True keeps them")
    if tag.task != "plain" and not (tag.task == "color" and tag.gray):
        chosen = model or _named(tag.model, tag.weights_sha256)
        message = other_weights(chosen.weights_sha256, tag.model, tag.weights_sha256)
        doubts += [message] * bool(message)
        chosen._require(tag.task)
        picture = _restored(chosen, tagged, seed, temperature, bits, doubts)
    warn(doubts)
    return picture.pixels if array else to_pillow(picture)


def _restored(
    model: Model,
    tagged: Tagged,
    seed: int | None,
    temperature: float | None,
    bits: int,
    doubts: list[str],
) -> Picture:
    picture, tag, rescaler = tagged.picture, tagged.tag, model.rescaler
    low, color = picture.pixels, tag.task == "color"
    if color and not picture.neutral:
        raise ImageError("it has colours, expected a gray picture, such as of decolor")
    if color:
        low = low[:, :, :1]
    if tag.restorer:
        low = _without_codec(low, tagged, doubts)
    low = np.ascontiguousarray(low)
    pixels = rescaler.upscale(
        low,
        tagged.hr_size,
        tag.scale,
        seed=draw_seed() if seed is None else seed,
        temperature=tag.temperature if temperature is None else temperature,
        bits=bits,
        fallback=Fallback.chosen(low, tag.blocks, rescaler.scale, tag.tint),
    )
    gray = not color and (picture.gray or tag.gray)
    return remade(replace(picture, gray=gray), to_gray(pixels) if tag.neutral else pixels)


def _without_codec(low: Pixels, tagged: Tagged, doubts: list[str]) -> Pixels:
    name, sha256 = tagged.tag.restorer, tagged.tag.restorer_sha256
    if tagged.tables is None:
        doubts.append("it is no JPEG any more: what that lost is not restored")
        return low
    registry = default_registry()
    require_named(registry, name, sha256)
    checkpoint = registry.load(name)
    network = checkpoint.network
    if not isinstance(network, CompressionRestoration):
        raise UnavailableError(f"{name} restores no compressed picture")
    # It gives back LR as the network made it, so other weights are another guess, no other picture.
    message = other_weights(checkpoint.weights_sha256, name, sha256)
    doubts += [message] * bool(message)
    return Restorer(network).restore(to_bits(low, 8), tagged.tables)


def _named(name: str, sha256: str) -> Model:
    """The model that a tag names."""
    registry = default_registry()
    require_named(registry, name, sha256)
    checkpoint = registry.load(name)
    message = other_weights(checkpoint.weights_sha256, name, sha256)
    if message:
        raise UnavailableError(f"{message}: import the old ones, or pass model to insist")
    return Model(checkpoint)
