"""The help of commands as plain text; importing rich would take half of the startup time."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from irncli.cli.help.model import Group, Page, Row, describe
from irncli.cli.values import convert_quickly

__all__ = ["Command", "Commands", "Program", "text_of"]

MARGIN = 2
MAX_TERM = 26
"""Largest number of characters of a term that shares its line with the text. A longer term is put
on a line by itself."""


def text_of(page: Page, width: int) -> str:
    """Return the help of a command, at most `width` characters wide."""
    parts = [_wrapped(f"Usage: {page.name} ", page.usage, width)]
    parts += ["\n".join(_paragraph(each, width)) for each in (page.summary, *page.paragraphs)]
    column = _column(page.groups)
    parts += [_section(group.title, _list(group.rows, column, width)) for group in page.groups]
    if page.environment:
        parts.append(
            _section("Environment", _list(page.environment, _longest(page.environment), width))
        )
    if page.statuses:
        parts.append(_section("Exit status", _list(page.statuses, _longest(page.statuses), width)))
    if page.examples:
        parts.append(
            _section("Examples", textwrap.indent(page.examples, " " * MARGIN).splitlines())
        )
    return "\n\n".join(parts) + "\n"


def _wrapped(head: str, text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=head, subsequent_indent=" " * len(head))


def _paragraph(text: str, width: int) -> list[str]:
    indent = " " * MARGIN
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *lines])


def _column(groups: Sequence[Group]) -> int:
    """Return the width of the terms, common to all groups so that their texts are aligned."""
    return _longest([row for group in groups for row in group.rows])


def _longest(rows: Sequence[Row]) -> int:
    return max((len(row.term) for row in rows if len(row.term) <= MAX_TERM), default=0)


def _list(rows: Sequence[Row], column: int, width: int) -> list[str]:
    return [line for row in rows for line in _row(row, column, width)]


def _row(row: Row, column: int, width: int) -> Iterator[str]:
    indent = " " * (MARGIN + column + 2)
    room = max(width - len(indent), 20)
    lines = textwrap.wrap(row.text, room, break_on_hyphens=False) or [""]
    if len(row.term) > column:
        yield f"{'':{MARGIN}}{row.term}"
    else:
        yield f"{'':{MARGIN}}{row.term:{column}}  {lines.pop(0)}".rstrip()
    yield from (indent + line for line in lines)


class _Grouped:
    """A mixin for Typer commands that prints options in groups; Typer calls these methods.

    Its commands also convert plain values quickly.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(text_of(describe(self, ctx), formatter.width))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the usage that is printed with an error."""
        return [describe(self, ctx).usage]

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, with --help."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            convert_quickly(parameter)
        return parameters


class Command(_Grouped, TyperCommand):
    """A command whose help lists options in groups."""


class Commands(_Grouped, TyperGroup):
    """A command with subcommands, whose help lists them in groups."""


class Program(typer.Typer):
    """A Typer application in which every command prints our help, also with `-h`."""

    def __init__(self, **settings: Any) -> None:
        ours = {
            "cls": Commands,
            "context_settings": {"help_option_names": ["--help", "-h"]},
            "no_args_is_help": True,
            "add_completion": False,
            "rich_markup_mode": None,
            "pretty_exceptions_enable": False,
        }
        super().__init__(**{**ours, **settings})

    def command(self, *arguments: Any, **settings: Any) -> Callable[..., Any]:
        """Register a command as Typer does, but with our help."""
        return super().command(*arguments, **{"cls": Command, **settings})
