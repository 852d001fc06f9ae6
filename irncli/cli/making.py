"""Pictures to tagged small or gray pictures: the jobs of downscale and decolor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from irncli.cli.env import Record
from irncli.cli.jobs import Encode, Job, Planned
from irncli.cli.sources import COLOR_MODEL
from irncli.cli.workshop import Loaded
from irncli.engine.alpha import bleed
from irncli.engine.guard import Guarded, guard
from irncli.engine.refine import STEP_COST, refine
from irncli.engine.rescaler import resize_plane, to_gray
from irncli.errors import TagError, UsageError
from irncli.geometry import lr_size, pack
from irncli.io.encoding import Format, encode
from irncli.io.images import Metadata, Picture, decode
from irncli.io.tag import Tag, embed
from irncli.pixels import Pixels, to_bits

__all__ = ["Decolor", "Downscale", "embedded", "refined", "tagging"]

GUARD_SHARE = 0.05
"""Share of the progress of a file that is kept for the guard; where an image is no photograph, the
guard takes longer than that."""
MUCH_BICUBIC = 0.1
"""Share of an image above which a warning says that the network does not restore it."""


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
    """An LR picture made better by `steps` steps; what that gained goes into the record.

    Args:
        loaded: the model.
        pixels: the picture, of 8 bits.
        low: its LR, the same.
        scale: HR size over LR size.
        steps: of refinement.
        record: of this input.
        tick: told the share of the work that was just done.
        filed: what a file will hold of an LR; None: all of it.
    """
    result = refine(loaded.rescaler, pixels, low, scale, steps=steps, filed=filed, tick=tick)
    record.refined = {"before": round(result.before, 3), "after": round(result.after, 3)}
    return result.pixels


def marks(guarded: Guarded) -> dict[str, Any]:
    """Fields of a tag that say where an LR is to be restored without the network."""
    if guarded.blocks is None:
        return {}
    return {"bicubic": pack(guarded.blocks), "tint": guarded.tint}


def note_guard(guarded: Guarded, record: Record) -> None:
    """Put into the record what the guard did, with a warning where that is much."""
    repaired, bicubic = round(guarded.repaired, 4), round(guarded.bicubic, 4)
    record.guarded = {"repaired": repaired, "bicubic": bicubic}
    if bicubic > MUCH_BICUBIC:
        way = "bicubic interpolation" if guarded.tint is None else "one mean colour"
        record.warnings.append(
            f"the network would restore {bicubic:.0%} of this image badly: {way} is used there"
        )


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
            bits=picture.bits,
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
class _Making(Job):
    """A picture to a small or gray one.

    Attributes:
        model: None: the one that is usual.
        bits: a channel of what is made.
        refine: steps of refinement.
        guard: compare with the plain way, and repair or replace what is worse.
    """

    deep = True

    model: str | None
    bits: int
    refine: int
    guard: bool

    @property
    def asked_model(self) -> str | None:
        """See Job."""
        return self.model

    @property
    def _downs(self) -> float:
        return 1 + STEP_COST * self.refine

    def _made(
        self,
        loaded: Loaded,
        picture: Picture,
        scale: float,
        record: Record,
        format: Format,  # noqa: A002
    ) -> Guarded:
        """LR of a picture, refined and guarded."""
        pixels, rescaler = bleed(picture.pixels, picture.alpha), loaded.rescaler
        down = 1 - GUARD_SHARE if self.guard else 1.0
        share = down / self._downs
        neutral = picture.gray or (self.guard and replace(picture, pixels=pixels).neutral)
        color = rescaler.network.config.task == "color"
        gray = to_gray if neutral and not color else None
        with self.tools.progress.file(record.input) as tick:
            low = rescaler.downscale(pixels, scale, lambda done: tick(done * share), bits=self.bits)
            if self.refine:
                low = refined(
                    loaded, to_bits(pixels, 8), low, scale, self.refine, record,
                    lambda done: tick(done * (down - share)), gray,
                )  # fmt: skip
            if not self.guard:
                return Guarded(low if gray is None else gray(low))
            guarded = guard(
                rescaler, pixels, low, scale, neutral=neutral,
                temperature=loaded.checkpoint.card.temperature,
                filed=None if format == "png" else self._filed(format, gray=color), tick=tick,
            )  # fmt: skip
            tick(GUARD_SHARE)
        note_guard(guarded, record)
        return guarded

    def _filed(self, format: Format, *, gray: bool) -> Callable[[Pixels], Pixels]:  # noqa: A002
        """What a file of this format will hold of an LR."""

        def filed(low: Pixels) -> Pixels:
            picture = Picture(np.broadcast_to(low, (*low.shape[:2], 3)), gray=gray)
            data = encode(picture, format=format, quality=self.tools.options.quality)
            return decode(data).pixels[:, :, : low.shape[2]]

        return filed

    def _require_room(self, format: Format) -> None:  # noqa: A002
        if self.bits > 8 and format != "png":
            raise UsageError(f"--bits 16 does not fit a {format.upper()}: use PNG")


@dataclass
class Downscale(_Making):
    """A picture to a small one.

    Attributes:
        scale: HR size over LR size; None: that of the model.
    """

    scale: float | None

    def model_name(self, format: Format) -> str:  # noqa: A002, ARG002
        """See Job."""
        return self.model or self.tools.workshop.registry.for_scale(self.scale or 1)

    def plan(self, picture: Picture, data: bytes, format: Format, record: Record) -> Planned:  # noqa: A002, ARG002
        """See Job."""
        self._require_room(format)
        loaded = self.tools.workshop.load(self.model_name(format))
        scale = self.scale if self.scale is not None else float(loaded.rescaler.scale)
        record.model, record.scale, record.hr_size = loaded.name, scale, picture.size
        record.lr_size = lr_size(picture.size, scale)
        return Planned(loaded, picture.size, record.lr_size, scale, downs=self._downs)

    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> Encode:  # noqa: A002
        """See Job."""
        planned = self.plan(picture, data, format, record)
        loaded, scale, (width, height) = planned.model, planned.scale, planned.low
        assert loaded is not None  # noqa: S101
        made = self._made(loaded, picture, scale, record, format)
        alpha = None if picture.alpha is None else to_bits(picture.alpha, self.bits)
        low = replace(
            picture,
            pixels=made.pixels,
            alpha=None if alpha is None else resize_plane(alpha, height, width),
        )
        neutral = made.neutral and not picture.gray
        xmp = tagging(
            picture, loaded, scale, record.warnings,
            gray=picture.gray, neutral=neutral, **marks(made),
        )  # fmt: skip
        return self.encoder(low, format, record, xmp)


@dataclass
class Decolor(_Making):
    """A picture to a gray one of one channel."""

    def model_name(self, format: Format) -> str:  # noqa: A002, ARG002
        """See Job."""
        return self.model or COLOR_MODEL

    def plan(self, picture: Picture, data: bytes, format: Format, record: Record) -> Planned:  # noqa: A002, ARG002
        """See Job."""
        self._require_room(format)
        loaded = self.tools.workshop.load(self.model_name(format), "color")
        record.model, record.scale = loaded.name, 1.0
        record.hr_size = record.lr_size = picture.size
        model = None if picture.neutral else loaded
        return Planned(model, picture.size, picture.size, 1, downs=self._downs)

    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> Encode:  # noqa: A002
        """See Job."""
        loaded = self.plan(picture, data, format, record).model
        gray, alpha = loaded is None, picture.alpha
        fields: dict[str, Any] = {}
        loaded = loaded or self.tools.workshop.load(self.model_name(format), "color")
        if gray:
            record.warnings.append("it is gray already: its values stay as they are")
            plane = picture.pixels[:, :, :1]
        else:
            made = self._made(loaded, picture, 1, record, format)
            plane, fields = made.pixels, marks(made)
            alpha = None if alpha is None else to_bits(alpha, self.bits)
        # A profile of colours has no place in a gray file: it waits in the tag.
        icc = b"" if picture.gray else picture.metadata.icc or b""
        metadata = picture.metadata if picture.gray else replace(picture.metadata, icc=None)
        pixels = np.repeat(plane, 3, axis=2)
        low = replace(picture, pixels=pixels, alpha=alpha, gray=True, metadata=metadata)
        xmp = tagging(picture, loaded, 1, record.warnings, gray=gray, icc=icc, **fields)
        return self.encoder(low, format, record, xmp)
