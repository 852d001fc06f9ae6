"""Options that only `irn eval` has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from irncli.cli.help import candidates
from irncli.cli.help.groups import FILES, MEASURED

__all__ = [
    "Baseline",
    "Chart",
    "CsvFile",
    "Data",
    "JsonFile",
    "Models",
    "Page",
    "Perceptual",
    "Qualities",
    "Remark",
    "Restorer",
    "Save",
    "Scale",
    "Seeds",
    "Source",
    "Task",
    "Temperature",
]

Data = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="DATA...",
        help="Directories, each of which is one set; single files form another.",
        rich_help_panel=MEASURED,
        readable=False,
    ),
]
Task = Annotated[
    Literal["rescale", "compress"],
    typer.Option(
        "--task",
        help="compress: measure quality over bits, next to JPEG, WebP and AVIF.",
        rich_help_panel=MEASURED,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="M",
        autocompletion=candidates.models,
        help="Name or path of a model; repeatable.",
        rich_help_panel=MEASURED,
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        "--scale",
        metavar="S",
        help="Measure this whole-number scale only.",
        rich_help_panel=MEASURED,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="B,...",
        help="Filters to compare with: bicubic,lanczos.",
        rich_help_panel=MEASURED,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        metavar="N",
        min=1,
        max=1000,
        help="Number of draws of z. The default is 1.",
        rich_help_panel=MEASURED,
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
        rich_help_panel=MEASURED,
    ),
]
Qualities = Annotated[
    str | None,
    typer.Option(
        "--qualities",
        metavar="Q,...",
        help="Qualities for --task compress. The default is 30,50,70,80,90.",
        rich_help_panel=MEASURED,
    ),
]
Restorer = Annotated[
    str | None,
    typer.Option(
        "--restorer",
        metavar="M",
        autocompletion=candidates.models,
        help="Restoration module for --task compress, or none.",
        rich_help_panel=MEASURED,
    ),
]
Perceptual = Annotated[
    str | None,
    typer.Option(
        "--perceptual",
        metavar="P,...",
        help="Also measure lpips,niqe,pi,fid (needs pyiqa).",
        rich_help_panel=MEASURED,
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="F",
        help="Write the records as JSON; - is standard output.",
        rich_help_panel=FILES,
        readable=False,
    ),
]
CsvFile = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="F",
        help="Write a CSV line for each set and image.",
        rich_help_panel=FILES,
        readable=False,
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--markdown",
        metavar="F",
        help="Write a page that compares with the paper's table.",
        rich_help_panel=FILES,
        readable=False,
    ),
]
Chart = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="F.png",
        help="Write a chart (needs matplotlib).",
        rich_help_panel=FILES,
        readable=False,
    ),
]
Save = Annotated[
    Path | None,
    typer.Option(
        "--save",
        metavar="DIR",
        help="Save LR, restored images and comparisons.",
        rich_help_panel=FILES,
        readable=False,
    ),
]
Remark = Annotated[
    str | None,
    typer.Option(
        "--remark",
        metavar="TEXT",
        help="Remark to keep in the records and show on the page.",
        rich_help_panel=FILES,
    ),
]
Source = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="F.json",
        help="Show these records instead of measuring.",
        rich_help_panel=FILES,
        readable=False,
    ),
]
