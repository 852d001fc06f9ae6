"""Numbers as people write them on the command line."""

from __future__ import annotations

import re
from typing import Literal

from irncli.errors import UsageError

__all__ = ["parse_percent", "parse_scale", "parse_scale_or_auto"]


def parse_scale(text: str) -> float:
    """Return the scale that a text such as `4`, `2.5`, `x4` or `4x` names.

    Raises:
        UsageError: the text is not a number.
    """
    return _number(
        re.sub(r"^[x\u00d7]|[x\u00d7]$", "", text.strip().lower()), f"--scale {text}", "4"
    )


def parse_scale_or_auto(text: str) -> float | Literal["auto"]:
    """Return the scale that a text names, or `auto`.

    Raises:
        UsageError: the text is neither.
    """
    if text.strip().lower() == "auto":
        return "auto"
    try:
        return parse_scale(text)
    except UsageError as error:
        raise UsageError(f"{error}, or auto") from None


def parse_percent(text: str) -> float:
    """Return the percentage that a text such as `50` or `50%` names.

    Raises:
        UsageError: the text is not a number.
    """
    return _number(text.strip().removesuffix("%"), f"--percent {text}", "50")


def _number(text: str, given: str, example: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{given}: expected a number such as {example}") from None
