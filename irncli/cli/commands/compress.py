"""`irn compress`: make images small and encode them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Literal

from irncli.batch.settings import BatchSettings
from irncli.cli import options
from irncli.cli.declare import option
from irncli.cli.help import groups
from irncli.cli.numbers import parse_scale_or_auto
from irncli.errors import UsageError

__all__ = ["compress", "parse_size"]

Codec = Annotated[
    Literal["png", "jpeg", "webp", "avif", "jxl"] | None,
    option(
        groups.FILES,
        "--codec",
        "Codec of the output. The default is that of the suffix of -o, or JPEG.",
    ),
]
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "KIB": 2**10, "MIB": 2**20}


def parse_size(text: str) -> int:
    """Return the number of bytes of a size such as `200KB`, `1.5MB` or `64KiB`.

    Raises:
        UsageError: the text is not a size.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if not found or found[2].upper() not in _UNITS:
        raise UsageError(f"--target-size {text}: expected a size such as 200KB, 1.5MB or 64KiB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


@options.batch_command(without=("image_format", "quality"))
def compress(
    settings: BatchSettings,
    scale: Annotated[
        str,
        option(
            groups.RESULT,
            "--scale S",
            "HR size over LR size, at most 4 with the models that ship; may be a fraction. auto: 2 "
            "or 4, whichever meets the target better.",
        ),
    ] = "2",
    quality: Annotated[
        int | None,
        option(
            groups.RESULT, "--quality Q", "Quality of the codec. The default is 70.", min=1, max=100
        ),
    ] = None,
    target_size: Annotated[
        str | None,
        option(groups.RESULT, "--target-size SIZE", "Largest size of the output, such as 200KB."),
    ] = None,
    target_bpp: Annotated[
        float | None,
        option(
            groups.RESULT,
            "--target-bpp B",
            "Largest size of the output, in bits per pixel of the original image.",
        ),
    ] = None,
    min_psnr: Annotated[
        float | None,
        option(groups.RESULT, "--min-psnr DB", "Lowest RGB PSNR of the restored image, in dB."),
    ] = None,
    codec: Codec = None,
    auto: Annotated[
        bool | None,
        option(
            groups.RESULT,
            "--auto/--always-irn",
            "Write a plain file of the codec, or keep a JPEG, where that is better, or never. "
            "The default is --auto.",
        ),
    ] = None,
    report: Annotated[
        bool,
        option(
            groups.MESSAGES,
            "--report/--no-report",
            "Restore the image and compare it with a plain file of the codec.",
        ),
    ] = True,
    effort: Annotated[
        int | None,
        option(
            groups.RESULT,
            "--effort N",
            "How hard to optimise a JPEG for the restored image: 0, not at all, to 9, which is "
            "best and slowest. The default is 1.",
            min=0,
            max=9,
        ),
    ] = None,
    refine: options.Refine = 0,
    model: options.CodecModel = None,
) -> int:
    """Make images small and encode them; 'irn upscale' restores them.

    Where a plain file of the codec meets the same target better, write that one. Where the input is
    a JPEG, and all that could be written is larger, copy it. Print the size and the quality of the
    restored image, and those of the other way.

    Examples:
      irn compress --quality 80 photo.png
      irn compress --target-size 20KB photo.png -o photo.jpg
      irn compress --min-psnr 30 --codec webp photos/
    """
    from irncli.batch.run import run_job
    from irncli.batch.summaries import CompressionSummary
    from irncli.operations.compress import Compress, Target

    number = parse_scale_or_auto(scale)
    target = Target(
        quality=Compress.default_quality if quality is None else quality,
        bytes=None if target_size is None else parse_size(target_size),
        bits_per_pixel=target_bpp,
        psnr=min_psnr,
    )
    if quality is not None and target.searched:
        raise UsageError(f"--quality and {target.searched[0]} exclude each other: give one")
    return run_job(
        replace(settings, image_format=codec, quality=quality),
        lambda path: f"{path.stem}_irn",
        Compress(
            scale=number,
            model=model,
            target=target,
            auto=auto,
            report=report,
            refine=refine,
            effort=effort,
        ),
        scale=None if isinstance(number, str) else f"{number:g}",
        summary=CompressionSummary(),
    )
