"""`irn decolor`: make colour images gray so that the colours can be restored."""

from __future__ import annotations

from irncli.batch.settings import BatchSettings
from irncli.cli import options

__all__ = ["decolor"]


@options.batch_command()
def decolor(
    settings: BatchSettings,
    bits: options.Bits = "8",
    model: options.ColorModel = None,
    refine: options.Refine = 0,
    guard: options.Guard = "on",
) -> int:
    """Make images gray so that 'irn colorize' can restore their colours.

    Examples:
      irn decolor photo.png -o gray.png
      irn decolor photos/ --output-dir gray
    """
    from irncli.batch.run import run_job
    from irncli.operations.decolor import Decolor

    return run_job(
        settings,
        lambda path: f"{path.stem}_gray",
        Decolor(model=model, bits=int(bits), refine=refine, guard=guard == "on"),
    )
