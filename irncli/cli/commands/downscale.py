"""`irn downscale`: make images small so that they can be restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from irncli.batch.settings import BatchSettings
from irncli.cli import options
from irncli.cli.declare import option
from irncli.cli.help import groups

__all__ = ["downscale"]


@options.batch_command()
def downscale(
    settings: BatchSettings,
    scale: Annotated[
        float | None,
        option(groups.RESULT, "--scale S", "HR size over LR size; may be a fraction."),
    ] = None,
    bits: options.Bits = "8",
    model: options.Model = None,
    refine: options.Refine = 0,
    guard: options.Guard = "on",
) -> int:
    """Make images small so that 'irn upscale' can restore them.

    The small image is an ordinary PNG or JPEG. A tag in it tells 'irn upscale' how to restore it.

    Examples:
      irn downscale photo.png --scale 4 -o small.png
      irn downscale photos/ --scale 2 --output-dir small
      irn downscale photo.png --scale 2.5 --refine 10
      cat photo.png | irn downscale - --scale 2 > small.png
    """
    from irncli.batch.run import run_job
    from irncli.operations.downscale import Downscale

    label = f"{scale:g}" if scale is not None else Path(model or "").stem
    return run_job(
        settings,
        lambda path: f"{path.stem}_x{label}",
        Downscale(scale=scale, model=model, bits=int(bits), refine=refine, guard=guard == "on"),
        scale=None if scale is None else f"{scale:g}",
    )
