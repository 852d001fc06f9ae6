"""Wording of messages, for all packages. This module imports nothing until it is needed."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["counted", "did_you_mean", "nearest", "with_article"]

CUTOFF = 0.65
"""Similarity, as difflib has it, from which on a name is suggested: `batch` for `bacth` (0.8) and
`fid` for `fjd` (0.67), but not `bits` for `width` (0.44)."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun, such as "1 image" or "2 images"."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def with_article(noun: str) -> str:
    """Return a noun with its article, such as "a list", "an int" or "an MPO file"."""
    first = noun.split()[0]
    # Initialisms are spelled out, so that F, for example, begins with the sound of "ef".
    spelled = first.isupper() and first not in ("HEIC", "HEIF")
    return f"{'an' if first[0] in ('AEFHILMNORSX' if spelled else 'AEIOaeiou') else 'a'} {noun}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a mistyped one; None if none is similar.

    Upper and lower case are not distinguished, nor are leading dashes counted.
    """
    from difflib import get_close_matches

    plain = {each.lstrip("-").lower(): each for each in known}
    found = get_close_matches(name.lstrip("-").lower(), plain, 1, CUTOFF)
    return plain[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question about the nearest known name, " (did you mean ...?)", or "" without one."""
    near = nearest(name, known)
    return "" if near is None else f" (did you mean {near}?)"
