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
            help="First image, usually the original; - is standard input.",
            rich_help_panel=groups.FILES,
            readable=False,
        ),
    ],
    b: Annotated[
        Path,
        typer.Argument(
            metavar="B",
            help="Second image, such as the restored one; - is standard input.",
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
            help="Write an image (.png) or a page with a slider (.html) of both; - is standard "
            "output.",
            rich_help_panel=groups.FILES,
            readable=False,
        ),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["png", "html"] | None,
        typer.Option(
            "--format",
            help="Output format. The default is that of the file name suffix, or PNG.",
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
            help="Number of details to show, from where they differ most.",
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
            help="Factor by which the difference is brightened. The default makes it visible.",
            rich_help_panel=groups.RESULT,
        ),
    ] = None,
    max_pixels: options.MaxPixels = 500_000_000,
    overwrite: options.Overwrite = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the numbers as one JSON record.", rich_help_panel=groups.MESSAGES
        ),
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Compare two images, in numbers or side by side.

    PSNR and SSIM are computed over the RGB values and over the luma Y of the whole image (irn eval
    leaves out the edges). If one image is the other made small, it is enlarged bicubically first;
    other differences in size are refused. If one image has 16 bits per channel, both are compared
    at 16. Transparent images are compared on white, and their alpha is compared as well.

    -o FILE.png shows A, B, their brightened difference, and details from where they differ most.
    -o FILE.html is a self-contained page for any browser: a slider between A and B, the difference,
    the details and the numbers.

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
