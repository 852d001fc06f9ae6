"""The work that every image command does on each input: decode, convert, encode."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from irncli.batch.console import Console, Record
from irncli.batch.progress import Progress
from irncli.batch.settings import BatchSettings
from irncli.errors import IrnError
from irncli.io.colours import Colour, parse_colour
from irncli.io.encoding import Format
from irncli.io.image_file import ImageFile
from irncli.operations import frames
from irncli.operations.models import Models
from irncli.operations.result import Operation, Plan, Source

__all__ = ["Encode", "Job", "Tools"]

NEGLIGIBLE_GROWTH = 2048
"""Number of bytes by which an output may exceed the input without a warning: about the size of a
tag, which matters in tiny files only."""

Encode = Callable[[], bytes]
"""A function that encodes an image file. It runs no network, so another thread may call it."""


@dataclass(frozen=True)
class Tools:
    """The resources of a job: streams, models, the progress bar, and the shared options."""

    console: Console
    models: Models
    progress: Progress
    options: BatchSettings


@dataclass
class Job:
    """The work of a command on each of its inputs.

    Attributes:
        operation: operation to run on each input.
        tools: resources for the work.
    """

    operation: Operation
    tools: Tools = field(compare=False)

    @property
    def quality(self) -> int:
        """Quality of lossy outputs."""
        given = self.tools.options.quality
        return self.operation.default_quality if given is None else given

    @property
    def background(self) -> Colour | None:
        """Colour on which transparent images are put; None: alpha is kept.

        Raises:
            UsageError: the option does not name a colour.
        """
        named = self.tools.options.background
        return None if named is None else parse_colour(named)

    def open(self, data: bytes) -> ImageFile:
        """Open an input file.

        Raises:
            ImageError: the file is not an image, is damaged, or is too large.
        """
        return ImageFile(data, max_pixels=self.tools.options.max_pixels)

    def unsuitable(self, data: bytes) -> str | None:
        """Tell why an input that was found in a directory is left out; None: it is not.

        Files that cannot be read are not left out: converting them fails with a message.
        """
        try:
            return self.operation.unsuitable(self.open(data))
        except IrnError:
            return None

    def decode(self, file: ImageFile, record: Record) -> Source:
        """Decode an input file.

        Raises:
            ImageError: the pixels cannot be read.
        """
        options = self.tools.options
        source = Source.decoded(
            file, deep=self.operation.deep, strip=options.strip, background=self.background,
            frame=options.frame,
        )  # fmt: skip
        record.bytes_in = len(file.data)
        record.warnings += source.image.notes
        return source

    def model_name(self, image_format: Format) -> str | None:
        """Return the name of the model for a format, or None if it depends on the file."""
        return self.operation.model_name(self.tools.models, image_format)

    def plan(self, source: Source, image_format: Format, record: Record) -> Plan:
        """Plan the conversion of an image, and enter the plan into the record.

        Raises:
            IrnError: this input cannot be converted.
        """
        plan = frames.plan(self.operation, self.tools.models, source, image_format)
        record.frames = None if source.animation is None else source.animation.count
        record.model = None if plan.model is None else plan.model.name
        record.scale, record.hr_size, record.lr_size = plan.scale, plan.hr_size, plan.lr_size
        record.warnings += plan.warnings
        return plan

    def convert(self, source: Source, image_format: Format, record: Record) -> Encode:
        """Convert an image, fill in the record, and return a function that encodes the output.

        Raises:
            IrnError: this input cannot be converted.
        """
        plan = self.plan(source, image_format, record)
        with self.tools.progress.file(record.input) as tick:
            result = frames.run(
                self.operation, self.tools.models, source, plan, image_format, self.quality, tick
            )
        record.model, record.scale, record.lr_size = result.model, result.scale, result.lr_size
        record.seed, record.temperature = result.seed, result.temperature
        record.warnings += result.warnings
        record.refined, record.guarded = result.refined, result.guarded
        record.report = result.report
        encode = result.encode

        def encoded() -> bytes:
            made = encode()
            record.warnings += made.warnings
            before, after = record.bytes_in or 0, len(made.data)
            if not self.operation.restores and after > before + NEGLIGIBLE_GROWTH:
                record.warnings.append(
                    f"the output is larger than the input: {after:,} and {before:,} bytes"
                )
            return made.data

        return encoded

    def key(self, data: bytes, image_format: Format) -> str:
        """Hash everything that an output depends on: the input file, the options, the weights."""
        options = self.tools.options
        weights = self.operation.weights(self.tools.models, image_format)
        shared = (image_format, self.quality, options.strip, options.precision, weights)
        kind = type(self.operation).__name__
        parts = [repr(kind), *map(repr, shared), *self.operation.identity()]
        if self.background is not None:
            parts.append(f"background={self.background}")
        if options.frame is not None:
            parts.append(f"frame={options.frame}")
        text = f"[{', '.join(parts)}]"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape"))
        digest.update(data)
        return digest.hexdigest()
