"""Texts that all commands share. This module imports nothing, so that `--help` stays fast."""

from __future__ import annotations

__all__ = ["TOO_LITTLE_MEMORY", "shown"]

TOO_LITTLE_MEMORY = "not enough memory: close other programs or use a machine with more"


def shown(path: object) -> str:
    """Return a name that is safe to print on one line: unprintable characters are escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in str(path).encode("utf-8", "backslashreplace").decode()
    )
