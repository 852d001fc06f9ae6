"""Words that all commands share; imports nothing, since help starts with it."""

from __future__ import annotations

__all__ = ["TOO_LITTLE_MEMORY", "shown"]

TOO_LITTLE_MEMORY = "not enough memory: close other programs or use a machine with more"


def shown(path: object) -> str:
    """A name as it can stand in one line: whatever would not be seen as itself is escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
        for c in str(path).encode("utf-8", "backslashreplace").decode()
    )
