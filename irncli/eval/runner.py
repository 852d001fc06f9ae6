"""The runner: every study measures its images, names those that fail, and makes records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol, TypeVar

from irncli.errors import IrnError
from irncli.eval.records import Failure, Record
from irncli.eval.sets import ImageSet

__all__ = ["Measurement", "Progress", "Study", "Tick", "measure_set", "no_tick"]

T = TypeVar("T")
Tick = Callable[[float], None]
"""Called with the share of the work that was just done."""
Progress = Callable[[str, Path], AbstractContextManager[Tick]]
"""From a label and an image to a context that gives a tick."""


def no_tick(share: float) -> None:
    """Report no progress."""


class Measurement(Protocol[T]):
    """What is measured on one set; it collects the results of its images."""

    @property
    def label(self) -> str:
        """What is measured, for the progress bar; empty where there is only one."""

    def measure(self, path: Path, tick: Tick) -> T:
        """Measure one image.

        Raises:
            IrnError: it cannot be measured.
        """

    def add(self, measured: T) -> None:
        """Collect the result of an image."""

    def records(self, name: str, failed: list[Failure]) -> Sequence[Record]:
        """Return the records of the set with this name."""


Study = Callable[[ImageSet], Sequence[Measurement]]  # type: ignore[type-arg]
"""From a set to the measurements that are made on it, one after the other."""


def measure_set(
    images: ImageSet,
    measurement: Measurement[T],
    *,
    progress: Progress | None = None,
    failed: Callable[[Path, IrnError], None] | None = None,
) -> Sequence[Record]:
    """Measure all images of a set, and return its records.

    Args:
        images: the set.
        measurement: made for this set.
        progress: asked at each image for a context that gives a tick.
        failed: told of each image that could not be measured; the others go on.
    """
    label = f"{images.name}, {measurement.label}" if measurement.label else images.name
    failures: list[Failure] = []
    for path in images.paths:
        try:
            with progress(label, path) if progress else nullcontext(no_tick) as tick:
                measured = measurement.measure(path, tick)
        except IrnError as error:
            failures.append({"image": path.name, "error": str(error)})
            if failed:
                failed(path, error)
        else:
            measurement.add(measured)
    return measurement.records(images.name, failures)
