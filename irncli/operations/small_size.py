"""The size of a small image, given in pixels or in percent instead of as a scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from irncli.errors import UsageError

__all__ = ["SmallSize", "chosen_size"]


Side = Literal["width", "height", "max-side", "percent"]


@dataclass(frozen=True)
class SmallSize:
    """The wanted size of a small image; the scale follows from the size of the large one.

    Attributes:
        side: which side is given, or `percent` for a share of both.
        value: pixels of that side of the small image, or percent of the large one.
    """

    side: Side
    value: float

    def __post_init__(self) -> None:
        if self.side == "percent" and not 0 < self.value < 100:
            raise UsageError(f"{self}: expected more than 0 and less than 100")
        if self.value < 1 and self.side != "percent":
            raise UsageError(f"{self}: expected at least 1 pixel")

    def __str__(self) -> str:
        """Return the option as on the command line."""
        return f"--{self.side} {self.value:g}"

    @property
    def label(self) -> str:
        """The size in the name of an output, such as `w800`."""
        letters = {"width": "w", "height": "h", "max-side": "max", "percent": "p"}
        return f"{letters[self.side]}{self.value:g}"

    @property
    def known_scale(self) -> float | None:
        """HR size over LR size; None if it depends on the image."""
        return 100 / self.value if self.side == "percent" else None

    def scale(self, hr_size: tuple[int, int], largest: float) -> float:
        """Return HR size over LR size for an image.

        Args:
            hr_size: width and height of the image in pixels.
            largest: largest scale that is possible.

        Raises:
            UsageError: the image cannot be made small in this way.
        """
        if self.known_scale is not None:
            self.check(largest)
            return self.known_scale
        width, height = hr_size
        given = {"width": width, "height": height, "max-side": max(hr_size)}[self.side]
        least = math.ceil(given / largest - 1e-9)
        if least <= self.value < given:
            return given / self.value
        possible = f"expected {least} to {given - 1}" if least < given else "it is too small"
        raise UsageError(
            f"{self}: the image is {width}x{height} and can be made up to {largest:g} times "
            f"smaller, {possible}"
        )

    def check(self, largest: float) -> None:
        """Refuse a size that is not possible for any image.

        Raises:
            UsageError: the scale does not depend on the image, and is too large.
        """
        if self.known_scale is not None and self.known_scale > largest:
            least = math.ceil(1e4 / largest - 1e-9) / 100
            raise UsageError(
                f"{self}: an image can be made up to {largest:g} times smaller, expected "
                f"{least:g} to less than 100"
            )


def chosen_size(
    *,
    scaled: bool,
    width: int | None = None,
    height: int | None = None,
    max_side: int | None = None,
    percent: float | None = None,
) -> SmallSize | None:
    """Return the size that is given in pixels or percent; None if there is none.

    Args:
        scaled: True if a scale is given.
        width: width of the small image in pixels.
        height: height of the small image in pixels.
        max_side: longer side of the small image in pixels.
        percent: size of the small image in percent of the large one.

    Raises:
        UsageError: more than one of them is given, or one is out of range.
    """
    given: dict[Side, float | None] = {
        "width": width, "height": height, "max-side": max_side, "percent": percent,
    }  # fmt: skip
    sizes = [SmallSize(side, value) for side, value in given.items() if value is not None]
    names = ["--scale"] * scaled + [f"--{each.side}" for each in sizes]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} exclude each other: give one")
    return sizes[0] if sizes else None
