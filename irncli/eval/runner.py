"""Runner of the measurements: it measures all images of a set and collects failures and records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol, TypeVar

from irncli.engine.ticks import Tick, no_tick
from irncli.errors import IrnError
from irncli.eval.records import Failure, Record
from irncli.eval.sets import ImageSet

__all__ = ["Measurement", "Progress", "Study", "measure_set"]

T = TypeVar("T")
Progress = Callable[[str, Path], AbstractContextManager[Tick]]
"""Function from a label and an image to a context manager that yields a tick."""


class Measurement(Protocol[T]):
    """A measurement on one set, which collects the results of the images."""

    @property
    def label(self) -> str:
        """Name of the measurement in the progress bar; empty if there is only one."""

    def measure(self, path: Path, tick: Tick) -> T:
        """Measure one image.

        Raises:
            IrnError: the image cannot be measured.
        """

    def add(self, measured: T) -> None:
        """Add the result of an image."""

    def records(self, name: str, failed: list[Failure]) -> Sequence[Record]:
        """Return the records of the set with this name."""


Study = Callable[[ImageSet], Sequence[Measurement]]  # type: ignore[type-arg]
"""Function from a set to the measurements to make on it, in order."""


def measure_set(
    images: ImageSet,
    measurement: Measurement[T],
    *,
    progress: Progress | None = None,
    failed: Callable[[Path, IrnError], None] | None = None,
) -> Sequence[Record]:
    """Measure all images of a set and return its records.

    An image that cannot be measured does not stop the others.

    Args:
        images: the set.
        measurement: measurement to make; it must be new, without results of other sets.
        progress: called for each image, to show progress.
        failed: called with each image that could not be measured and its error.
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
