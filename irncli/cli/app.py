"""The Typer application. Commands import what they need when they run: help starts at once."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from irncli import __version__
from irncli.cli import (
    colorize,
    compare,
    compress,
    decolor,
    demo,
    downscale,
    evaluate,
    info,
    models,
    train,
    upscale,
)
from irncli.errors import ExitStatus, IrnError

__all__ = ["app", "run"]


class _PassThrough(Exception):  # noqa: N818 -- no error: a wrapper
    """An end that Typer would handle its own way, on its way to `run`."""

    def __init__(self, inner: BaseException) -> None:
        super().__init__()
        self.inner = inner


class _Commands(TyperGroup):
    """Ctrl-C and closed pipes reach `run`, where they get our message and status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise _PassThrough(error) from error


app = typer.Typer(
    name="irn",
    help="Make a picture small and get it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    cls=_Commands,
    add_completion=True,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"irn {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Make a picture small and get it back."""


app.command("downscale")(downscale.downscale)
app.command("upscale")(upscale.upscale)
app.command("decolor")(decolor.decolor)
app.command("colorize")(colorize.colorize)
app.command("compress")(compress.compress)
app.command("compare")(compare.compare)
app.command("info")(info.info)
app.add_typer(models.app, name="models")
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("demo")(demo.demo)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; whatever goes wrong ends here."""
    try:
        return _run(None if arguments is None else list(arguments))
    except KeyboardInterrupt:
        _complain("interrupted; nothing half written is left")
        return int(ExitStatus.INTERRUPTED)
    except BrokenPipeError:
        # The reader is gone: that is its right. Keep the interpreter from flushing into it.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitStatus.OK)
    except IrnError as error:
        _complain(str(error))
        return int(error.status)
    except MemoryError:
        _complain("not enough memory: close other programs or use a machine with more")
        return int(ExitStatus.NO_MEMORY)
    except OSError as error:
        _complain(f"{error.strerror or error}")
        return int(ExitStatus.IO)


def _run(arguments: list[str] | None) -> int:
    try:
        return int(app(args=arguments, standalone_mode=False) or 0)
    except _PassThrough as wrapper:
        raise wrapper.inner from None
    except Exception as error:
        # Typer's own: what it found wrong with the arguments.
        if not hasattr(error, "exit_code"):
            raise
        if hasattr(error, "show"):
            error.show()
        return int(error.exit_code)


def _complain(message: str) -> None:
    print(f"irn: {message}", file=sys.stderr)  # noqa: T201
