"""`irn compare`: two pictures in numbers, as one picture, or as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from irncli.cli import options
from irncli.cli.help import groups

__all__ = ["compare"]


def compare(
    a: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="A picture, usually the original; - reads one.",
            rich_help_panel=groups.FILES,
            readable=False,
        ),
    ],
    b: Annotated[
        Path,
        typer.Argument(
            metavar="B",
            help="Another, such as the restored one; - reads one.",
            rich_help_panel=groups.FILES,
            readable=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also a picture (.png) or a page with a slider (.html) of both; - is standard "
            "output.",
            rich_help_panel=groups.FILES,
            readable=False,
        ),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["png", "html"] | None,
        typer.Option(
            "--format",
            help="Of the output; else by the suffix, else PNG.",
            rich_help_panel=groups.FILES,
        ),
    ] = None,
    crops: Annotated[
        int,
        typer.Option(
            "--crops",
            metavar="N",
            min=0,
            max=48,
            help="Details to show of where they differ most.",
            rich_help_panel=groups.RESULT,
        ),
    ] = 3,
    amplify: Annotated[
        int | None,
        typer.Option(
            "--amplify",
            metavar="N",
            min=1,
            max=65535,
            help="Brighten the difference by this; else so that it is seen well.",
            rich_help_panel=groups.RESULT,
        ),
    ] = None,
    max_pixels: options.MaxPixels = 500_000_000,
    overwrite: options.Overwrite = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="The numbers as one JSON record.", rich_help_panel=groups.MESSAGES
        ),
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Compare two pictures, in numbers or side by side.

    PSNR and SSIM are of the RGB values and of the luma Y, over the whole picture (irn eval leaves
    out its edges). A picture that is the other made small is first made as large, bicubically;
    other sizes that differ are refused. If one has 16 bits a channel, both are compared at 16.
    Transparent pictures are compared as they look on white, and alpha is compared besides.

    -o FILE.png shows A, B, their difference, brightened, and details from where they differ most.
    -o FILE.html is one page for any browser, that needs no network: a slider between A and B, the
    difference, the details and the numbers.

    Examples:
      irn compare photo.png back.png
      irn compare photo.png back.png -o look.html
      irn compare photo.png small.png -o look.png --crops 5
    """
    from irncli.cli.commands.comparing import Wanted, run_comparison

    wanted = Wanted(
        a=a, b=b, output=output, format=format, crops=crops, gain=amplify, max_pixels=max_pixels,
        overwrite=overwrite, json=json, quiet=quiet, debug=debug,
    )  # fmt: skip
    return run_comparison(wanted)
