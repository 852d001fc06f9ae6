"""Conversion of plain values on the command line, without pydantic.

Typer converts every value by pydantic, whose import takes a seventh of a second of processor time.
The usual values are words of a list, paths and plain numbers. They are converted here, with the
same result; Typer converts all others, and reports those that are wrong.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

__all__ = ["UNCERTAIN", "convert_quickly", "converted"]

UNCERTAIN: Any = object()
"""Result for a value that Typer has to convert."""

_NUMBERS = {int: r"-?\d{1,18}", float: r"-?\d{1,15}(\.\d{1,15})?"}


def convert_quickly(parameter: Any) -> None:
    """Let a parameter of Typer convert plain values by `converted`, from the first call on."""
    if "process_value" in vars(parameter):
        return
    usual = parameter.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        found = converted(parameter, value)
        if found is UNCERTAIN:
            return usual(ctx, value)
        callback = parameter.callback
        return found if callback is None else callback(ctx, parameter, found)

    parameter.process_value = process_value


def converted(parameter: Any, value: Any) -> Any:
    """Return what Typer would make of a value, or UNCERTAIN.

    Args:
        parameter: option or argument of Typer.
        value: its default, or what is on the command line: a string, or several.
    """
    described = getattr(parameter, "type_descriptor", None)  # other versions may have none
    if described is None:
        return UNCERTAIN
    annotation, details = described.annotation, described.parameter_info
    if details.parser is not None or details.clamp:
        return UNCERTAIN
    if get_origin(annotation) is list and isinstance(value, list | tuple) and value:
        (kind,) = get_args(annotation)
        made = [_one(kind, details, each) for each in value]
        return UNCERTAIN if any(each is UNCERTAIN for each in made) else made
    if value is None and not parameter.required and parameter.nargs == 1 and not parameter.multiple:
        return None
    return _one(annotation, details, value)


def _one(annotation: Any, details: Any, value: Any) -> Any:
    if annotation in _NUMBERS:
        return _number(annotation, details, value)
    if not isinstance(value, str):
        return UNCERTAIN
    if annotation is str:
        return value
    if get_origin(annotation) is Literal:
        return value if value in get_args(annotation) else UNCERTAIN
    return Path(value) if annotation is Path and _unchecked(details) else UNCERTAIN


def _number(kind: type[int | float], details: Any, value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(_NUMBERS[kind], value, re.ASCII):
        value = kind(value)
    within = type(value) is kind and (
        (details.min is None or value >= details.min)
        and (details.max is None or value <= details.max)
    )
    return value if within else UNCERTAIN


def _unchecked(details: Any) -> bool:
    """Tell whether Typer takes any path, as it does with `declare.option`."""
    checked = details.exists or details.readable or details.writable or details.resolve_path
    return details.file_okay and details.dir_okay and not checked and details.path_type is None
