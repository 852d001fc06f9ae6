"""The Python interface for converting files, such as `irncli.downscale("photo.png", ...)`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from irncli.api.files import File, format_of, read, warn, write
from irncli.api.model import Model
from irncli.engine.device import Precision
from irncli.engine.ticks import no_tick
from irncli.io.colours import parse_colour
from irncli.io.encoding import Format
from irncli.io.image_file import ImageFile
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.operations import frames
from irncli.operations.compress import Compress, Target
from irncli.operations.decolor import Decolor
from irncli.operations.downscale import Downscale
from irncli.operations.models import LoadedModel, Models
from irncli.operations.result import Operation, Result, Source
from irncli.operations.small_size import chosen_size

__all__ = ["compress", "decolor", "downscale"]


def downscale(
    file: File,
    output: File,
    *,
    scale: float | None = None,
    width: int | None = None,
    height: int | None = None,
    max_side: int | None = None,
    percent: float | None = None,
    model: str | Model | None = None,
    bits: int = 8,
    refine: int = 0,
    guard: bool = True,
    format: Literal["png", "jpeg", "webp"] | None = None,  # noqa: A002
    quality: int = 95,
    frame: int | None = None,
    background: str | None = None,
    strip: bool = False,
    overwrite: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
) -> Result:
    """Make an image file small, as `irn downscale` does; `restore` restores the image.

    Args:
        file: path, or a binary file open for reading.
        output: path, or a binary file open for writing.
        scale: HR size over LR size, more than 1; None: the scale of `model`, then required, or one
            that follows from the next four.
        width: width of the small image in pixels.
        height: height of the small image in pixels.
        max_side: longer side of the small image in pixels.
        percent: size of the small image in percent, such as 50 for half.
        model: a Model, a name or a path; None: the default model for the scale.
        bits: bits per channel of the small image, 8 or 16.
        refine: number of refinement steps, 0 to 1000.
        guard: compare with a plain small image, and repair or replace blocks that are worse.
        format: format of the output; None: chosen by the suffix of the path, or PNG.
        quality: quality of a JPEG, 1 to 100.
        frame: number of the only frame to take from an animation, from 0; None: all frames.
        background: colour on which a transparent image is put, such as `white` or `#ffffff`; None:
            alpha is kept.
        strip: leave out EXIF (except the orientation), XMP, DPI and text.
        overwrite: replace an existing file.
        max_pixels: refuse images with more pixels than this.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; a Model keeps its own.
        precision: floating-point precision of the network; a Model keeps its own.
        tile: side of a tile in HR pixels, at least 64; 0: no tiles; None: chosen automatically; a
            Model keeps its own.

    Returns:
        The result of the operation.

    Raises:
        InputMissingError, StorageError: there is no such file, or reading or writing failed.
        ImageError: the file is not an image, is damaged, or is too large.
        UnavailableError: there is no such model or device.
        UsageError: an option is out of range, or options contradict each other.
        OutputError: the output exists, or cannot be created.
    """
    size = chosen_size(
        scaled=scale is not None, width=width, height=height, max_side=max_side, percent=percent
    )
    operation = Downscale(
        scale=scale, size=size, model=_given(model), bits=bits, refine=refine, guard=guard
    )
    return _convert_file(
        operation, file, output, image_format=format, quality=quality, frame=frame,
        background=background, strip=strip,
        overwrite=overwrite, max_pixels=max_pixels, device=device, precision=precision, tile=tile,
    )  # fmt: skip


def decolor(
    file: File,
    output: File,
    *,
    model: str | Model | None = None,
    bits: int = 8,
    refine: int = 0,
    guard: bool = True,
    format: Literal["png", "jpeg", "webp"] | None = None,  # noqa: A002
    quality: int = 95,
    frame: int | None = None,
    background: str | None = None,
    strip: bool = False,
    overwrite: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
) -> Result:
    """Make an image file gray, as `irn decolor` does; `restore` restores the colours.

    Args:
        file: as in `downscale`.
        output: as in `downscale`.
        model: a Model, a name or a path; None: `irn-color`.
        bits: bits per channel of the gray image, 8 or 16.
        refine: number of refinement steps, 0 to 1000.
        guard: compare with luma, and repair or replace blocks that are worse.
        format: format of the output; None: chosen by the suffix of the path, or PNG.
        quality: quality of a JPEG, 1 to 100.
        frame: number of the only frame to take from an animation, from 0; None: all frames.
        background: colour on which a transparent image is put, such as `white` or `#ffffff`; None:
            alpha is kept.
        strip: leave out EXIF (except the orientation), XMP, DPI and text.
        overwrite: replace an existing file.
        max_pixels: refuse images with more pixels than this.
        device: as in `downscale`.
        precision: as in `downscale`.
        tile: as in `downscale`.

    Returns:
        The result of the operation.

    Raises:
        IrnError: as in `downscale`.
    """
    operation = Decolor(model=_given(model), bits=bits, refine=refine, guard=guard)
    return _convert_file(
        operation, file, output, image_format=format, quality=quality, frame=frame,
        background=background, strip=strip,
        overwrite=overwrite, max_pixels=max_pixels, device=device, precision=precision, tile=tile,
    )  # fmt: skip


def compress(
    file: File,
    output: File,
    *,
    scale: float | Literal["auto"] = 2,
    quality: int = 70,
    target_size: int | None = None,
    target_bpp: float | None = None,
    min_psnr: float | None = None,
    codec: Format | None = None,
    auto: bool | None = None,
    report: bool = True,
    effort: int | None = None,
    refine: int = 0,
    model: str | Model | None = None,
    frame: int | None = None,
    background: str | None = None,
    strip: bool = False,
    overwrite: bool = False,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
) -> Result:
    """Compress an image file, as `irn compress` does; `restore` restores the image.

    Args:
        file: path, or a binary file open for reading.
        output: path, or a binary file open for writing.
        scale: HR size over LR size, more than 1; `auto`: 2 or 4, whichever meets the target better.
        quality: quality of the codec, 1 to 100, unless one of the next three is given.
        target_size: largest size of the file, in bytes.
        target_bpp: largest size of the file, in bits per HR pixel.
        min_psnr: lowest RGB PSNR of the restored image, in dB.
        codec: codec of the output; None: chosen by the suffix of the path, or JPEG.
        auto: write a plain file that meets the same target if that is better, and the original if
            it is a JPEG and everything else would be larger; None: yes if there is a
            report and the codec is lossy.
        report: restore the image and compare it with a plain file of the codec.
        effort: how hard to optimise a JPEG for the restored image, 0 to 9; None: 1.
        refine: number of refinement steps, 0 to 1000.
        model: a Model, a name or a path; None: the default model for scale and codec.
        frame: number of the only frame to take from an animation, from 0; None: all frames.
        background: colour on which a transparent image is put, such as `white` or `#ffffff`; None:
            alpha is kept.
        strip: leave out EXIF (except the orientation), XMP, DPI and text.
        overwrite: replace an existing file.
        max_pixels: refuse images with more pixels than this.
        device: as in `downscale`.
        precision: as in `downscale`.
        tile: as in `downscale`.

    Returns:
        The result, with sizes and qualities in `report`.

    Raises:
        IrnError: as in `downscale`; UsageError also if a target cannot be reached.
    """
    target = Target(quality=quality, bytes=target_size, bits_per_pixel=target_bpp, psnr=min_psnr)
    operation = Compress(
        scale=scale,
        model=_given(model),
        target=target,
        auto=auto,
        report=report,
        refine=refine,
        effort=effort,
    )
    return _convert_file(
        operation, file, output, image_format=codec, quality=quality, frame=frame,
        background=background, strip=strip,
        overwrite=overwrite, max_pixels=max_pixels, device=device, precision=precision, tile=tile,
    )  # fmt: skip


def _given(model: str | Model | None) -> str | LoadedModel | None:
    return model.loaded if isinstance(model, Model) else model


def _convert_file(
    operation: Operation,
    file: File,
    output: File,
    *,
    image_format: Format | None,
    quality: int,
    frame: int | None,
    background: str | None,
    strip: bool,
    overwrite: bool,
    max_pixels: int,
    device: str,
    precision: Precision,
    tile: int | None,
) -> Result:
    """Read the file, run the operation, write the output, and issue the warnings."""
    image_format = format_of(output, image_format, operation.formats, operation.default_format)
    operation.check(image_format)
    colour = None if background is None else parse_colour(background)
    image = ImageFile(read(file), max_pixels=max_pixels)
    source = Source.decoded(image, deep=operation.deep, strip=strip, background=colour, frame=frame)
    models = Models(device, precision, tile, warn)
    plan = frames.plan(operation, models, source, image_format)
    result = frames.run(operation, models, source, plan, image_format, quality, no_tick)
    made = result.encode()
    write(output, made.data, overwrite=overwrite)
    result = replace(result, warnings=(*source.image.notes, *result.warnings, *made.warnings))
    warn(*result.warnings)
    return result
