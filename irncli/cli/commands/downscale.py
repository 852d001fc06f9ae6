"""`irn downscale`: make images small so that they can be restored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from irncli.batch.settings import BatchSettings
from irncli.cli import options
from irncli.cli.declare import option
from irncli.cli.help import groups
from irncli.cli.numbers import parse_percent, parse_scale

__all__ = ["downscale"]


@options.batch_command()
def downscale(
    settings: BatchSettings,
    scale: Annotated[
        str | None,
        option(groups.RESULT, "--scale S", "HR size over LR size, such as 4 or 2.5."),
    ] = None,
    width: Annotated[
        int | None,
        option(groups.RESULT, "--width N", "Width of the small image in pixels.", min=1),
    ] = None,
    height: Annotated[
        int | None,
        option(groups.RESULT, "--height N", "Height of the small image in pixels.", min=1),
    ] = None,
    max_side: Annotated[
        int | None,
        option(groups.RESULT, "--max-side N", "Longer side of the small image in pixels.", min=1),
    ] = None,
    percent: Annotated[
        str | None,
        option(groups.RESULT, "--percent P", "Size of the small image, such as 50 for half."),
    ] = None,
    bits: options.Bits = "8",
    model: options.Model = None,
    refine: options.Refine = 0,
    guard: options.Guard = "on",
) -> int:
    """Make images small so that 'irn upscale' can restore them.

    The small image is an ordinary PNG or JPEG. A tag in it tells 'irn upscale' how to restore it.
    Its size is given by one of --scale, --width, --height, --max-side and --percent.

    Examples:
      irn downscale photo.png --scale 4 -o small.png
      irn downscale photos/ --scale 2 --output-dir small
      irn downscale photo.png --scale 2.5 --refine 10
      irn downscale photo.png --percent 50
      cat photo.png | irn downscale - --scale 2 > small.png
    """
    from irncli.batch.run import run_job
    from irncli.operations.downscale import Downscale
    from irncli.operations.small_size import chosen_size

    number = None if scale is None else parse_scale(scale)
    size = chosen_size(
        scaled=scale is not None, width=width, height=height, max_side=max_side,
        percent=None if percent is None else parse_percent(percent),
    )  # fmt: skip
    if size is not None:
        label = size.label
    else:
        label = f"x{Path(model or '').stem}" if number is None else f"x{number:g}"
    known = number if size is None else size.known_scale
    return run_job(
        settings,
        lambda path: f"{path.stem}_{label}",
        Downscale(
            scale=number, size=size, model=model, bits=int(bits), refine=refine, guard=guard == "on"
        ),
        scale=None if known is None else f"{known:g}",
    )
