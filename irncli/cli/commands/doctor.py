"""`irn doctor`: check the installation."""

from __future__ import annotations

import os
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from irncli.cli.declare import option
from irncli.cli.help.groups import MESSAGES
from irncli.errors import ExitStatus

if TYPE_CHECKING:
    from irncli.cli.checks import Finding

__all__ = ["doctor"]

WIDTH = 80


def doctor(
    json: Annotated[
        bool, option(MESSAGES, "--json", "Print all checks as one JSON record to standard output.")
    ] = False,
) -> int:
    """Check that irn works here: packages, devices, models and a test run.

    Each line begins with ok, with warn for a possible problem, or with fail for something broken.

    Examples:
      irn doctor
      irn doctor --json

    Exit status:
      1  something is broken: see the lines that begin with fail
    """
    # `Console` is not used, since it needs Pillow, which may be broken.
    from json import dumps

    from irncli.cli.checks import examine

    findings = []
    with _Waiting() as waiting:
        for finding in examine(waiting.show):
            findings.append(finding)
            if not json:
                waiting.clear()
                typer.echo(_shown(finding))
    broken = any(finding.verdict == "fail" for finding in findings)
    if json:
        typer.echo(dumps({"healthy": not broken, "checks": [asdict(each) for each in findings]}))
    return int(ExitStatus.SOME_FAILED if broken else ExitStatus.OK)


class _Waiting:
    """A line on standard error that says which check is running, shown on terminals only.

    rich is not used, since it may be broken.
    """

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> _Waiting:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Replace the line."""
        self._write(f"\r{text} ...\x1b[K")

    def clear(self) -> None:
        """Remove the line."""
        self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        if self._shown:
            typer.echo(text, nl=False, err=True, color=True)


def _shown(finding: Finding) -> str:
    head = f"{finding.verdict:<5} {finding.check:<10} "
    return textwrap.fill(
        finding.text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head),
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
