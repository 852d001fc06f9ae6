"""The operation of `irn decolor`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from irncli.engine.ticks import Tick
from irncli.io.encoding import Format
from irncli.operations.forward import Forward, tag_of
from irncli.operations.models import COLOR_MODEL, Models
from irncli.operations.result import Plan, Result, Source, encoder
from irncli.pixels import to_bits

__all__ = ["Decolor"]


@dataclass(frozen=True, kw_only=True)
class Decolor(Forward):
    """The operation that makes an image gray. A gray image keeps its exact values."""

    def model_name(self, models: Models, image_format: Format) -> str:  # noqa: ARG002
        """See Operation."""
        return self.named or COLOR_MODEL

    def plan(self, models: Models, source: Source, image_format: Format) -> Plan:
        """See Operation."""
        self.check(image_format)
        model, image = models.load(self.model or COLOR_MODEL, "color"), source.image
        downs = 0 if source.neutral else self._estimated_downs(model, image_format)
        return Plan(model=model, scale=1.0, hr_size=image.size, lr_size=image.size, downs=downs)

    def run(
        self, models: Models, source: Source, plan: Plan, image_format: Format, quality: int,
        tick: Tick,
    ) -> Result:  # fmt: skip
        """See Operation."""
        del models
        image, model, gray = source.image, plan.model, plan.downs == 0
        assert model is not None  # noqa: S101
        if gray:
            made, plane, alpha = None, image.pixels[:, :, :1], image.alpha
            warnings: tuple[str, ...] = ("the image is already gray: its values are kept",)
        else:
            made = self.run_network(model, image, 1, image_format, quality, tick)
            plane, warnings = made.guarded.pixels, made.warnings
            alpha = None if image.alpha is None else to_bits(image.alpha, self.bits)
        # A gray file cannot store a colour profile, so the tag stores it.
        icc = b"" if image.gray else image.metadata.icc or b""
        metadata = image.metadata if image.gray else replace(image.metadata, icc=None)
        pixels = np.repeat(plane, 3, axis=2)
        small = replace(image, pixels=pixels, alpha=alpha, gray=True, metadata=metadata)
        tag = tag_of(image, model, 1, gray=gray, icc=icc, **(made.marks if made else {}))
        return Result(
            image=small, tag=tag, encode=encoder(small, image_format, quality, tag, lossless=True),
            model=model.name, lr_size=plan.lr_size, warnings=warnings,
            refined=made.refined if made else None, guarded=made.shares if made else None,
        )  # fmt: skip
