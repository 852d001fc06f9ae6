"""`irn upscale`: small pictures back to what they were made of."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irncli.cli import options
from irncli.cli.downscale import refuse_existing, refuse_mixed_streams
from irncli.errors import ImageError, UsageError

if TYPE_CHECKING:
    from irncli.cli.env import Environment, Record
    from irncli.cli.progress import Progress
    from irncli.cli.restoring import Source, Workshop
    from irncli.io.images import Format, Picture

__all__ = ["upscale"]


def upscale(
    inputs: options.Inputs,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Of z; else drawn and reported."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            "--temperature", metavar="T", min=0.0, max=100.0, help="Width of z; 0: z = 0."
        ),
    ] = None,
    model: options.Model = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", metavar="S", help="For files without a tag: HR over LR size."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse files without a tag or changed since.")
    ] = False,
    format: options.FileFormat = None,  # noqa: A002
    quality: options.Quality = 95,
    tile: options.TileSide = "auto",
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    max_pixels: options.MaxPixels = 500_000_000,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Bring pictures back that 'irn downscale' made small."""
    if scale is not None and not 1 < scale <= 64:
        raise UsageError(f"--scale {scale:g}: expected more than 1 and at most 64")
    if seed is not None and seed >= 2**64:
        raise UsageError(f"--seed {seed}: expected 0 to {2**64 - 1}")
    from irncli.cli.env import Environment, run_batch
    from irncli.cli.planning import plan, tile_side

    env = Environment(quiet=quiet, json=json, debug=debug)
    side = tile_side(tile)
    pairs = plan(inputs, output, output_dir, format, lambda path: f"{path.stem}_restored")
    refuse_mixed_streams(pairs, json)

    from irncli.cli.progress import Progress
    from irncli.cli.restoring import Workshop
    from irncli.engine.latent import draw_seed

    drawn = draw_seed() if seed is None else seed
    if seed is None and temperature != 0:
        env.say(f"irn: seed {drawn}")
    workshop = Workshop(device, precision, side, env.say)
    with Progress(len(pairs), quiet=quiet) as progress:
        job = _Upscale(
            env, workshop, progress, drawn, temperature, model, scale, strict,
            format, quality, max_pixels, overwrite,
        )  # fmt: skip
        return int(run_batch(pairs, job, env))


@dataclass
class _Upscale:
    env: Environment
    workshop: Workshop
    progress: Progress
    seed: int
    temperature: float | None
    model: str | None
    scale: float | None
    strict: bool
    format: Format | None
    quality: int
    max_pixels: int
    overwrite: bool

    def __call__(self, path: Path, output: Path, record: Record) -> None:
        from irncli.cli.planning import output_format
        from irncli.io.images import content_sha256, decode

        refuse_existing(output, self.overwrite)
        began = time.perf_counter()
        data = self.env.read(path)
        picture = decode(data, max_pixels=self.max_pixels)
        record.bytes_in, record.lr_size = len(data), picture.size
        record.warnings += picture.notes
        source = self._source(picture, content_sha256(data, max_pixels=self.max_pixels), record)
        encoded = self._large(picture, source, output_format(output, self.format), record)
        self.env.write(output, encoded, overwrite=self.overwrite)
        record.bytes_out = len(encoded)
        record.seconds = round(time.perf_counter() - began, 3)

    def _source(self, picture: Picture, content: str, record: Record) -> Source:
        from irncli.cli.restoring import find_source
        from irncli.io.tag import extract

        source = find_source(
            self.workshop,
            extract(picture.metadata.xmp),
            content,
            picture.size,
            model=self.model,
            scale=self.scale,
            strict=self.strict,
            warnings=record.warnings,
        )
        width, height = source.hr_size
        if width * height > self.max_pixels:
            raise ImageError(
                f"it would become {width}x{height}, more than --max-pixels {self.max_pixels}: "
                "raise it if you trust the file"
            )
        return source

    def _large(self, picture: Picture, source: Source, format: Format, record: Record) -> bytes:  # noqa: A002
        from irncli.cli.restoring import untagged
        from irncli.engine.rescaler import resize_plane, to_gray
        from irncli.io.images import encode

        width, height = source.hr_size
        temperature = source.temperature if self.temperature is None else self.temperature
        record.model, record.scale, record.hr_size = source.model.name, source.scale, source.hr_size
        record.seed, record.temperature = self.seed, temperature
        with self.progress.file(record.input) as tick:
            pixels = source.model.rescaler.upscale(
                picture.pixels,
                source.hr_size,
                source.scale,
                seed=self.seed,
                temperature=temperature,
                tick=tick,
            )
        alpha = None if picture.alpha is None else resize_plane(picture.alpha, height, width)
        restored = replace(
            picture,
            pixels=to_gray(pixels) if picture.gray else pixels,
            alpha=alpha,
            metadata=untagged(picture.metadata),
        )
        return encode(restored, format=format, quality=self.quality)
