"""The Typer application. Commands import what they need when they run, so that help is fast."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.models import CommandInfo, TyperInfo

from irncli import __version__
from irncli.batch.messages import TOO_LITTLE_MEMORY, shown
from irncli.cli.commands import (
    colorize,
    compare,
    completion,
    compress,
    decolor,
    demo,
    doctor,
    downscale,
    evaluate,
    info,
    models,
    train,
    upscale,
)
from irncli.cli.help.groups import LOOKING, MODELS, PICTURES, PROGRAM
from irncli.cli.help.program import Command, Commands, Program
from irncli.errors import ExitStatus, IrnError, Terminated, UsageError

__all__ = ["app", "run"]


class _PassThrough(Exception):  # noqa: N818 -- not an error: a wrapper
    """A wrapper that carries an exception past Typer, which would handle it, to `run`."""

    def __init__(self, inner: BaseException) -> None:
        super().__init__()
        self.inner = inner


class _Commands(Commands):
    """Commands that pass Ctrl-C and closed pipes on to `run`, for our message and exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise _PassThrough(error) from error


NAME = "irn"
COMPLETE = "_IRN_COMPLETE"
"""Environment variable that is set when a shell asks for completions."""

app = Program(name=NAME, cls=_Commands)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"irn {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Make an image small and get it back.

    Examples:
      irn downscale photo.png --scale 4 -o small.png
      irn upscale small.png --seed 0 -o back.png
      irn COMMAND --help
    """


app.command("downscale", rich_help_panel=PICTURES)(downscale.downscale)
app.command("upscale", rich_help_panel=PICTURES)(upscale.upscale)
app.command("decolor", rich_help_panel=PICTURES)(decolor.decolor)
app.command("colorize", rich_help_panel=PICTURES)(colorize.colorize)
app.command("compress", rich_help_panel=PICTURES)(compress.compress)
app.command("compare", rich_help_panel=LOOKING)(compare.compare)
app.command("info", rich_help_panel=LOOKING)(info.info)
app.add_typer(models.app, name="models", rich_help_panel=MODELS)
app.command("train", rich_help_panel=MODELS)(train.train)
app.command("eval", rich_help_panel=LOOKING)(evaluate.evaluate)
app.command("demo", rich_help_panel=LOOKING)(demo.demo)
app.command("doctor", rich_help_panel=PROGRAM)(doctor.doctor)
app.command("completion", rich_help_panel=PROGRAM)(completion.completion)


def _light(words: Sequence[str]) -> Program:
    """Return the application with parameters only for the commands among the words.

    Reading the parameters of all commands would take Typer a third of the startup time of irn, and
    the list of commands only needs their names and summaries.
    """
    light = copy.copy(app)
    light.registered_commands = [
        info if info.name in words else _listed(info.name, info.callback.__doc__, info)
        for info in app.registered_commands
        if info.callback is not None
    ]
    light.registered_groups = [info for info in app.registered_groups if info.name in words]
    light.registered_commands += [
        _listed(info.name, info.typer_instance.info.help, info)
        for info in app.registered_groups
        if info.name not in words and info.typer_instance is not None
    ]
    return light


def _listed(name: str | None, text: str | None, info: CommandInfo | TyperInfo) -> CommandInfo:
    """Return a command that only serves for the list of commands."""

    def nothing() -> None:
        """Represent a command that is not going to run."""

    nothing.__doc__ = text
    return CommandInfo(
        name=name, callback=nothing, cls=Command, rich_help_panel=info.rich_help_panel
    )


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, handle all errors, and return the exit status."""
    if COMPLETE in os.environ:
        _get_ready_for_shells()
    # Warnings of Pillow about unusual metadata are meant for programmers.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        return _run(None if arguments is None else list(arguments))
    except Terminated:
        _complain("terminated; no incomplete file is left")
        return int(ExitStatus.TERMINATED)
    except KeyboardInterrupt:
        _complain("interrupted; no incomplete file is left")
        return int(ExitStatus.INTERRUPTED)
    except BrokenPipeError:
        _drop_output()  # the reader has closed the pipe, which is not an error
        return int(ExitStatus.OK)
    except IrnError as error:
        _complain(str(error))
        return int(error.status)
    except MemoryError:
        _complain(TOO_LITTLE_MEMORY)
        return int(ExitStatus.NO_MEMORY)
    except OSError as error:
        _drop_output()
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        _complain(f"{where}{error.strerror or error}")
        return int(ExitStatus.IO)


def _run(arguments: list[str] | None) -> int:
    try:
        words = _unmistakable(arguments)
        shell = os.environ.get("COMP_WORDS", "") + os.environ.get("_TYPER_COMPLETE_ARGS", "")
        light = _light([*(sys.argv[1:] if words is None else words), *shell.split()])
        return int(light(args=words, prog_name=NAME, standalone_mode=False) or 0)
    except _PassThrough as wrapper:
        raise wrapper.inner from None
    except Exception as error:
        # An error that Typer found in the arguments.
        if not hasattr(error, "exit_code"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
        elif hasattr(error, "format_message"):
            _complain(_mistake(error))
        return int(error.exit_code)


def _mistake(error: Any) -> str:
    """Return an error of Typer about the arguments as one line, with the value that was found."""
    said = str(error.format_message()).rstrip(".").replace("Value error, ", "")
    if error.__cause__ is not None and hasattr(error.__cause__, "errors"):
        got = error.__cause__.errors()[0]["input"]
        said = said.replace("Input should be", f"{got} should be")
    command = error.ctx.command_path if error.ctx else NAME
    return f"{said}; see '{command} --help'"


def _unmistakable(arguments: list[str] | None) -> list[str] | None:
    """Refuse empty arguments, which Path would read as `.`, and make `./-` distinct from `-`."""
    words = sys.argv[1:] if arguments is None else arguments
    if "" in words:
        raise UsageError(
            f"argument {words.index('') + 1} is empty: expected a name or a value (is a shell "
            "variable unset?)"
        )
    if "./-" not in words:
        return arguments
    return [str(Path.cwd() / "-") if word == "./-" else word for word in words]


def _get_ready_for_shells() -> None:
    from irncli.cli.help.shells import get_ready

    get_ready()


def _drop_output() -> None:
    """Prevent the interpreter from flushing data that could not be written when it exits."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    print(f"irn: {shown(message)}", file=sys.stderr)  # noqa: T201
