"""`irn upscale`: small pictures back to what they were made of."""

from __future__ import annotations

from typing import Annotated

import typer

from irncli.cli import options
from irncli.cli.help import groups

__all__ = ["upscale"]


def upscale(
    inputs: options.BatchInputs = None,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = False,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    model: options.Model = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="S",
            help="For files without a tag: HR over LR size.",
            rich_help_panel=groups.RESULT,
        ),
    ] = None,
    strict: options.Strict = False,
    format: options.AnyFormat = None,  # noqa: A002
    quality: options.Quality = 95,
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
    """Bring pictures back that 'irn downscale' made small.

    Size, model and scale come from the tag of the small picture. What it could not hold is drawn
    anew, from --seed.

    Examples:
      irn upscale small.png --seed 0 -o back.png
      irn upscale small/ --seed 0 --output-dir back
      irn upscale small.png --temperature 0

    Exit status:
      65  without a tag, and neither --model nor --scale is given
      69  the model of the tag is not here, or has other weights
    """
    from irncli.batch.jobs import Common
    from irncli.batch.run import run_job
    from irncli.batch.summaries import DrawnSeed
    from irncli.operations.resolve import Request
    from irncli.operations.restore import Restore

    request = Request(task="rescale", model=model, scale=scale, strict=strict)
    drawn = DrawnSeed(seed)
    return run_job(
        Common.chosen(locals()),
        lambda path: f"{path.stem}_restored",
        Restore(
            request=request,
            seed=seed,
            temperature=temperature,
            drawn=drawn.value,
            max_pixels=max_pixels,
        ),
        summary=drawn,
        scale=None if scale is None else f"{scale:g}",
    )
