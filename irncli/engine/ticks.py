"""Callbacks for progress."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "Tick", "no_tick"]

Tick = Callable[[float], None]
"""A function that is called with the share of the work that was just done, 0 to 1. The function may
raise an exception to end the work."""


def no_tick(share: float) -> None:
    """Report no progress."""


class Progress:
    """Progress of work of which parts may be repeated; repeated work is reported only once.

    Attributes:
        done: share of the work that is done. Set it back before parts are repeated.
    """

    def __init__(self, tick: Tick) -> None:
        self.done, self._tick, self._told = 0.0, tick, 0.0

    def advance(self, share: float) -> None:
        """Add a share of the work that was just done."""
        self.done += share
        self._tick(max(0.0, self.done - self._told))
        self._told = max(self._told, self.done)
