"""Manual pages, made from the same definitions as `--help`.

    python -m irncli.cli.help.manual man

writes the page of every command into a directory, and deletes the pages of commands that no longer
exist.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer

from irncli import __version__
from irncli.cli.help.model import Page, Row, common_statuses, walk

__all__ = ["main", "pages", "roff"]

SECTION = "1"
LINE = 72
"""Number of characters per line of prose in the source; roff fills the lines again."""

ENVIRONMENT = (
    Row("XDG_DATA_HOME", "where the data of users lie on Linux, instead of ~/.local/share"),
    Row("CUDA_VISIBLE_DEVICES", "which NVIDIA GPUs there are for irn"),
    Row("OMP_NUM_THREADS", "number of threads on the CPU, unless --threads is given"),
    Row("OMP_WAIT_POLICY", "what idle threads do; irn sets PASSIVE (sleep) unless it is set"),
    Row("NO_COLOR", "if it is set, progress has no colours"),
    Row("COLUMNS", "width of help and progress, instead of that of the terminal"),
)
"""Environment variables that affect every command, directly or through torch, rich and
platformdirs."""

FILES = (
    Row("~/.local/share/irn/models/", "imported models on Linux; 'irn doctor' says where they are"),
)


def pages() -> list[Page]:
    """Return the pages of irn and of all its commands."""
    from irncli.cli.app import NAME, program

    root = typer.main.get_command(program())
    return list(walk(root, typer.Context(root, info_name=NAME, **root.context_settings)))


def file_name(page: Page) -> str:
    """Return the file name of a page, such as `irn-models-list.1`."""
    return f"{_dashed(page)}.{SECTION}"


def roff(page: Page, others: Sequence[Page]) -> str:
    """Return the manual page of a command as roff.

    Args:
        page: page of the command.
        others: pages of all commands, for references to related ones.
    """
    lines = [
        f'.TH {_escape(_dashed(page).upper())} {SECTION} "" "irn {_escape(__version__)}" "irn"',
        ".SH NAME",
        f"{_escape(_dashed(page))} \\- {_escape(_uncapitalised(page.summary))}",
        ".SH SYNOPSIS",
        f".B {_escape(page.name)}",
        _escape(page.usage),
        ".SH DESCRIPTION",
        *_paragraphs((page.summary, *page.paragraphs)),
        *_groups(page),
        *_examples(page.examples),
        *_definitions("EXIT STATUS", _statuses(page)),
        *_definitions("ENVIRONMENT", (*page.environment, *ENVIRONMENT)),
        *_definitions("FILES", FILES),
        ".SH SEE ALSO",
        *_references(page, others),
    ]
    return "\n".join(lines) + "\n"


def _dashed(page: Page) -> str:
    return page.name.replace(" ", "-")


def _uncapitalised(summary: str) -> str:
    return (summary[0].lower() + summary[1:]).removesuffix(".")


def _escape(text: str) -> str:
    """Escape text for roff, so that nothing is taken for a request and commands can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    for character, name in (("'", "aq"), ("`", "ga"), ("^", "ha"), ("~", "ti"), ('"', "dq")):
        text = text.replace(character, f"\\({name}")
    return re.sub(r"^\.", r"\\&.", text)


def _prose(text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, LINE, break_on_hyphens=False, break_long_words=False)
    yield from map(_escape, lines)


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number:
            yield ".PP"
        yield from _prose(text)


def _groups(page: Page) -> Iterator[str]:
    """Yield the commands, and then all options under one heading."""
    for group in page.groups:
        if group.commands:
            yield from _definitions(group.title.upper(), group.rows)
    yield ".SH OPTIONS"
    options = [group for group in page.groups if not group.commands]
    for group in options:
        if len(options) > 1:
            yield f".SS {_escape(group.title)}"
        yield from _rows(group.rows)


def _definitions(title: str, rows: Sequence[Row]) -> Iterator[str]:
    yield f".SH {_escape(title)}"
    yield from _rows(rows)


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield ".TP"
        yield _term(row.term.strip())
        yield from _prose(row.text)


def _term(term: str) -> str:
    """Set literal words in bold, and placeholders, which have capital letters, in italics."""
    return re.sub(r"\S+?(?=,?(?:\s|$))", lambda found: _styled(found[0]), term)


def _styled(word: str) -> str:
    literal = word.startswith("-") or word == word.lower()
    return f"\\f{'B' if literal else 'I'}{_escape(word)}\\fR"


def _examples(examples: str) -> Iterator[str]:
    if not examples:
        return
    yield ".SH EXAMPLES"
    yield ".EX"
    yield from (_escape(line) for line in examples.splitlines())
    yield ".EE"


def _statuses(page: Page) -> list[Row]:
    """Return all exit statuses in order; meanings for this command replace the common ones."""
    own = {_first(row): row for row in page.statuses}
    told = {number for row in page.statuses for number in row.term.split(", ")}
    common = {_first(row): row for row in common_statuses() if row.term not in told}
    return [row for _, row in sorted({**common, **own}.items())]


def _first(row: Row) -> int:
    return int(row.term.partition(",")[0])


def _references(page: Page, others: Sequence[Page]) -> Iterator[str]:
    """Yield references to parent and child pages, and to pages of the same group."""
    near = [other for other in others if other is not page and _near(page.name, other.name)]
    beside = [
        other
        for other in others
        if _parent(other) == _parent(page) and other.panel == page.panel and other is not page
    ]
    names = dict.fromkeys(_dashed(other) for other in (*near, *beside))
    *most, last = (f".BR {_escape(name)} ({SECTION})" for name in names)
    yield from (f"{line} ," for line in most)
    yield last


def _parent(page: Page) -> str:
    return page.name.rpartition(" ")[0]


def _near(name: str, other: str) -> bool:
    return name.startswith(f"{other} ") or other.startswith(f"{name} ")


def main(folder: Path) -> None:
    """Write all pages into a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = pages()
    for page in everything:
        (folder / file_name(page)).write_text(roff(page, everything), encoding="utf-8")
    current = {file_name(page) for page in everything}
    for path in folder.glob(f"irn*.{SECTION}"):
        if path.name not in current:
            path.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m irncli.cli.help.manual DIRECTORY")
    main(Path(sys.argv[1]))
