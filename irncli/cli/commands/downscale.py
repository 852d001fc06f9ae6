"""`irn downscale`: pictures to small pictures that can be restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from irncli.cli import options
from irncli.cli.help import groups

__all__ = ["downscale"]


def downscale(
    inputs: options.BatchInputs = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="S",
            help="HR size over LR size; may be a fraction.",
            rich_help_panel=groups.RESULT,
        ),
    ] = None,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = False,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    format: options.FileFormat = None,  # noqa: A002
    quality: options.Quality = 95,
    bits: options.Bits = "8",
    model: options.Model = None,
    refine: options.Refine = 0,
    guard: options.Guard = "on",
    tile: options.TileSide = "auto",
    device: options.Devices = "auto",
    ray: options.Ray = None,
    precision: options.PrecisionName = "auto",
    max_pixels: options.MaxPixels = 500_000_000,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    dry_run: options.DryRun = False,
    strip: options.Strip = False,
    preserve_times: options.PreserveTimes = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Make pictures small, so that 'irn upscale' brings them back.

    The small picture is an ordinary PNG or JPEG. A tag in it says how it is to be restored.

    Examples:
      irn downscale photo.png --scale 4 -o small.png
      irn downscale photos/ --scale 2 --output-dir small
      irn downscale photo.png --scale 2.5 --refine 10
      cat photo.png | irn downscale - --scale 2 > small.png
    """
    from irncli.batch.jobs import Common
    from irncli.batch.run import run_job
    from irncli.operations.downscale import Downscale

    label = f"{scale:g}" if scale is not None else Path(model or "").stem
    return run_job(
        Common.chosen(locals()),
        lambda path: f"{path.stem}_x{label}",
        Downscale(scale=scale, model=model, bits=int(bits), refine=refine, guard=guard == "on"),
        scale=None if scale is None else f"{scale:g}",
    )
