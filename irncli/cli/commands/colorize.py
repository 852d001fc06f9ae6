"""`irn colorize`: gray pictures back to the colours they were made of."""

from __future__ import annotations

from irncli.cli import options

__all__ = ["colorize"]


def colorize(
    inputs: options.BatchInputs = None,
    files_from: options.FilesFrom = None,
    recursive: options.Recursive = False,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    model: options.Model = None,
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
    """Bring the colours back that 'irn decolor' put into gray pictures.

    Examples:
      irn colorize gray.png -o colours.png
      irn colorize gray/ --output-dir colours --strict
    """
    from irncli.batch.jobs import Common
    from irncli.batch.run import run_job
    from irncli.batch.summaries import DrawnSeed
    from irncli.operations.resolve import Request
    from irncli.operations.restore import Restore

    request = Request(task="color", model=model, scale=None, strict=strict)
    drawn = DrawnSeed(seed)
    return run_job(
        Common.chosen(locals()),
        lambda path: f"{path.stem}_color",
        Restore(
            request=request,
            seed=seed,
            temperature=temperature,
            drawn=drawn.value,
            max_pixels=max_pixels,
        ),
        summary=drawn,
    )
