"""`irn decolor`: colour pictures to gray ones that can be restored."""

from __future__ import annotations

from irncli.cli import options

__all__ = ["decolor"]


def decolor(
    inputs: options.BatchInputs = None,
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
    """Make pictures gray, so that 'irn colorize' brings their colours back.

    Examples:
      irn decolor photo.png -o gray.png
      irn decolor photos/ --output-dir gray
    """
    from irncli.batch.jobs import Common
    from irncli.batch.run import run_job
    from irncli.operations.decolor import Decolor

    return run_job(
        Common.chosen(locals()),
        lambda path: f"{path.stem}_gray",
        Decolor(model=model, bits=int(bits), refine=refine, guard=guard == "on"),
    )
