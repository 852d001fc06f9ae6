"""`irn colorize`: gray pictures back to the colours they were made of."""

from __future__ import annotations

from irncli.batch.settings import Settings
from irncli.cli import options

__all__ = ["colorize"]


@options.batch_command(formats=options.AnyFormat)
def colorize(
    settings: Settings,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    model: options.Model = None,
    strict: options.Strict = False,
) -> int:
    """Restore the colours of images that 'irn decolor' made gray.

    Examples:
      irn colorize gray.png -o colours.png
      irn colorize gray/ --output-dir colours --strict
    """
    from irncli.batch.run import run_job
    from irncli.batch.summaries import DrawnSeed
    from irncli.operations.resolve import Request
    from irncli.operations.restore import Restore

    request = Request(task="color", model=model, scale=None, strict=strict)
    drawn = DrawnSeed(seed)
    return run_job(
        settings,
        lambda path: f"{path.stem}_color",
        Restore(
            request=request,
            seed=seed,
            temperature=temperature,
            drawn=drawn.value,
            max_pixels=settings.max_pixels,
        ),
        summary=drawn,
    )
