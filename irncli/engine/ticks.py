"""Callbacks for progress."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Tick", "no_tick"]

Tick = Callable[[float], None]
"""A function that is called with the share of the work that was just done, 0 to 1. The function may
raise an exception to end the work."""


def no_tick(share: float) -> None:
    """Report no progress."""
