"""The operation of `irn downscale`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from irncli.engine.rescaler import resize_plane
from irncli.engine.ticks import Tick
from irncli.errors import UsageError
from irncli.geometry import lr_size
from irncli.io.encoding import Format, holds_profile
from irncli.operations.forward import Forward, tag_of
from irncli.operations.models import LoadedModel, Models
from irncli.operations.result import Plan, Result, Source, check_scale, encoder
from irncli.operations.small_size import SmallSize
from irncli.pixels import to_bits

__all__ = ["Downscale"]


@dataclass(frozen=True, kw_only=True)
class Downscale(Forward):
    """The operation that makes an image small.

    Attributes:
        scale: HR size over LR size, more than 1; None: the scale of the model.
        size: size of the small image, in place of `scale`; None: it follows from the scale.
    """

    scale: float | None = None
    size: SmallSize | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and self.size is not None:
            raise UsageError(f"--scale and {self.size} exclude each other: give one")
        if self.scale is None and self.size is None and self.model is None:
            raise UsageError(
                "missing --scale: give a factor such as --scale 4, or --width, --height, "
                "--max-side or --percent"
            )
        check_scale(self.scale)
        super().__post_init__()

    def identity(self) -> list[str]:
        """See Operation."""
        size = [] if self.size is None else [str(self.size)]
        return [*super().identity(), repr(self.scale), *size]

    def model_name(self, models: Models, image_format: Format) -> str | None:  # noqa: ARG002
        """See Operation."""
        if self.named or self.size is None:
            return self.named or models.registry.for_scale(self.scale or 1)
        self.size.check(models.registry.largest_scale())
        scale = self.size.known_scale
        return None if scale is None else models.registry.for_scale(scale)

    def weights(self, models: Models, image_format: Format) -> str | None:
        """See Operation. Without a model and a scale, any of the default models may be used."""
        if self.model_name(models, image_format) is not None:
            return super().weights(models, image_format)
        return " ".join(str(models.recorded_sha256(name)) for name in models.registry.defaults())

    def plan(self, models: Models, source: Source, image_format: Format) -> Plan:
        """See Operation."""
        self.check(image_format)
        size = source.image.size
        model, scale = self._model_and_scale(models, size)
        return Plan(
            model=model, scale=scale, hr_size=size, lr_size=lr_size(size, scale),
            downs=self._estimated_downs(model, image_format),
        )  # fmt: skip

    def _model_and_scale(
        self, models: Models, hr_size: tuple[int, int]
    ) -> tuple[LoadedModel, float]:
        given = None if self.model is None else models.load(self.model)
        if self.size is None:
            model = given or models.load(models.registry.for_scale(self.scale or 1))
            return model, float(model.scale) if self.scale is None else self.scale
        largest = models.registry.largest_scale() if given is None else given.scale
        scale = self.size.scale(hr_size, largest)
        return given or models.load(models.registry.for_scale(scale)), scale

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
        fields = dict(made.marks)
        if not holds_profile(small, image_format):
            # The profile is stored in the tag instead, as for a decoloured image.
            fields["icc"] = image.metadata.icc or b""
            small = replace(small, metadata=replace(image.metadata, icc=None))
        tag = tag_of(image, model, plan.scale, gray=image.gray, neutral=neutral, **fields)
        return Result(
            image=small, tag=tag, encode=encoder(small, image_format, quality, tag, lossless=True),
            model=model.name, lr_size=plan.lr_size, warnings=made.warnings, refined=made.refined,
            guarded=made.shares,
        )  # fmt: skip
