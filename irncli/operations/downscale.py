"""The operation of `irn downscale`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from irncli.engine.rescaler import resize_plane
from irncli.engine.ticks import Tick
from irncli.errors import UsageError
from irncli.geometry import lr_size
from irncli.io.encoding import Format
from irncli.operations.forward import Forward, tag_of
from irncli.operations.models import Models
from irncli.operations.result import Plan, Result, Source, check_scale, encoder
from irncli.pixels import to_bits

__all__ = ["Downscale"]


@dataclass(frozen=True, kw_only=True)
class Downscale(Forward):
    """The operation that makes an image small.

    Attributes:
        scale: HR size over LR size, more than 1; None: the scale of the model.
    """

    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is None and self.model is None:
            raise UsageError("missing --scale: give a factor such as --scale 4")
        check_scale(self.scale)
        super().__post_init__()

    def identity(self) -> list[str]:
        """See Operation."""
        return [*super().identity(), repr(self.scale)]

    def model_name(self, models: Models, image_format: Format) -> str:  # noqa: ARG002
        """See Operation."""
        return self.named or models.registry.for_scale(self.scale or 1)

    def plan(self, models: Models, source: Source, image_format: Format) -> Plan:
        """See Operation."""
        self.check(image_format)
        model = models.load(self.model or self.model_name(models, image_format))
        scale = float(model.scale) if self.scale is None else self.scale
        size = source.image.size
        return Plan(
            model=model, scale=scale, hr_size=size, lr_size=lr_size(size, scale),
            downs=self._downs,
        )  # fmt: skip

    def run(
        self, models: Models, source: Source, plan: Plan, image_format: Format, quality: int,
        tick: Tick,
    ) -> Result:  # fmt: skip
        """See Operation."""
        del models
        image, model, (width, height) = source.image, plan.model, plan.lr_size
        assert model is not None  # noqa: S101
        made = self.run_network(model, image, plan.scale, image_format, quality, tick)
        alpha = None if image.alpha is None else to_bits(image.alpha, self.bits)
        small = replace(
            image,
            pixels=made.guarded.pixels,
            alpha=None if alpha is None else resize_plane(alpha, height, width),
        )
        neutral = made.guarded.neutral and not image.gray
        tag = tag_of(image, model, plan.scale, gray=image.gray, neutral=neutral, **made.marks)
        return Result(
            image=small, encode=encoder(small, image_format, quality, tag), model=model.name,
            lr_size=plan.lr_size, warnings=made.warnings, refined=made.refined,
            guarded=made.shares,
        )  # fmt: skip
