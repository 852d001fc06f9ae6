"""`irn downscale`: pictures to small pictures that can be restored."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irncli.cli import options
from irncli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from irncli.cli.env import Environment, Record
    from irncli.cli.progress import Progress
    from irncli.cli.restoring import Workshop
    from irncli.io.images import Format, Picture

__all__ = ["downscale"]


def downscale(
    inputs: options.Inputs,
    scale: Annotated[
        float | None,
        typer.Option("--scale", metavar="S", help="HR size over LR size; may be a fraction."),
    ] = None,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    format: options.FileFormat = None,  # noqa: A002
    quality: options.Quality = 95,
    model: options.Model = None,
    tile: options.TileSide = "auto",
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    max_pixels: options.MaxPixels = 500_000_000,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Make pictures small, so that 'irn upscale' brings them back."""
    if scale is None and model is None:
        raise UsageError("how small? give --scale S, such as --scale 4")
    if scale is not None and not 1 < scale <= 64:
        raise UsageError(f"--scale {scale:g}: expected more than 1 and at most 64")
    from irncli.cli.env import Environment, run_batch
    from irncli.cli.planning import plan, tile_side

    env = Environment(quiet=quiet, json=json, debug=debug)
    side = tile_side(tile)
    label = f"{scale:g}" if scale is not None else model
    pairs = plan(inputs, output, output_dir, format, lambda path: f"{path.stem}_x{label}")
    refuse_mixed_streams(pairs, json)

    from irncli.cli.progress import Progress
    from irncli.cli.restoring import Workshop

    workshop = Workshop(device, precision, side, env.say)
    with Progress(len(pairs), quiet=quiet) as progress:
        job = _Downscale(
            env, workshop, progress, scale, model, format, quality, max_pixels, overwrite
        )
        return int(run_batch(pairs, job, env))


def refuse_mixed_streams(pairs: list[tuple[Path, Path]], json: bool) -> None:
    """Standard output holds either a picture or records."""
    if json and any(str(output) == "-" for _, output in pairs):
        raise UsageError("--json and a picture cannot both go to standard output: give -o FILE")


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Before the work, not after it."""
    if not overwrite and str(output) != "-" and os.path.lexists(output):
        raise OutputError(f"{output} exists already: pass --overwrite to replace it")


@dataclass
class _Downscale:
    env: Environment
    workshop: Workshop
    progress: Progress
    scale: float | None
    model: str | None
    format: Format | None
    quality: int
    max_pixels: int
    overwrite: bool

    def __call__(self, path: Path, output: Path, record: Record) -> None:
        from irncli.cli.planning import output_format
        from irncli.io.images import decode

        refuse_existing(output, self.overwrite)
        began = time.perf_counter()
        data = self.env.read(path)
        picture = decode(data, max_pixels=self.max_pixels)
        record.bytes_in, record.hr_size = len(data), picture.size
        record.warnings += picture.notes
        del data
        encoded = self._small(picture, output_format(output, self.format), record)
        self.env.write(output, encoded, overwrite=self.overwrite)
        record.bytes_out = len(encoded)
        record.seconds = round(time.perf_counter() - began, 3)

    def _small(self, picture: Picture, format: Format, record: Record) -> bytes:  # noqa: A002
        from irncli.cli.restoring import tagged_xmp
        from irncli.engine.rescaler import lr_size, resize_plane, to_gray
        from irncli.io.images import Picture, encode
        from irncli.io.tag import Tag

        loaded = self.workshop.load(self.model or self.workshop.registry.for_scale(self.scale or 1))
        scale = self.scale if self.scale is not None else float(loaded.rescaler.scale)
        record.model, record.scale = loaded.name, scale
        with self.progress.file(record.input) as tick:
            pixels = loaded.rescaler.downscale(picture.pixels, scale, tick)
        width, height = record.lr_size = lr_size(picture.size, scale)
        alpha = None if picture.alpha is None else resize_plane(picture.alpha, height, width)
        low = Picture(
            to_gray(pixels) if picture.gray else pixels, alpha, picture.gray, picture.metadata
        )

        def xmp(content_sha256: str) -> bytes:
            tag = Tag(
                task="rescale",
                model=loaded.name,
                weights_sha256=loaded.checkpoint.weights_sha256,
                scale=scale,
                hr_size=picture.size,
                bits=8,
                content_sha256=content_sha256,
                temperature=loaded.checkpoint.card.temperature,
            )
            return tagged_xmp(picture.metadata, tag, record.warnings)

        return encode(low, format=format, quality=self.quality, xmp=xmp)
