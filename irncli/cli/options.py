"""Options that several commands share, each declared once."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Collection
from dataclasses import fields
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal

from irncli.batch.settings import BatchSettings
from irncli.cli.declare import argument, option, with_signature
from irncli.cli.help import candidates
from irncli.cli.help.groups import FILES, MACHINE, MESSAGES, RESULT

_INPUTS = argument(FILES, "INPUT...", "Images, or directories of images; - is standard input.")
Inputs = Annotated[list[Path], _INPUTS]
BatchInputs = Annotated[list[Path] | None, _INPUTS]
"""Inputs that are optional because `--files-from` can name them instead."""
Output = Annotated[
    Path | None,
    option(
        FILES,
        "--output -o FILE",
        "Output file, or a template such as 'out/{stem}{ext}'; - is standard output. A name that "
        "ends in / is a directory.",
    ),
]
OutputDir = Annotated[
    Path | None,
    option(
        FILES,
        "--output-dir DIR",
        "Directory for the outputs.",
        autocompletion=candidates.directories,
    ),
]
FilesFrom = Annotated[
    Path | None,
    option(
        FILES,
        "--files-from FILE",
        "Read more input names from FILE, one per line or NUL-terminated; - for standard input.",
    ),
]
Recursive = Annotated[
    bool, option(FILES, "--recursive -r", "Descend into subdirectories; --output-dir mirrors them.")
]
SkipExisting = Annotated[
    bool,
    option(
        FILES,
        "--skip-existing",
        "Skip outputs that were made before from the same file with the same options.",
    ),
]
DryRun = Annotated[
    bool,
    option(
        FILES,
        "--dry-run -n",
        "Report names, sizes, tiles, memory and time without writing anything.",
    ),
]
Overwrite = Annotated[bool, option(FILES, "--overwrite", "Replace existing outputs.")]


def _model(offered: Callable[[str], list[str]]) -> Any:
    return option(RESULT, "--model M", "Name or path of a model.", autocompletion=offered)


Model = Annotated[str | None, _model(candidates.rescaling_models)]
ColorModel = Annotated[str | None, _model(candidates.color_models)]
CodecModel = Annotated[str | None, _model(candidates.codec_models)]
FileFormat = Annotated[
    Literal["png", "jpeg", "webp"] | None,
    option(
        FILES, "--format", "Output format. The default is that of the file name suffix, or PNG."
    ),
]
AnyFormat = Annotated[
    Literal["png", "jpeg", "webp", "avif", "jxl", "tiff"] | None,
    option(
        FILES, "--format", "Output format. The default is that of the file name suffix, or PNG."
    ),
]
Quality = Annotated[
    int | None,
    option(FILES, "--quality Q", "Quality of a lossy output. The default is 95.", min=1, max=100),
]
TileSide = Annotated[
    str,
    option(
        MACHINE, "--tile N", "Side of a tile in HR pixels: at least 64, 0 for no tiles, or auto."
    ),
]
Device = Annotated[
    str,
    option(
        MACHINE,
        "--device D",
        "Device: auto, cpu, cuda, cuda:N or mps.",
        autocompletion=candidates.devices,
    ),
]
Devices = Annotated[
    str,
    option(
        MACHINE,
        "--device D",
        "Device: auto, cpu, cuda, cuda:N or mps. A batch can use several: cuda:0,cuda:1.",
        autocompletion=candidates.devices,
    ),
]
Ray = Annotated[
    str | None,
    option(
        MACHINE,
        "--ray ADDRESS",
        "Distribute the files over a Ray cluster: auto (the one running here), local (a new one on "
        "this machine) or HOST:PORT.",
    ),
]
Threads = Annotated[
    int | None,
    option(
        MACHINE, "--threads N", "Number of CPU threads. The default is one for each core.", min=1
    ),
]
PrecisionName = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    option(MACHINE, "--precision", "Floating-point precision of the network."),
]
MaxPixels = Annotated[
    int, option(MACHINE, "--max-pixels N", "Refuse images with more pixels than this.", min=1)
]
Seed = Annotated[
    int | None,
    option(
        RESULT, "--seed N", "Random seed. By default one is chosen at random and reported.", min=0
    ),
]
Temperature = Annotated[
    float | None,
    option(
        RESULT, "--temperature T", "Width of the random latent z; 0 uses z = 0.", min=0.0, max=100.0
    ),
]
Strict = Annotated[
    bool,
    option(
        RESULT, "--strict", "Refuse files that have no tag or were changed since irn wrote them."
    ),
]
Refine = Annotated[
    int,
    option(
        RESULT,
        "--refine N",
        "Optimise the output for restoration in N steps; 10 gives most of the gain.",
        min=0,
        max=1000,
    ),
]
Guard = Annotated[
    Literal["on", "off"],
    option(
        RESULT,
        "--guard",
        "Repair or replace parts of the small or gray image that differ too much from a plain one "
        "or would be restored worse than without the network; off: keep the network's output.",
    ),
]
Strip = Annotated[
    bool, option(FILES, "--strip", "Leave out EXIF (except the orientation), XMP, DPI and text.")
]
Frame = Annotated[
    int | None,
    option(
        FILES,
        "--frame N",
        "Take only frame N of an animation or of a file of several pages, counted from 0.",
        min=0,
    ),
]
Background = Annotated[
    str | None,
    option(
        RESULT,
        "--background COLOUR",
        "Put transparent images on a colour, such as white or #ffffff.",
    ),
]
PreserveTimes = Annotated[
    bool, option(FILES, "--preserve-times", "Give each output the times of its input.")
]
Bits = Annotated[
    Literal["8", "16"],
    option(FILES, "--bits", "Bits per channel of the output; 16 requires PNG."),
]
Json = Annotated[
    bool, option(MESSAGES, "--json", "Print one JSON record per file to standard output.")
]
Quiet = Annotated[bool, option(MESSAGES, "--quiet -q", "Print errors only.")]
Verbose = Annotated[
    bool,
    option(
        MESSAGES,
        "--verbose -v",
        "Print a line for each file even with --json or to a pipe, with the time it took.",
    ),
]
Debug = Annotated[bool, option(MESSAGES, "--debug", "Show tracebacks of errors.")]

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
    "threads": Threads,
    "ray": Ray,
    "precision": PrecisionName,
    "max_pixels": MaxPixels,
    "overwrite": Overwrite,
    "skip_existing": SkipExisting,
    "dry_run": DryRun,
    "frame": Frame,
    "background": Background,
    "strip": Strip,
    "preserve_times": PreserveTimes,
    "json": Json,
    "quiet": Quiet,
    "verbose": Verbose,
    "debug": Debug,
}
"""The option of each field of `BatchSettings`."""
_LEADING = ("inputs", "files_from", "recursive", "output", "output_dir")
"""Shared options that come before those of the command."""


def batch_command(
    *, formats: Any = FileFormat, without: Collection[str] = ()
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator that gives a command the options shared by all batches.

    The decorated function takes `BatchSettings` and its own options. Typer sees one signature with
    all options.

    Args:
        formats: annotation of the option `--format` of the command.
        without: names of the fields of `BatchSettings` that the command sets itself.
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
            for each in fields(BatchSettings)
            if each.name not in without
        }
        leading = [shared[name] for name in _LEADING]
        others = [each for name, each in shared.items() if name not in _LEADING]
        parameters = [*leading, *own, *others]

        @wraps(function)
        def command(**values: Any) -> int:
            settings = BatchSettings(**{name: values.pop(name) for name in shared})
            _import_batches()
            return function(settings, **values)

        return with_signature(command, parameters)

    return decorate


def _import_batches() -> None:
    """Import what runs batches, and torch with it, without collecting garbage meanwhile.

    Collections would take a sixth of a second of processor time and find nothing; what is imported
    stays, so later collections leave it out as well.
    """
    if "irncli.batch.run" in sys.modules:
        return
    gc.disable()
    try:
        import_module("irncli.batch.run")
    finally:
        gc.freeze()
        gc.enable()
