"""`irn colorize`: restore the colours of gray images."""

from __future__ import annotations

from irncli.batch.settings import BatchSettings
from irncli.cli import options
from irncli.cli.commands.upscale import restore_files

__all__ = ["colorize"]


@options.batch_command(formats=options.AnyFormat, without=("background",))
def colorize(
    settings: BatchSettings,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    model: options.ColorModel = None,
    strict: options.Strict = False,
) -> int:
    """Restore the colours of images that 'irn decolor' made gray.

    Examples:
      irn colorize gray.png -o colours.png
      irn colorize gray/ --output-dir colours --strict
    """
    from irncli.operations.resolve import Request

    request = Request(task="color", model=model, strict=strict)
    return restore_files(settings, request, seed, temperature, "color")
