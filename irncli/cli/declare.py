"""Declarations of options and commands, one way for all commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, Signature
from typing import Any

import typer

__all__ = ["argument", "option", "settings_command", "with_signature"]


def option(group: str, usage: str, text: str, **details: Any) -> Any:
    """Declare an option; see `typer.Option`.

    Typer does not check that paths can be read: an unreadable file must not stop the others, and
    has a message of its own.

    Args:
        group: group in which help lists the option.
        usage: names of the option, and the name of its value if it takes one: "--output -o FILE".
        text: help text.
        details: more arguments for typer.Option, such as the range.
    """
    words = usage.split()
    names = [word for word in words if word.startswith("-")]
    details |= {"help": text, "rich_help_panel": group, "readable": False}
    return typer.Option(*names, metavar=" ".join(words[len(names) :]) or None, **details)


def argument(group: str, metavar: str, text: str, **details: Any) -> Any:
    """Declare a positional argument; see `option` and `typer.Argument`."""
    details |= {"help": text, "rich_help_panel": group, "readable": False}
    return typer.Argument(metavar=metavar, **details)


def settings_command(function: Callable[[Any], int]) -> Callable[..., int]:
    """Give a command the options that the dataclass of its settings declares.

    The function takes an instance of that dataclass, whose fields are annotated with their options.
    Typer sees a signature with one parameter per field. Annotations are taken as objects, since
    evaluating strings takes time at every start: such modules do not postpone annotations.
    """
    settings = function.__annotations__["settings"]
    parameters = [
        Parameter(
            each.name,
            Parameter.POSITIONAL_OR_KEYWORD,
            default=Parameter.empty if each.default is MISSING else each.default,
            annotation=each.type,
        )
        for each in fields(settings)
    ]

    @wraps(function)
    def command(**values: Any) -> int:
        return function(settings(**values))

    return with_signature(command, parameters)


def with_signature(
    command: Callable[..., int], parameters: Sequence[Parameter]
) -> Callable[..., int]:
    """Give a function the signature that Typer reads."""
    del command.__wrapped__  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command
