"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from irncli.cli.help import candidates, groups

_INPUTS = typer.Argument(
    metavar="INPUT...",
    help="Pictures or directories of pictures; - is standard input.",
    readable=False,  # not checked here: one such file must not stop the others
    rich_help_panel=groups.FILES,
)
Inputs = Annotated[list[Path], _INPUTS]
BatchInputs = Annotated[list[Path] | None, _INPUTS]
"""Where --files-from may name them instead."""
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Output; - is standard output. Or a template, such as 'out/{stem}_x{scale}{ext}'.",
        rich_help_panel=groups.FILES,
        readable=False,
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help="Directory of the outputs.",
        rich_help_panel=groups.FILES,
        readable=False,
    ),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        help="Also the inputs named in it, one a line or with NUL after each; - is standard input.",
        readable=False,
        rich_help_panel=groups.FILES,
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive",
        "-r",
        help="Also directories below those named; --output-dir mirrors them.",
        rich_help_panel=groups.FILES,
    ),
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out what was done before, of the same file with the same options.",
        rich_help_panel=groups.FILES,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        "-n",
        help="Say names, sizes, tiles, memory and time, and write nothing.",
        rich_help_panel=groups.FILES,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace outputs that exist.", rich_help_panel=groups.FILES),
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
        help="Output format; else by the suffix, else PNG.",
        rich_help_panel=groups.FILES,
    ),
]
AnyFormat = Annotated[
    Literal["png", "jpeg", "webp", "avif", "jxl"] | None,
    typer.Option(
        "--format",
        help="Output format; else by the suffix, else PNG.",
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
        help="Of all but PNG.",
        rich_help_panel=groups.FILES,
    ),
]
TileSide = Annotated[
    str,
    typer.Option(
        "--tile",
        metavar="N",
        help="Side of a tile in HR pixels: 64 or more, 0 for none, or auto.",
        rich_help_panel=groups.MACHINE,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="D",
        help="auto, cpu, cuda, cuda:N or mps.",
        autocompletion=candidates.devices,
        rich_help_panel=groups.MACHINE,
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="D",
        help="auto, cpu, cuda, cuda:N or mps; for a batch several, such as cuda:0,cuda:1.",
        autocompletion=candidates.devices,
        rich_help_panel=groups.MACHINE,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Spread the files over a Ray cluster: auto (the one that runs here) or HOST:PORT.",
        rich_help_panel=groups.MACHINE,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", min=1, help="CPU threads.", rich_help_panel=groups.MACHINE
    ),
]
PrecisionName = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    typer.Option("--precision", help="Inside the dense blocks.", rich_help_panel=groups.MACHINE),
]
MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        help="Refuse pictures of more pixels than this.",
        rich_help_panel=groups.MACHINE,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help="Of z; else drawn and reported.",
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
        help="Width of z; 0: z = 0.",
        rich_help_panel=groups.RESULT,
    ),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse files without a tag or changed since.",
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
        help="Steps that better the small picture for its restoring; 10 do most.",
        rich_help_panel=groups.RESULT,
    ),
]
Guard = Annotated[
    Literal["on", "off"],
    typer.Option(
        "--guard",
        help="Check that the small image is a good thumbnail and is restored no worse than "
        "without a network; off: whatever the network makes.",
        rich_help_panel=groups.RESULT,
    ),
]
Strip = Annotated[
    bool,
    typer.Option(
        "--strip",
        help="Leave out EXIF (but orientation), XMP, DPI and text.",
        rich_help_panel=groups.FILES,
    ),
]
PreserveTimes = Annotated[
    bool,
    typer.Option(
        "--preserve-times",
        help="Give outputs the times of their inputs.",
        rich_help_panel=groups.FILES,
    ),
]
Bits = Annotated[
    Literal["8", "16"],
    typer.Option(
        "--bits",
        help="A channel of the small picture; 16: PNG only.",
        rich_help_panel=groups.FILES,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="One JSON record a file on standard output.",
        rich_help_panel=groups.MESSAGES,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Only errors.", rich_help_panel=groups.MESSAGES)
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Also what is done, file by file.",
        rich_help_panel=groups.MESSAGES,
    ),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=groups.MESSAGES)
]
