"""`irn upscale`: restore small images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from irncli.batch.settings import BatchSettings
from irncli.cli import options
from irncli.cli.declare import option
from irncli.cli.help import groups
from irncli.cli.numbers import parse_scale
from irncli.errors import UsageError

if TYPE_CHECKING:
    from irncli.operations.resolve import Request

__all__ = ["restore_files", "upscale"]


@options.batch_command(formats=options.AnyFormat, without=("background",))
def upscale(
    settings: BatchSettings,
    seed: options.Seed = None,
    temperature: options.Temperature = None,
    model: options.Model = None,
    scale: Annotated[
        str | None,
        option(groups.RESULT, "--scale S", "HR size over LR size, for files without a tag."),
    ] = None,
    strict: options.Strict = False,
) -> int:
    """Restore images that 'irn downscale' made small.

    Size, model and scale come from the tag of the small image. Detail that it could not hold is
    drawn at random, from --seed.

    Images in a directory that have no tag are left out, unless --model, --scale or --strict is
    given.

    Examples:
      irn upscale small.png --seed 0 -o back.png
      irn upscale small/ --seed 0 --output-dir back
      irn upscale small.png --temperature 0

    Exit status:
      65  the file has no tag, and neither --model nor --scale is given
      69  the model named in the tag is not installed, or has other weights
    """
    from irncli.operations.resolve import Request

    number = None if scale is None else parse_scale(scale)
    request = Request(task="rescale", model=model, scale=number, strict=strict)
    return restore_files(settings, request, seed, temperature, "restored")


def restore_files(
    settings: BatchSettings,
    request: Request,
    seed: int | None,
    temperature: float | None,
    label: str,
) -> int:
    """Restore the images of a batch; `label` is appended to the stems of default outputs.

    Raises:
        UsageError: `seed` has no effect, because `temperature` is 0.
    """
    from irncli.batch.run import run_job
    from irncli.batch.summaries import DrawnSeed
    from irncli.operations.restore import Restore

    if seed is not None and temperature == 0:
        raise UsageError(
            f"--seed {seed} with --temperature 0: without z there is no seed, leave one of them out"
        )
    drawn = DrawnSeed(seed)
    return run_job(
        settings,
        lambda path: f"{path.stem}_{label}",
        Restore(
            request=request,
            seed=seed,
            temperature=temperature,
            drawn=drawn.value,
            max_pixels=settings.max_pixels,
        ),
        summary=drawn,
        scale=None if request.scale is None else f"{request.scale:g}",
    )
