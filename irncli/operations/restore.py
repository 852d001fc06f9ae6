"""The operation of `irn upscale` and `irn colorize`, which restores a small or gray image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from irncli.engine.fallback import Fallback
from irncli.engine.latent import MAX_SEED
from irncli.engine.rescaler import resize_plane, to_gray
from irncli.engine.ticks import Tick
from irncli.errors import ImageError, IrnError, TagError, UsageError
from irncli.io.encoding import EVERY_FORMAT, Format
from irncli.io.image_file import ImageFile
from irncli.io.picture import Metadata, Picture
from irncli.io.tag import Tag, remove
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.operations.models import LoadedModel, LoadedRestorer, Models
from irncli.operations.resolve import COMMANDS, Request, Restoration, resolve
from irncli.operations.result import Operation, Plan, Result, Source, encoder
from irncli.pixels import Pixels, to_bits

__all__ = ["Restore", "RestorePlan"]

RESTORER_SHARE = 0.8
"""Share of the work, 0 to 1, that a compression restoration module takes if one is used."""


@dataclass(frozen=True, kw_only=True)
class RestorePlan(Plan):
    """A plan that includes the parameters of restoration.

    Attributes:
        restoration: parameters with which the image is restored.
    """

    restoration: Restoration


@dataclass(frozen=True, kw_only=True)
class Restore(Operation):
    """The operation that restores a small or gray image.

    Attributes:
        request: request of the user.
        seed: random seed of z, 0 to 2**64 - 1; None to use `drawn`.
        temperature: width of z; None: the temperature of the tag.
        drawn: random seed that was drawn once for all files of the batch.
        max_pixels: largest number of pixels that a restored image may have.
    """

    formats = EVERY_FORMAT
    lossless = ("png", "tiff")
    deep = True
    restores = True

    request: Request
    seed: int | None = None
    temperature: float | None = None
    drawn: int = 0
    max_pixels: int = DEFAULT_MAX_PIXELS

    @property
    def model(self) -> str | LoadedModel | None:  # type: ignore[override]
        """See Operation."""
        return self.request.model

    def __post_init__(self) -> None:
        if self.seed is not None and not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"--seed {self.seed}: expected 0 to {MAX_SEED}")

    def unsuitable(self, file: ImageFile) -> str | None:
        """See Operation. With a model, a scale or `strict`, every file is meant to be restored."""
        request, tag = self.request, file.tag
        if request.model is not None or request.scale is not None or request.strict:
            return None
        if tag is None:
            return "without an irn tag"
        other = tag.task not in ("plain", request.task)
        return f"for '{COMMANDS[tag.task]}'" if other else None

    def nothing_suitable(self, found: str) -> IrnError:
        """See Operation."""
        made = "'irn decolor'" if self.request.task == "color" else "'irn downscale'"
        return TagError(
            f"nothing to restore: found {found}, expected images made by {made}; if they were "
            "stripped of their tags, pass --model"
        )

    def identity(self) -> list[str]:
        """See Operation."""
        request = self.request
        # This text is part of the stored keys of existing outputs, so it must not change.
        asked = (
            f"Wishes(task={request.task!r}, model={self.named!r}, scale={request.scale!r}, "
            f"strict={request.strict!r})"
        )
        return [asked, repr(self.seed), repr(self.temperature)]

    def plan(self, models: Models, source: Source, image_format: Format) -> RestorePlan:
        """See Operation."""
        del image_format
        image = source.image
        found = resolve(models, self.request, source.file, image.bits)
        if found.tag is not None and found.tag.frames > 1:
            found = replace(found, tag=found.tag.of_frame(source.number))
        width, height = found.hr_size
        if width * height > self.max_pixels:
            raise ImageError(
                f"the restored image would be {width}x{height}, more than --max-pixels "
                f"{self.max_pixels}: raise it if you trust the file"
            )
        tag = found.tag
        as_it_is = tag is not None and tag.task == "color" and tag.gray
        model = None if as_it_is else found.model
        return RestorePlan(
            model=model, scale=found.scale, hr_size=found.hr_size, lr_size=image.size,
            ups=int(model is not None), warnings=found.warnings, restoration=found,
        )  # fmt: skip

    def run(
        self, models: Models, source: Source, plan: Plan, image_format: Format, quality: int,
        tick: Tick,
    ) -> Result:  # fmt: skip
        """See Operation."""
        del models
        assert isinstance(plan, RestorePlan)  # noqa: S101
        found, image = plan.restoration, source.image
        color = found.model is not None and found.model.task == "color"
        if color and not image.neutral:
            raise ImageError("found colours, expected a gray image made by 'irn decolor'")
        warnings: list[str] = []
        seed = temperature = None
        if plan.model is not None:
            temperature = found.temperature if self.temperature is None else self.temperature
            seed = self.seed if self.seed is not None else self.drawn if temperature > 0 else 0
            inverse = _Inverse(plan.model, found, seed, temperature, tick, warnings)
            image = inverse.coloured(image) if color else inverse.enlarged(image, source.file)
        elif color:
            image = replace(image, gray=True)  # WebP does not store that
        image = replace(image, metadata=_without_tag(image.metadata, found.tag))
        return Result(
            image=image, encode=encoder(image, image_format, quality),
            model=None if plan.model is None else plan.model.name, lr_size=plan.lr_size,
            seed=seed, temperature=temperature, warnings=tuple(warnings),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Inverse:
    """The inverse run of the network on one image."""

    model: LoadedModel
    restoration: Restoration
    seed: int
    temperature: float
    tick: Tick
    warnings: list[str]

    def coloured(self, image: Picture) -> Picture:
        """Return a gray image with its colours restored."""
        return replace(
            image, pixels=self._pixels(image.pixels[:, :, :1]), alpha=self._alpha(image), gray=False
        )

    def enlarged(self, image: Picture, file: ImageFile) -> Picture:
        """Return a small image restored to its original size."""
        width, height = self.restoration.hr_size
        restorer, tag = self.restoration.restorer, self.restoration.tag
        low = image.pixels
        if restorer is not None:
            low = self._without_codec(low, file, restorer)
        pixels, alpha = self._pixels(low), self._alpha(image)
        gray = image.gray or (tag is not None and tag.gray)
        if gray or (tag is not None and tag.neutral):
            pixels = to_gray(pixels)
        alpha = None if alpha is None else resize_plane(alpha, height, width)
        return replace(image, pixels=pixels, alpha=alpha, gray=gray)

    def _alpha(self, image: Picture) -> Pixels | None:
        return None if image.alpha is None else to_bits(image.alpha, self.restoration.bits)

    def _pixels(self, low: Pixels) -> Pixels:
        found, low = self.restoration, np.ascontiguousarray(low)
        share = 1 - RESTORER_SHARE if found.restorer is not None else 1.0
        return self.model.rescaler.upscale(
            low,
            found.hr_size,
            found.scale,
            seed=self.seed,
            temperature=self.temperature,
            tick=lambda done: self.tick(done * share),
            bits=found.bits,
            fallback=_fallback(low, found.tag, self.model.scale),
        )

    def _without_codec(self, low: Pixels, file: ImageFile, restorer: LoadedRestorer) -> Pixels:
        try:
            tables = file.tables
        except ImageError:
            self.warnings.append(
                "the file is no longer a JPEG: the losses of that format are not restored"
            )
            return low
        return restorer.restorer.restore(
            to_bits(low, 8), tables, lambda done: self.tick(done * RESTORER_SHARE)
        )


def _fallback(low: Pixels, tag: Tag | None, scale: int) -> Fallback | None:
    """Return the fallback for blocks that the tag marks as restored without the network."""
    return None if tag is None else Fallback.for_image(low, tag.blocks, scale, tag.tint)


def _without_tag(metadata: Metadata, tag: Tag | None) -> Metadata:
    """Return the metadata without our tag, with the colour profile that the tag stores, if any."""
    icc = metadata.icc if tag is None or not tag.icc else tag.icc
    try:
        return replace(metadata, icc=icc, xmp=remove(metadata.xmp))
    except TagError:
        return replace(metadata, icc=icc, xmp=None)
