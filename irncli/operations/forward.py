"""The forward pass from HR to LR, with refinement and guard, for `downscale` and `decolor`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from irncli.engine.alpha import bleed
from irncli.engine.guard import Guarded, guard
from irncli.engine.refine import STEP_COST, Refined, refine
from irncli.engine.rescaler import to_gray
from irncli.engine.tensors import AsStored
from irncli.engine.ticks import Tick
from irncli.errors import UsageError
from irncli.geometry import pack
from irncli.io.encoding import LOSSLESS, Format, encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.io.tag import Tag
from irncli.operations.models import LoadedModel
from irncli.operations.result import Operation, TagOf
from irncli.pixels import Pixels, to_bits

__all__ = ["Forward", "Made", "gain_of", "tag_of"]

GUARD_SHARE = 0.05
"""Share of the progress of a file, 0 to 1, that is reserved for the guard. The guard takes longer
on images that are not photographs."""
GUARD_COST = {"rescale": 0.02, "color": 1.0}
"""Usual time of the guard by task, in units of a forward pass. For rescaling, measured by
`benchmarks/guard_cost.py`; for colour, of five crops of photographs, between 1 and 6."""
GUARD_COST_LOSSY = 3.0
"""The same for lossy files, where every block is checked: 1 to 5 for those crops as JPEGs."""
MUCH_BICUBIC = 0.1
"""Share of an image, 0 to 1, above which a warning says that the network restores it badly."""


@dataclass(frozen=True, eq=False)
class Made:
    """The LR of an image, with the results of refinement and guard.

    Attributes:
        guarded: LR, and the blocks that are restored without the network.
        refined: PSNR in dB, `before` and `after` refinement; None without refinement.
        checked: True if the guard was on.
    """

    guarded: Guarded
    refined: dict[str, float] | None
    checked: bool

    @property
    def shares(self) -> dict[str, float] | None:
        """Shares of blocks that the guard repaired and replaced; None if the guard was off."""
        if not self.checked:
            return None
        guarded = self.guarded
        return {"repaired": round(guarded.repaired, 4), "bicubic": round(guarded.bicubic, 4)}

    @property
    def warnings(self) -> tuple[str, ...]:
        """A warning if a large part of the image is restored without the network."""
        if not self.checked or round(self.guarded.bicubic, 4) <= MUCH_BICUBIC:
            return ()
        bicubic = round(self.guarded.bicubic, 4)
        way = "bicubic interpolation" if self.guarded.tint is None else "one mean colour"
        return (
            f"the network would restore {bicubic:.0%} of this image badly: {way} is used there",
        )

    @property
    def marks(self) -> dict[str, Any]:
        """Fields of the tag that mark the blocks restored without the network."""
        if self.guarded.blocks is None:
            return {}
        return {"bicubic": pack(self.guarded.blocks), "tint": self.guarded.tint}


@dataclass(frozen=True, kw_only=True)
class Forward(Operation):
    """An operation that runs the network forward.

    Attributes:
        model: model, or the name of one; None: the default model.
        bits: bits per channel of the small image, 8 or 16.
        refine: number of refinement steps, 0 to 1000.
        guard: compare LR with the plain LR, and repair or replace blocks that are worse.
    """

    deep = True
    lossless = LOSSLESS

    model: str | LoadedModel | None = None
    bits: int = 8
    refine: int = 0
    guard: bool = True

    def __post_init__(self) -> None:
        if self.bits not in (8, 16):
            raise UsageError(f"--bits {self.bits}: expected 8 or 16")
        if self.bits == 16 and self.refine:
            raise UsageError(
                "--refine needs a small image with 8 bits per channel: leave out --bits 16"
            )

    def check(self, image_format: Format) -> None:
        """See Operation."""
        if self.bits > 8 and image_format != "png":
            raise UsageError(
                f"--bits 16 with {image_format.upper()}: only PNG stores 16 bits, use PNG"
            )

    def identity(self) -> list[str]:
        """See Operation."""
        return [
            repr(self.named),
            repr(self.bits),
            repr(self.refine),
            repr(self.guard),
        ]

    @property
    def _downs(self) -> float:
        """Time to make an LR, in units of a forward pass: the pass itself, and the refinement."""
        return 1 + STEP_COST * self.refine

    def _estimated_downs(self, model: LoadedModel, image_format: Format) -> float:
        """Return the estimated time to make and guard an LR, in units of a forward pass."""
        if not self.guard:
            return self._downs
        lossless = image_format in self.lossless
        return self._downs + (GUARD_COST[model.task] if lossless else GUARD_COST_LOSSY)

    def run_network(
        self,
        model: LoadedModel,
        image: Picture,
        scale: float,
        image_format: Format,
        quality: int,
        tick: Tick,
    ) -> Made:
        """Run the network on an image, refine the LR, and guard it.

        Args:
            model: the model.
            image: HR.
            scale: HR size over LR size.
            image_format: format in which LR will be stored; it may be lossy.
            quality: quality of a lossy format, 1 to 100.
            tick: called with the share of the work that was just done.

        Returns:
            LR, guarded if `guard` is set, and the gain of refinement.
        """
        pixels, rescaler = bleed(image.pixels, image.alpha), model.rescaler
        down = 1 - GUARD_SHARE if self.guard else 1.0
        share = down / self._downs
        neutral = image.gray or (self.guard and replace(image, pixels=pixels).neutral)
        color = model.task == "color"
        # A neutral LR is averaged to gray when it is guarded or written, so iterates are judged
        # after that.
        gray = to_gray if neutral and not color else None
        low = rescaler.downscale(pixels, scale, lambda done: tick(done * share), bits=self.bits)
        refined = None
        if self.refine:
            found = refine(
                rescaler, to_bits(pixels, 8), low, scale, steps=self.refine, as_stored=gray,
                tick=lambda done: tick(done * (down - share)),
            )  # fmt: skip
            low = found.pixels
            refined = gain_of(found)
        if not self.guard:
            return Made(Guarded(low if gray is None else gray(low)), refined, checked=False)
        lossy = image_format not in self.lossless
        as_stored = through_codec(image_format, quality, gray=color) if lossy else None
        guarded = guard(
            rescaler, pixels, low, scale, temperature=model.temperature, neutral=neutral,
            as_stored=as_stored, tick=tick,
        )  # fmt: skip
        tick(GUARD_SHARE)
        return Made(guarded, refined, checked=True)


def gain_of(found: Refined) -> dict[str, float]:
    """Return the PSNR in dB before and after refinement, rounded for records."""
    return {"before": round(found.before, 3), "after": round(found.after, 3)}


def through_codec(image_format: Format, quality: int, *, gray: bool) -> AsStored:
    """Return a function that returns the pixels of an LR after it was stored in this format."""

    def as_stored(low: Pixels) -> Pixels:
        image = Picture(np.broadcast_to(low, (*low.shape[:2], 3)), gray=gray)
        data = encode(image, image_format=image_format, quality=quality)
        return decode(data).pixels[:, :, : low.shape[2]]

    return as_stored


def tag_of(image: Picture, model: LoadedModel, scale: float, **fields: Any) -> TagOf:
    """Return a function that makes the tag of the small image of `image`, given its pixel hash."""

    def tag(content_sha256: str) -> Tag:
        return Tag(
            task=model.task,
            model=model.name,
            weights_sha256=model.weights_sha256,
            scale=scale,
            hr_size=image.size,
            bits=image.bits,
            content_sha256=content_sha256,
            temperature=model.temperature,
            **fields,
        )

    return tag
