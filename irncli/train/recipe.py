"""Recipes: everything a training run depends on besides its pictures.

Frozen, validated, and the same after a trip through JSON. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from irncli.config import InvertibleConfig, from_json, to_json
from irncli.errors import UsageError

__all__ = ["PRESETS", "Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train an invertible rescaling network.

    Losses are sums over C, H, W and means over the batch (science: IRN, section 3.3).

    Attributes:
        architecture: the network.
        lr_weight: weight of the LR fit (l2 to the bicubic LR).
        lr_target: RGB PSNR in dB over a batch that LR should keep to bicubic LR; the weight is
            steered towards it. On Y of whole pictures LR is 5 to 6 dB nearer. None: the weight
            stays as it is.
        hr_weight: weight of the HR reconstruction (Charbonnier l1).
        z_weight: weight of sum z^2.
        batch: crops in a step.
        crop: HR side of a crop at first.
        crop_end: HR side of a crop in the last quarter, with fewer crops of about as many pixels.
        psnr_from: fraction of the budget after which HR is fitted by the logarithm of each crop's
            mean squared error: by its PSNR, so that smooth crops count as much as busy ones.
        psnr_weight: weight of that fit; the default makes its gradient at errors of 0.01 that of
            the l1.
        draw_from: fraction of the budget after which z is drawn; before, z = 0.
        draw_temperature: width at which z is drawn, in units of its own standard deviation. Drawn
            wider than when restoring, a draw costs little in the end (docs/design.md, z).
        learning_rate: peak, after the warm-up.
        warm_up: steps of linear warm-up, then cosine decay to zero over the budget.
        clip: largest gradient norm.
        ema: decay of the averaged weights that are validated and shipped.
        validate_every: steps between validations.
    """

    architecture: InvertibleConfig
    lr_weight: float = 1.0
    lr_target: float | None = None
    hr_weight: float = 1.0
    z_weight: float = 0.01
    batch: int = 6
    crop: int = 48
    crop_end: int = 96
    psnr_from: float = 0.6
    psnr_weight: float = 0.005
    draw_from: float = 0.15
    draw_temperature: float = 2.5
    learning_rate: float = 4e-4
    warm_up: int = 50
    clip: float = 10.0
    ema: float = 0.99
    validate_every: int = 200

    def __post_init__(self) -> None:
        scale = self.architecture.scale
        for name in ("crop", "crop_end"):
            side = getattr(self, name)
            if side % scale or side < 4 * scale:
                raise UsageError(
                    f"{name} is {side}, expected a multiple of {scale}, at least {4 * scale}"
                )
        for name in ("draw_from", "psnr_from"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is {getattr(self, name)}, expected a share from 0 to 1")
        for name in ("batch", "learning_rate", "clip", "warm_up", "validate_every"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} is {getattr(self, name)}, expected more than 0")

    def crops_at(self, progress: float) -> tuple[int, int]:
        """Number and side of the crops of a step, `progress` from 0 to 1."""
        if progress < 0.75:
            return self.batch, self.crop
        return max(1, round(self.batch * (self.crop / self.crop_end) ** 2)), self.crop_end

    def as_record(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {**asdict(self), "architecture": to_json(self.architecture)}

    def changed(self, assignments: Sequence[str]) -> Recipe:
        """The same recipe with some numbers replaced.

        Args:
            assignments: "name=value"; the value is a number, or null where None is allowed.

        Raises:
            UsageError: an unknown name, or a value that its field does not take.
        """
        numbers = [field.name for field in fields(self) if field.name != "architecture"]
        changes: dict[str, Any] = {}
        for assignment in assignments:
            name, _, text = assignment.partition("=")
            if name not in numbers:
                raise UsageError(f"no recipe field {name!r}; there are: {', '.join(numbers)}")
            changes[name] = _number(name, text, getattr(self, name))
        return replace(self, **changes)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Recipe:
        """The recipe that `as_record` wrote."""
        return cls(**{**record, "architecture": from_json(record["architecture"])})


def _number(name: str, text: str, present: object) -> float | int | None:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if value is None and name == "lr_target":
        return None
    whole = isinstance(present, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"{name} is {text!r}, expected {kind}")
    return value if whole else float(value)


PRESETS: dict[str, Recipe] = {
    "irn-x2": Recipe(
        architecture=InvertibleConfig.irn(2),
        lr_weight=1.0,
        lr_target=36.3,
    ),
    "irn-x4": Recipe(
        architecture=InvertibleConfig.irn(4),
        lr_weight=2.0,
        lr_target=34.0,
        batch=4,
        crop=64,
        crop_end=128,
        validate_every=150,
    ),
}
"""Recipes by the name of the model that they train."""
