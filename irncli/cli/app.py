"""The Typer application. Commands import what they need when they run, so that help is fast."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from irncli import __version__
from irncli.batch.messages import TOO_LITTLE_MEMORY, shown
from irncli.cli.help.groups import LOOKING, MODELS, PICTURES, PROGRAM
from irncli.cli.help.program import Commands, Program
from irncli.errors import ExitStatus, IrnError, Terminated, UsageError

__all__ = ["COMMANDS", "NAME", "program", "run"]


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
BATCHES = ("downscale", "upscale", "decolor", "colorize", "compress")
"""Commands that convert many files, and have --output-dir."""
COMPLETE = "_IRN_COMPLETE"
"""Environment variable that is set when a shell asks for completions."""


class Listed(NamedTuple):
    """A command in the list of commands.

    Attributes:
        name: name of the command.
        place: module in `irncli.cli.commands`, and the name of the command in that module.
        panel: group in which help lists the command.
        summary: first line of its help.
    """

    name: str
    place: str
    panel: str
    summary: str

    def load(self) -> Any:
        """Import the command: a function, or a Typer application for a group of commands."""
        module, name = self.place.split(".")
        return getattr(import_module(f"irncli.cli.commands.{module}"), name)

    def represent(self) -> Callable[[], None]:
        """Return a function that only serves for the list of commands."""

        def nothing() -> None:
            """Represent a command that is not going to run."""

        nothing.__doc__ = self.summary
        return nothing


COMMANDS = (
    Listed(
        "downscale", "downscale.downscale", PICTURES,
        "Make images small so that 'irn upscale' can restore them.",
    ),
    Listed(
        "upscale", "upscale.upscale", PICTURES,
        "Restore images that 'irn downscale' made small.",
    ),
    Listed(
        "decolor", "decolor.decolor", PICTURES,
        "Make images gray so that 'irn colorize' can restore their colours.",
    ),
    Listed(
        "colorize", "colorize.colorize", PICTURES,
        "Restore the colours of images that 'irn decolor' made gray.",
    ),
    Listed(
        "compress", "compress.compress", PICTURES,
        "Make images small and encode them; 'irn upscale' restores them.",
    ),
    Listed(
        "compare", "compare.compare", LOOKING,
        "Compare two images, in numbers or side by side.",
    ),
    Listed(
        "info", "info.info", LOOKING,
        "Show the tag of small images, and whether they can be restored here.",
    ),
    Listed(
        "train", "train.train", MODELS,
        "Train a model, or continue a run with --resume.",
    ),
    Listed(
        "models", "models.app", MODELS,
        "List, describe, verify, import, rename and remove models.",
    ),
    Listed(
        "export", "export.export", MODELS,
        "Write a model as ONNX files, which run without irn and torch.",
    ),
    Listed(
        "page", "page.page", MODELS,
        "Write a web page that restores small images in a browser.",
    ),
    Listed(
        "eval", "evaluate.evaluate", LOOKING,
        "Measure models and filters on directories of images: PSNR, SSIM, LR, bits, time.",
    ),
    Listed(
        "demo", "demo.demo", LOOKING,
        "Downscale a bundled photograph by 4, restore it, and compare it with bicubic.",
    ),
    Listed(
        "doctor", "doctor.doctor", PROGRAM,
        "Check that irn works here: packages, devices, models and a test run.",
    ),
    Listed(
        "completion", "completion.completion", PROGRAM,
        "Print a shell script that completes commands, options and models.",
    ),
)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"irn {__version__}")
        raise typer.Exit


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


def program(words: Collection[str] | None = None) -> Program:
    """Return the application.

    Importing the commands and reading their parameters takes time at every start, and the list of
    commands needs only their names and summaries.

    Args:
        words: words of the command line; commands that are not among them are only listed. None:
            all commands are complete.
    """
    made = Program(name=NAME, cls=_Commands)
    made.callback()(_root)
    for listed in COMMANDS:
        wanted = words is None or listed.name in words
        command = listed.load() if wanted else listed.represent()
        if isinstance(command, Program):
            made.add_typer(command, name=listed.name, rich_help_panel=listed.panel)
        else:
            made.command(listed.name, rich_help_panel=listed.panel)(command)
    return made


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
        made = program([*(sys.argv[1:] if words is None else words), *shell.split()])
        return int(made(args=words, prog_name=NAME, standalone_mode=False) or 0)
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
    said = _with_nearest(error) or str(error.format_message())
    said = said.rstrip(".").replace("Value error, ", "")
    if error.__cause__ is not None and hasattr(error.__cause__, "errors"):
        got = error.__cause__.errors()[0]["input"]
        said = said.replace("Input should be", f"{got} should be")
    command = error.ctx.command_path if error.ctx else NAME
    return f"{said}; see '{command} --help'"


def _with_nearest(error: Any) -> str | None:
    """Return the message for an unknown option or command, which names a similar one, if any."""
    from irncli.wording import did_you_mean

    if error.ctx is None:
        return None
    if hasattr(error, "option_name") and type(error).__name__ == "NoSuchOption":
        parameters = error.ctx.command.get_params(error.ctx)
        names = [name for each in parameters for name in (*each.opts, *each.secondary_opts)]
        known = [name for name in names if name.startswith("--")]
        return f"No such option: {error.option_name}{did_you_mean(error.option_name, known)}"
    found = re.match(r"No such command '(.*?)'\.", error.message)
    if found is None:
        return None
    return f"No such command {found[1]!r}{did_you_mean(found[1], error.ctx.command.commands)}"


def _unmistakable(arguments: list[str] | None) -> list[str] | None:
    """Keep the meaning of names that Path would change: an empty one, `./-`, and `-o DIR/`."""
    words = sys.argv[1:] if arguments is None else arguments
    if "" in words:
        raise UsageError(
            f"argument {words.index('') + 1} is empty: expected a name or a value (is a shell "
            "variable unset?)"
        )
    made = [str(Path.cwd() / "-") if word == "./-" else word for word in words]
    if words and words[0] in BATCHES:
        made = _with_output_directory(made)
    return arguments if made == words else made


def _with_output_directory(words: list[str]) -> list[str]:
    """Replace `-o DIR/` by `--output-dir DIR/`.

    Raises:
        UsageError: the name is a template, or there is another option for the output.
    """
    made: list[str] = []
    directory, others = "", 0
    rest = iter(words)
    for word in rest:
        # Other flags may precede -o in the same word, and the value may be part of the word.
        found = re.fullmatch(r"(-[hnqrv]*)o(.*)|--output(?:=(.*))?", word, re.DOTALL)
        others += word.partition("=")[0] == "--output-dir"
        made.append(word)
        if word == "--":
            break
        if found is None:
            continue
        joined = found[2] or found[3]
        value = joined or next(rest, "")
        if value.endswith(("/", os.sep)):
            directory, flags = value, found[1] or "-"
            made[-1:] = [*([flags] if flags != "-" else []), "--output-dir", value]
        else:
            made += [] if joined or not value else [value]
            others += 1
    if directory and others:
        raise UsageError("-o and --output-dir exclude each other: give one")
    if "{" in directory or "}" in directory:
        raise UsageError(
            f"-o {directory}: a template names files: add a name, such as {{stem}}{{ext}}"
        )
    return [*made, *rest]


def _get_ready_for_shells() -> None:
    from irncli.cli.help.shells import get_ready

    get_ready()


def _drop_output() -> None:
    """Prevent the interpreter from flushing data that could not be written when it exits."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str) -> None:
    print(f"irn: {shown(message)}", file=sys.stderr)  # noqa: T201
