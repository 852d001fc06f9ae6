"""Options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from irncli.batch.settings import Settings
from irncli.cli.help import candidates, groups

_INPUTS = typer.Argument(
    metavar="INPUT...",
    help="Images, or directories of images; - is standard input.",
    readable=False,  # not checked here, since one unreadable file must not stop the others
    rich_help_panel=groups.FILES,
)
Inputs = Annotated[list[Path], _INPUTS]
BatchInputs = Annotated[list[Path] | None, _INPUTS]
"""Inputs that are optional because `--files-from` can name them instead."""
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Output file, or a template such as 'out/{stem}_x{scale}{ext}'; - is standard output.",
        rich_help_panel=groups.FILES,
        readable=False,
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help="Directory for the outputs.",
        rich_help_panel=groups.FILES,
        readable=False,
    ),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        help="Read more input names from FILE, one per line or NUL-terminated; - for standard "
        "input.",
        readable=False,
        rich_help_panel=groups.FILES,
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive",
        "-r",
        help="Descend into subdirectories; --output-dir mirrors them.",
        rich_help_panel=groups.FILES,
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Skip outputs that were made before from the same file with the same options.",
        rich_help_panel=groups.FILES,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        "-n",
        help="Report names, sizes, tiles, memory and time without writing anything.",
        rich_help_panel=groups.FILES,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace existing outputs.", rich_help_panel=groups.FILES),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="M",
        help="Name or path of a model.",
        rich_help_panel=groups.RESULT,
        autocompletion=candidates.models,
    ),
]
FileFormat = Annotated[
    Literal["png", "jpeg"] | None,
    typer.Option(
        "--format",
        help="Output format. The default is that of the file name suffix, or PNG.",
        rich_help_panel=groups.FILES,
    ),
]
AnyFormat = Annotated[
    Literal["png", "jpeg", "webp", "avif", "jxl"] | None,
    typer.Option(
        "--format",
        help="Output format. The default is that of the file name suffix, or PNG.",
        rich_help_panel=groups.FILES,
    ),
]
Quality = Annotated[
    int,
    typer.Option(
        "--quality",
        metavar="Q",
        min=1,
        max=100,
        help="Quality of lossy output formats.",
        rich_help_panel=groups.FILES,
    ),
]
TileSide = Annotated[
    str,
    typer.Option(
        "--tile",
        metavar="N",
        help="Side of a tile in HR pixels: at least 64, 0 for no tiles, or auto.",
        rich_help_panel=groups.MACHINE,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="D",
        help="Device: auto, cpu, cuda, cuda:N or mps.",
        autocompletion=candidates.devices,
        rich_help_panel=groups.MACHINE,
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="D",
        help="Device: auto, cpu, cuda, cuda:N or mps. A batch can use several: cuda:0,cuda:1.",
        autocompletion=candidates.devices,
        rich_help_panel=groups.MACHINE,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Distribute the files over a Ray cluster: auto (the one running here) or HOST:PORT.",
        rich_help_panel=groups.MACHINE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="Number of CPU threads.",
        rich_help_panel=groups.MACHINE,
    ),
]
PrecisionName = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    typer.Option(
        "--precision",
        help="Floating-point precision of the network.",
        rich_help_panel=groups.MACHINE,
    ),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        help="Refuse images with more pixels than this.",
        rich_help_panel=groups.MACHINE,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Random seed. By default one is chosen at random and reported.",
        rich_help_panel=groups.RESULT,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        "--temperature",
        metavar="T",
        min=0.0,
        max=100.0,
        help="Width of the random latent z; 0 uses z = 0.",
        rich_help_panel=groups.RESULT,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse files that have no tag or were changed since irn wrote them.",
        rich_help_panel=groups.RESULT,
    ),
]
Refine = Annotated[
    int,
    typer.Option(
        "--refine",
        metavar="N",
        min=0,
        max=1000,
        help="Optimise the small image for restoration in N steps; 10 gives most of the gain.",
        rich_help_panel=groups.RESULT,
    ),
]
Guard = Annotated[
    Literal["on", "off"],
    typer.Option(
        "--guard",
        help="Repair or replace parts of the small image that are poor thumbnails or would be "
        "restored worse than by interpolation; off: keep what the network makes.",
        rich_help_panel=groups.RESULT,
    ),
]
Strip = Annotated[
    bool,
    typer.Option(
        "--strip",
        help="Leave out EXIF (except the orientation), XMP, DPI and text.",
        rich_help_panel=groups.FILES,
    ),
]
PreserveTimes = Annotated[
    bool,
    typer.Option(
        "--preserve-times",
        help="Give each output the times of its input.",
        rich_help_panel=groups.FILES,
    ),
]
Bits = Annotated[
    Literal["8", "16"],
    typer.Option(
        "--bits",
        help="Bits per channel of the small image; 16 requires PNG.",
        rich_help_panel=groups.FILES,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON record per file to standard output.",
        rich_help_panel=groups.MESSAGES,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=groups.MESSAGES)
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print a line for each file.",
        rich_help_panel=groups.MESSAGES,
    ),
]
Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show tracebacks of errors.", rich_help_panel=groups.MESSAGES),
]

_SHARED: dict[str, Any] = {
    "inputs": BatchInputs,
    "files_from": FilesFrom,
    "recursive": Recursive,
    "output": Output,
    "output_dir": OutputDir,
    "image_format": FileFormat,
    "quality": Quality,
    "tile": TileSide,
    "device": Devices,
    "ray": Ray,
    "precision": PrecisionName,
    "max_pixels": MaxPixels,
    "overwrite": Overwrite,
    "skip_existing": SkipExisting,
    "dry_run": DryRun,
    "strip": Strip,
    "preserve_times": PreserveTimes,
    "json": Json,
    "quiet": Quiet,
    "verbose": Verbose,
    "debug": Debug,
}
"""The option of each field of `Settings`."""
_LEADING = ("inputs", "files_from", "recursive", "output", "output_dir")
"""Shared options that come before those of the command."""


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

    return _with_signature(command, parameters)


def _with_signature(
    command: Callable[..., int], parameters: Sequence[Parameter]
) -> Callable[..., int]:
    del command.__wrapped__  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return command


def batch_command(
    *, formats: Any = FileFormat, without: Collection[str] = ()
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator that gives a command the options shared by all batches.

    The decorated function takes `Settings` and its own options. Typer sees one signature with all
    options.

    Args:
        formats: annotation of the option `--format` of the command.
        without: names of the fields of `Settings` that the command sets itself.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        _, *own = signature(function, eval_str=True).parameters.values()
        shared = {
            each.name: Parameter(
                each.name,
                Parameter.POSITIONAL_OR_KEYWORD,
                default=each.default,
                annotation=formats if each.name == "image_format" else _SHARED[each.name],
            )
            for each in fields(Settings)
            if each.name not in without
        }
        leading = [shared[name] for name in _LEADING]
        others = [each for name, each in shared.items() if name not in _LEADING]
        parameters = [*leading, *own, *others]

        @wraps(function)
        def command(**values: Any) -> int:
            settings = Settings(**{name: values.pop(name) for name in shared})
            return function(settings, **values)

        return _with_signature(command, parameters)

    return decorate
