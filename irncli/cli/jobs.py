"""What every picture command does with each input: read, decode, change, encode, write."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from irncli.cli.env import Environment, Record, run_batch
from irncli.cli.planning import LOSSLESS_OR_JPEG, output_format, plan, refuse_existing, tile_side
from irncli.cli.progress import Progress
from irncli.cli.workshop import Workshop
from irncli.errors import UsageError
from irncli.io.encoding import Format, Packet, encode, fitted
from irncli.io.images import Picture, decode
from irncli.io.metadata import stripped
from irncli.io.paths import times_of

__all__ = ["Common", "Job", "Tools", "run_job"]


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options that all picture commands share."""

    inputs: list[Path]
    output: Path | None
    output_dir: Path | None
    format: Format | None
    quality: int
    tile: str
    device: str
    precision: str
    max_pixels: int
    overwrite: bool
    strip: bool
    preserve_times: bool
    json: bool
    quiet: bool
    debug: bool


@dataclass(frozen=True)
class Tools:
    """What a job works with: streams, models, the bar, and the shared options."""

    env: Environment
    workshop: Workshop
    progress: Progress
    options: Common


@dataclass
class Job(ABC):
    """The work of a command on one input.

    Attributes:
        formats: that the command writes.
        deep: it knows pictures of 16 bits; else they are reduced to 8 when they are read.
    """

    formats: ClassVar[tuple[Format, ...]] = LOSSLESS_OR_JPEG
    deep: ClassVar[bool] = False

    tools: Tools

    def __call__(self, path: Path, output: Path, record: Record) -> None:
        """Turn the file at `path` into the one at `output`.

        Raises:
            IrnError: for one reason or another, this input cannot be done.
        """
        env, options = self.tools.env, self.tools.options
        refuse_existing(output, options.overwrite)
        began = time.perf_counter()
        data = env.read(path)
        picture = decode(data, max_pixels=options.max_pixels, deep=self.deep)
        record.bytes_in = len(data)
        record.warnings += picture.notes
        if options.strip:
            picture = replace(picture, metadata=stripped(picture.metadata))
        wanted = output_format(output, options.format, self.formats)
        encoded = self.convert(picture, data, wanted, record)
        times = times_of(path) if options.preserve_times else None
        env.write(output, encoded, overwrite=options.overwrite, times=times)
        record.bytes_out = len(encoded)
        record.seconds = round(time.perf_counter() - began, 3)

    def encoded(
        self,
        picture: Picture,
        format: Format,  # noqa: A002
        record: Record,
        xmp: Packet | None = None,
    ) -> bytes:
        """The file of a picture; what the format cannot hold goes into the record."""
        held, lost = fitted(picture, format)
        record.warnings += lost
        return encode(held, format=format, quality=self.tools.options.quality, xmp=xmp)

    @abstractmethod
    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> bytes:  # noqa: A002
        """The output file of a picture; what was done goes into the record.

        Args:
            picture: decoded.
            data: the file that it came from.
            format: of the output.
            record: of this input.
        """

    def finish(self) -> None:  # noqa: B027 -- not every command has something to say
        """Say what the batch came to; nothing, if there is nothing to say."""


def run_job(
    options: Common,
    name: Callable[[Path], str],
    make: Callable[[Tools], Job],
    formats: tuple[Format, ...] = Job.formats,
) -> int:
    """Plan a batch, and run a job on each input.

    Args:
        options: shared ones.
        name: stem of the default output of an input.
        make: the job, given what it works with.
        formats: that the command writes.

    Returns:
        The exit status.

    Raises:
        UsageError: options that contradict each other, before any work.
    """
    env = Environment(quiet=options.quiet, json=options.json, debug=options.debug)
    side = tile_side(options.tile)
    pairs = plan(options.inputs, options.output, options.output_dir, options.format, name, formats)
    if options.json and any(str(output) == "-" for _, output in pairs):
        raise UsageError("--json and a picture cannot both go to standard output: give -o FILE")
    workshop = Workshop(options.device, options.precision, side, env.say)  # type: ignore[arg-type]
    with Progress(len(pairs), quiet=options.quiet) as progress:
        job = make(Tools(env, workshop, progress, options))
        status = run_batch(pairs, job, env)
    job.finish()
    return int(status)
