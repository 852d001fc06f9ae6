"""Files of one small image, and the search among them for a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from irncli.compression.search import least_reaching, most_within
from irncli.engine.metrics import psnr
from irncli.engine.tensors import Pixels
from irncli.errors import UsageError
from irncli.wording import counted

__all__ = ["Coded", "MissedTargetError", "largest_within", "reaching", "sizes"]


class MissedTargetError(UsageError):
    """The network cannot meet the target for a file."""


@dataclass(frozen=True)
class Coded:
    """An encoded file, its quality, and the image restored from the file, if that was needed."""

    data: bytes
    quality: int
    restored: Pixels | None = None


def sizes(
    codec: str, quality: int | None, bytes_: tuple[int, int], hr_size: tuple[int, int]
) -> dict[str, Any]:
    """Return the beginning of a report.

    Args:
        codec: codec of the file, or what it is.
        quality: quality of the codec; None if it has none.
        bytes_: sizes of the input and of the file.
        hr_size: width and height of the image.
    """
    before, after = bytes_
    return {
        "codec": codec,
        "quality": quality,
        "bytes_before": before,
        "bytes_after": after,
        "bits_per_pixel": round(8 * after / (hr_size[0] * hr_size[1]), 4),
    }


def largest_within(
    at: Callable[[int], Coded], most_bytes: int, hr_pixels: int, growth: float = 1
) -> Coded:
    """Return the file of the highest quality that has at most so many bytes.

    Args:
        at: function from a quality to a file.
        most_bytes: largest size of the file in bytes.
        hr_pixels: number of pixels of the image.
        growth: factor by which the file will grow; where not even the lowest quality fits then,
            that is returned.

    Raises:
        MissedTargetError: not even the lowest quality fits.
    """
    found = most_within(at, lambda coded: growth * len(coded.data) <= most_bytes)
    if found is not None:
        return found[1]
    least = at(1)
    if growth > 1:
        return least
    size = len(least.data)
    raise MissedTargetError(
        f"{counted(most_bytes, 'byte')} is too small: the smallest file is {size} bytes, "
        f"{8 * size / hr_pixels:.3f} bits per pixel"
    )


def reaching(
    at: Callable[[int], Coded],
    wanted: float,
    restore: Callable[[Coded], Pixels],
    pixels: Pixels,
) -> Coded:
    """Return the file of the lowest quality whose restored image has at least a PSNR in dB.

    Args:
        at: function from a quality to a file.
        wanted: RGB PSNR in dB.
        restore: function that restores the image from a file.
        pixels: the original image.

    Raises:
        MissedTargetError: not even the highest quality reaches it.
    """

    def restored(quality: int) -> Coded:
        coded = at(quality)
        return replace(coded, restored=restore(coded))

    def quality_of(coded: Coded) -> float:
        assert coded.restored is not None  # noqa: S101
        return psnr(coded.restored, pixels)

    found = least_reaching(restored, lambda coded: quality_of(coded) >= wanted)
    if found is None:
        best = quality_of(restored(100))
        raise MissedTargetError(f"{wanted:g} dB is out of reach: quality 100 gives {best:.2f} dB")
    return found[1]
