"""Pictures to tagged small or gray pictures: the jobs of downscale and decolor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from irncli.cli.env import Record
from irncli.cli.jobs import Job
from irncli.cli.sources import COLOR_MODEL
from irncli.cli.workshop import Loaded
from irncli.engine.refine import STEP_COST, refine
from irncli.engine.rescaler import Pixels, lr_size, resize_plane, to_gray
from irncli.errors import TagError
from irncli.io.encoding import Format, encode
from irncli.io.images import Metadata, Picture
from irncli.io.tag import Tag, embed

__all__ = ["Decolor", "Downscale", "embedded", "refined", "tagging"]


def _made_small(
    loaded: Loaded,
    pixels: Pixels,
    scale: float,
    steps: int,
    record: Record,
    tick: Callable[[float], None],
    filed: Callable[[Pixels], Pixels] | None = None,
) -> Pixels:
    """LR of a picture, refined by `steps` steps; what that gained goes into the record.

    Args:
        loaded: the model.
        pixels: the picture.
        scale: HR size over LR size.
        steps: of refinement; 0: none.
        record: of this input.
        tick: told the share of the work that was just done.
        filed: what a file will hold of an LR; None: all of it.
    """
    share = 1 / (1 + STEP_COST * steps)
    low = loaded.rescaler.downscale(pixels, scale, lambda done: tick(done * share))
    if steps == 0:
        return low
    return refined(
        loaded, pixels, low, scale, steps, record, lambda done: tick(done * (1 - share)), filed
    )


def refined(
    loaded: Loaded,
    pixels: Pixels,
    low: Pixels,
    scale: float,
    steps: int,
    record: Record,
    tick: Callable[[float], None],
    filed: Callable[[Pixels], Pixels] | None = None,
) -> Pixels:
    """An LR picture made better by `steps` steps; arguments as of `_made_small`."""
    result = refine(loaded.rescaler, pixels, low, scale, steps=steps, filed=filed, tick=tick)
    record.refined = {"before": round(result.before, 3), "after": round(result.after, 3)}
    return result.pixels


def tagging(
    picture: Picture, loaded: Loaded, scale: float, warnings: list[str], **fields: Any
) -> Callable[[str], bytes]:
    """From the content hash of a small picture to its XMP: what the picture had, and the tag."""

    def xmp(content_sha256: str) -> bytes:
        tag = Tag(
            task=loaded.rescaler.network.config.task,
            model=loaded.name,
            weights_sha256=loaded.checkpoint.weights_sha256,
            scale=scale,
            hr_size=picture.size,
            bits=8,
            content_sha256=content_sha256,
            temperature=loaded.checkpoint.card.temperature,
            **fields,
        )
        return embedded(picture.metadata, tag, warnings)

    return xmp


def embedded(metadata: Metadata, tag: Tag, warnings: list[str]) -> bytes:
    """XMP with the tag in it. What cannot be read is dropped, and said."""
    try:
        return embed(metadata.xmp, tag)
    except TagError as error:
        warnings.append(f"XMP was dropped: {error}")
        return embed(None, tag)


@dataclass
class Downscale(Job):
    """A picture to a small one.

    Attributes:
        scale: HR size over LR size; None: that of the model.
        model: None: the one for the scale.
        refine: steps of refinement.
    """

    scale: float | None
    model: str | None
    refine: int

    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> bytes:  # noqa: A002
        """See Job."""
        del data
        loaded = self.tools.workshop.load(
            self.model or self.tools.workshop.registry.for_scale(self.scale or 1)
        )
        scale = self.scale if self.scale is not None else float(loaded.rescaler.scale)
        record.model, record.scale, record.hr_size = loaded.name, scale, picture.size
        width, height = record.lr_size = lr_size(picture.size, scale)
        with self.tools.progress.file(record.input) as tick:
            pixels = _made_small(
                loaded, picture.pixels, scale, self.refine, record, tick,
                to_gray if picture.gray else None,
            )  # fmt: skip
        low = replace(
            picture,
            pixels=to_gray(pixels) if picture.gray else pixels,
            alpha=None if picture.alpha is None else resize_plane(picture.alpha, height, width),
        )
        xmp = tagging(picture, loaded, scale, record.warnings, gray=picture.gray)
        return encode(low, format=format, quality=self.tools.options.quality, xmp=xmp)


@dataclass
class Decolor(Job):
    """A picture to a gray one of one channel.

    Attributes:
        model: None: irn-color.
        refine: steps of refinement.
    """

    model: str | None
    refine: int

    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> bytes:  # noqa: A002
        """See Job."""
        del data
        loaded = self.tools.workshop.load(self.model or COLOR_MODEL, "color")
        record.model, record.scale = loaded.name, 1.0
        record.hr_size = record.lr_size = picture.size
        gray = bool((picture.pixels == picture.pixels[:, :, :1]).all())
        if gray:
            record.warnings.append("it is gray already: its values stay as they are")
            plane = picture.pixels[:, :, :1]
        else:
            with self.tools.progress.file(record.input) as tick:
                plane = _made_small(loaded, picture.pixels, 1, self.refine, record, tick)
        # A profile of colours has no place in a gray file: it waits in the tag.
        icc = b"" if picture.gray else picture.metadata.icc or b""
        metadata = picture.metadata if picture.gray else replace(picture.metadata, icc=None)
        low = replace(picture, pixels=np.repeat(plane, 3, axis=2), gray=True, metadata=metadata)
        xmp = tagging(picture, loaded, 1, record.warnings, gray=gray, icc=icc)
        return encode(low, format=format, quality=self.tools.options.quality, xmp=xmp)
