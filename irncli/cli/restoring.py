"""Small and gray pictures to what they were made of: the job of upscale and colorize."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from irncli.cli.env import Record
from irncli.cli.jobs import Encode, Job, Planned, Summary
from irncli.cli.planning import EVERY_FORMAT
from irncli.cli.sources import Source, Wishes, find_source
from irncli.cli.workshop import LoadedRestorer
from irncli.engine.fallback import Fallback
from irncli.engine.latent import draw_seed
from irncli.engine.rescaler import resize_plane, to_gray
from irncli.errors import ImageError, TagError
from irncli.io.encoding import Format
from irncli.io.images import Metadata, Picture, content_sha256, probe, quantization_tables
from irncli.io.tag import Tag, extract, remove
from irncli.pixels import Pixels, to_bits

__all__ = ["DrawnSeed", "Restore"]


RESTORER_SHARE = 0.8
"""Share of the work that a restoration module has, where there is one."""


@dataclass
class Restore(Job):
    """A small or gray picture to what it was made of.

    Attributes:
        wishes: of the user.
        seed: of z; None: the drawn one.
        temperature: width of z; None: that of the tag.
        drawn: seed of this batch.
    """

    formats = EVERY_FORMAT
    deep = True

    wishes: Wishes
    seed: int | None
    temperature: float | None
    drawn: int = field(compare=False)

    @property
    def asked_model(self) -> str | None:
        """See Job."""
        return self.wishes.model

    def plan(self, picture: Picture, data: bytes, format: Format, record: Record) -> Planned:  # noqa: A002, ARG002
        """See Job."""
        source = self._source(picture, data, record)
        model = source.model
        if source.tag is not None and source.tag.task == "color" and source.tag.gray:
            model = None
        record.model = None if model is None else model.name
        return Planned(model, source.hr_size, picture.size, source.scale, ups=1)

    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> Encode:  # noqa: A002
        """See Job."""
        source = self._source(picture, data, record)
        metadata = _untagged(picture.metadata, source.tag)
        if source.model is None:
            restored = picture
        elif self.wishes.task == "color":
            restored = self._coloured(picture, source, record)
        else:
            restored = self._large(picture, data, source, record)
        return self.encoder(replace(restored, metadata=metadata), format, record)

    def _source(self, picture: Picture, data: bytes, record: Record) -> Source:
        limit = self.tools.options.max_pixels
        # From the file: the picture has been stripped of it, where that was asked for.
        tag = extract(probe(data, max_pixels=limit).xmp)
        content = content_sha256(data, max_pixels=limit)
        source = find_source(
            self.tools.workshop,
            self.wishes,
            tag,
            content,
            picture.size,
            picture.bits,
            record.warnings,
        )
        record.lr_size, record.hr_size, record.scale = picture.size, source.hr_size, source.scale
        width, height = source.hr_size
        if width * height > limit:
            raise ImageError(
                f"it would become {width}x{height}, more than --max-pixels {limit}: "
                "raise it if you trust the file"
            )
        return source

    def _coloured(self, picture: Picture, source: Source, record: Record) -> Picture:
        plane = picture.pixels[:, :, :1]
        if not bool((picture.pixels == plane).all()):
            raise ImageError("it has colours, expected a gray picture: 'irn decolor' makes them")
        if source.tag is not None and source.tag.gray:
            return picture
        alpha = None if picture.alpha is None else to_bits(picture.alpha, source.bits)
        pixels = self._inverse(plane, source, record)
        return replace(picture, pixels=pixels, alpha=alpha, gray=False)

    def _large(self, picture: Picture, data: bytes, source: Source, record: Record) -> Picture:
        width, height = source.hr_size
        pixels = self._inverse(picture.pixels, source, record, data)
        alpha = None if picture.alpha is None else to_bits(picture.alpha, source.bits)
        alpha = None if alpha is None else resize_plane(alpha, height, width)
        tag = source.tag
        gray = picture.gray or (tag is not None and tag.gray)
        if gray or (tag is not None and tag.neutral):
            pixels = to_gray(pixels)
        return replace(picture, pixels=pixels, alpha=alpha, gray=gray)

    def _inverse(self, low: Pixels, source: Source, record: Record, data: bytes = b"") -> Pixels:
        assert source.model is not None  # noqa: S101
        temperature = source.temperature if self.temperature is None else self.temperature
        seed = self.seed if self.seed is not None else self.drawn if temperature > 0 else 0
        record.model, record.seed, record.temperature = source.model.name, seed, temperature
        share = RESTORER_SHARE if source.restorer else 0.0
        with self.tools.progress.file(record.input) as tick:
            if source.restorer is not None:
                low = self._without_codec(
                    low, data, source.restorer, record, lambda done: tick(done * share)
                )
            low, rescaler = np.ascontiguousarray(low), source.model.rescaler
            return rescaler.upscale(
                low,
                source.hr_size,
                source.scale,
                seed=seed,
                temperature=temperature,
                tick=lambda done: tick(done * (1 - share)),
                bits=source.bits,
                fallback=_fallback(low, source.tag, rescaler.scale),
            )

    @staticmethod
    def _without_codec(
        low: Pixels,
        data: bytes,
        restorer: LoadedRestorer,
        record: Record,
        tick: Callable[[float], None],
    ) -> Pixels:
        try:
            tables = quantization_tables(data)
        except ImageError:
            record.warnings.append("it is no JPEG any more: what that lost is not restored")
            return low
        return restorer.restorer.restore(to_bits(low, 8), tables, tick)


def _fallback(low: Pixels, tag: Tag | None, scale: int) -> Fallback | None:
    """What stands in for the network where the tag says so."""
    return None if tag is None else Fallback.chosen(low, tag.blocks, scale, tag.tint)


class DrawnSeed(Summary):
    """Says the seed that was drawn for a batch, where it was needed.

    Args:
        asked: the seed that was given; then there is nothing to say.
    """

    def __init__(self, asked: int | None) -> None:
        self.value = draw_seed()
        self._asked, self._used = asked, False

    def add(self, record: Record) -> None:
        """See Summary."""
        self._used |= record.seed == self.value and bool(record.temperature)

    def lines(self) -> list[str]:
        """See Summary."""
        return [f"irn: seed {self.value}"] if self._used and self._asked is None else []


def _untagged(metadata: Metadata, tag: Tag | None) -> Metadata:
    """Metadata of the restored picture: without our tag, with what waited in it."""
    icc = metadata.icc if tag is None or not tag.icc else tag.icc
    try:
        return replace(metadata, icc=icc, xmp=remove(metadata.xmp))
    except TagError:
        return replace(metadata, icc=icc, xmp=None)
