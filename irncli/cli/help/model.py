"""Content of help and manual pages, derived from the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from irncli.cli.help.groups import MESSAGES, ORDER, OTHERS
from irncli.errors import ExitStatus

__all__ = ["STATUSES", "Group", "Page", "Row", "common_statuses", "describe", "walk"]

STATUSES = {
    ExitStatus.OK: "success",
    ExitStatus.SOME_FAILED: "some of several inputs failed",
    ExitStatus.USAGE: "the options are invalid or contradict each other",
    ExitStatus.DATA: "the input is not an image, is damaged, or lacks a tag",
    ExitStatus.NO_INPUT: "there is no such input",
    ExitStatus.UNAVAILABLE: "there is no such model or device here",
    ExitStatus.CANNOT_CREATE: "the output exists or cannot be created",
    ExitStatus.IO: "reading or writing failed",
    ExitStatus.NO_MEMORY: "not enough memory even for the smallest tile",
    ExitStatus.INTERRUPTED: "interrupted by Ctrl-C",
    ExitStatus.TERMINATED: "terminated",
}
"""Meaning of each exit status that is common to all commands."""

_BLOCK = re.compile(r"^(Examples|Exit status|Environment):\n", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """An option, an argument or a command, with its description."""

    term: str
    text: str


@dataclass(frozen=True)
class Group:
    """A titled group of rows, which are either commands, or options and arguments."""

    title: str
    rows: tuple[Row, ...]
    commands: bool = False


@dataclass(frozen=True)
class Page:
    """The help of one command.

    Attributes:
        name: full name of the command, such as `irn models list`.
        usage: arguments that follow the name on the command line.
        summary: summary of the command, one sentence.
        paragraphs: paragraphs that follow the summary.
        groups: groups of options and commands.
        examples: lines for a shell, including comments.
        statuses: exit statuses with a particular meaning for this command; for the program itself,
            the common exit statuses.
        environment: environment variables that only this command reads.
        panel: title of the group in which the parent lists this command.
    """

    name: str
    usage: str
    summary: str
    paragraphs: tuple[str, ...]
    groups: tuple[Group, ...]
    examples: str
    statuses: tuple[Row, ...]
    environment: tuple[Row, ...]
    panel: str


def describe(command: Any, ctx: Any) -> Page:
    """Return the page of a Typer command in a context."""
    text, *blocks = _BLOCK.split(inspect.cleandoc(command.help or ""))
    named = {
        name: inspect.cleandoc(body) for name, body in zip(blocks[::2], blocks[1::2], strict=True)
    }
    summary, *paragraphs = (" ".join(part.split()) for part in text.strip().split("\n\n"))
    return Page(
        name=ctx.command_path,
        usage=" ".join(_usage(command, ctx)),
        summary=summary,
        paragraphs=tuple(paragraphs),
        groups=(*_commands(command), *_parameters(command, ctx)),
        examples=named.get("Examples", ""),
        statuses=_rows(named.get("Exit status", "")) if ctx.parent else common_statuses(),
        environment=_rows(named.get("Environment", "")),
        panel=command.rich_help_panel or "Commands",
    )


def common_statuses() -> tuple[Row, ...]:
    """Return the exit statuses that are common to all commands."""
    return tuple(Row(str(int(status)), text) for status, text in STATUSES.items())


def walk(command: Any, ctx: Any) -> Iterator[Page]:
    """Yield the page of a command, and then those of all its subcommands that are not hidden."""
    yield describe(command, ctx)
    for name, child in _children(command):
        yield from walk(child, type(ctx)(child, parent=ctx, info_name=name))


def _children(command: Any) -> list[tuple[str, Any]]:
    commands: dict[str, Any] = getattr(command, "commands", {})
    return [(name, child) for name, child in commands.items() if not child.hidden]


def _usage(command: Any, ctx: Any) -> Iterator[str]:
    yield "[OPTIONS]"
    for parameter in command.get_params(ctx):
        if parameter.param_type_name == "argument" and not parameter.hidden:
            yield parameter.metavar if parameter.required else f"[{parameter.metavar}]"
    if hasattr(command, "commands"):
        yield "COMMAND ..."


def _rows(block: str) -> tuple[Row, ...]:
    """Parse a block of a docstring; each line has a term, two or more spaces, and a text."""
    pairs = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in block.splitlines())
    return tuple(Row(term, text) for term, text in pairs)


def _commands(command: Any) -> Iterator[Group]:
    pages = [
        (name, child, child.rich_help_panel or "Commands") for name, child in _children(command)
    ]
    for title, members in _grouped(pages):
        yield Group(
            title, tuple(Row(name, _summary(child)) for name, child in members), commands=True
        )


def _summary(command: Any) -> str:
    first: str = inspect.cleandoc(command.help or "").partition("\n\n")[0]
    return " ".join(first.split())


def _parameters(command: Any, ctx: Any) -> Iterator[Group]:
    help_option = command.get_help_option(ctx)
    shown = [each for each in command.get_params(ctx) if not each.hidden]
    panels = {id(each): each.rich_help_panel or OTHERS for each in shown}
    # --help joins the group of messages, if there is one.
    if help_option is not None and MESSAGES in panels.values():
        panels[id(help_option)] = MESSAGES
    for title, members in _grouped([(each, None, panels[id(each)]) for each in shown]):
        yield Group(title, tuple(Row(_term(each), _text(each)) for each, _ in members))


def _grouped(items: list[tuple[Any, Any, str]]) -> Iterator[tuple[str, list[tuple[Any, Any]]]]:
    """Yield items by group, first the groups of `ORDER`, then others in order of appearance."""
    order = {title: place for place, title in enumerate(ORDER)}
    for _, _, title in items:
        order.setdefault(title, len(order))
    placed = sorted(items, key=lambda item: order[item[2]])
    for title, members in groupby(placed, key=lambda item: item[2]):
        yield title, [(first, second) for first, second, _ in members]


def _term(parameter: Any) -> str:
    """Return a parameter as it is typed: `-o, --output FILE`; long names are aligned."""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar)
    names = sorted([*parameter.opts], key=lambda name: len(name) - len(name.lstrip("-")))
    term = ", ".join(names) if names[0][1] != "-" else f"    {', '.join(names)}"
    term += "".join(f"/{name}" for name in parameter.secondary_opts)
    return term if parameter.is_flag or parameter.count else f"{term} {_value(parameter)}"


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    choices = parameter.type_descriptor.choices
    return "|".join(map(str, choices)) if choices else parameter.name.upper()


def _text(parameter: Any) -> str:
    """Return the description of a parameter, with its range and its default value."""
    remarks = [*_range(parameter), *_default(parameter)]
    text = parameter.help or ""
    return f"{text} [{'; '.join(remarks)}]".strip() if remarks else text


def _range(parameter: Any) -> Iterator[str]:
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if getattr(parameter, "count", False):
        return
    if least is not None and most is not None:
        yield f"{least:g} to {most:g}"
    elif least is not None:
        yield f"at least {least:g}"


def _default(parameter: Any) -> Iterator[str]:
    default = parameter.default
    if default is None or default is False or not parameter.show_default or default == []:
        return
    if getattr(parameter, "is_bool_flag", False):
        if parameter.secondary_opts:
            yield f"default: {parameter.opts[0]}"
        return
    yield f"default: {default}"
