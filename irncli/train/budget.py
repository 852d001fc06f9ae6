"""Length of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from irncli.errors import UsageError

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """Length of a run, either in steps or in minutes of training time.

    The time of resumed sessions adds up.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = {"--steps": self.steps, "--minutes": self.minutes}
        chosen = [(name, value) for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            raise UsageError("give either --steps or --minutes")
        name, value = chosen[0]
        if not 0 < value < inf:  # a run of nan minutes would never end
            raise UsageError(f"{name} {value:g}: expected more than 0")

    def share(self, step: int, seconds: float) -> float:
        """Return the spent share of the budget; 1 or more ends the run."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None  # noqa: S101
        return seconds / (60 * self.minutes)
