"""What every picture command does with each input: decode, change, encode."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from irncli.cli.env import Environment, Record
from irncli.cli.planning import LOSSLESS_OR_JPEG
from irncli.cli.progress import Progress
from irncli.cli.workshop import Loaded, Workshop
from irncli.io.encoding import Format, Packet, encode, fitted
from irncli.io.images import Picture, decode
from irncli.io.metadata import stripped

__all__ = ["Common", "Encode", "Job", "Planned", "Summary", "Tools"]

Encode = Callable[[], bytes]
"""The rest of the work on a picture, which needs no network: its file."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options that all picture commands share, by the names of their parameters."""

    inputs: list[Path] | None
    files_from: Path | None
    recursive: bool
    output: Path | None
    output_dir: Path | None
    format: Format | None
    quality: int
    tile: str
    device: str
    ray: str | None
    precision: str
    max_pixels: int
    overwrite: bool
    skip_existing: bool
    dry_run: bool
    strip: bool
    preserve_times: bool
    json: bool
    quiet: bool
    verbose: bool
    debug: bool

    @classmethod
    def chosen(cls, values: Mapping[str, Any]) -> Common:
        """Those among the arguments of a command."""
        return cls(**{each.name: values[each.name] for each in fields(cls)})


@dataclass(frozen=True)
class Tools:
    """What a job works with: streams, models, the bar, and the shared options."""

    env: Environment
    workshop: Workshop
    progress: Progress
    options: Common


@dataclass(frozen=True)
class Planned:
    """What a dry run says of a file.

    Attributes:
        model: that would run; None: the file is the picture itself.
        size: of the larger picture, HR.
        low: of the smaller one.
        scale: one over the other.
        downs: passes of the network that make it small, or what takes as long.
        ups: the same of those that restore.
    """

    model: Loaded | None
    size: tuple[int, int]
    low: tuple[int, int]
    scale: float
    downs: float = 0
    ups: float = 0


class Summary:
    """What is said when a batch is over: nothing, for most commands."""

    def add(self, record: Record) -> None:
        """Take notice of a file that is done."""

    def lines(self) -> list[str]:
        """For a person."""
        return []


@dataclass
class Job(ABC):
    """The work of a command on one input.

    Fields that are compared are what the result depends on, beside the picture.

    Attributes:
        formats: that the command writes.
        deep: it knows pictures of 16 bits; else they are reduced to 8 when they are read.
    """

    formats: ClassVar[tuple[Format, ...]] = LOSSLESS_OR_JPEG
    deep: ClassVar[bool] = False

    tools: Tools = field(compare=False)

    def decode(self, data: bytes, record: Record) -> Picture:
        """The picture in a file.

        Raises:
            ImageError: it is none that can be read.
        """
        options = self.tools.options
        picture = decode(data, max_pixels=options.max_pixels, deep=self.deep)
        record.bytes_in = len(data)
        record.warnings += picture.notes
        if options.strip:
            picture = replace(picture, metadata=stripped(picture.metadata))
        return picture

    @property
    def asked_model(self) -> str | None:
        """The model that the user named."""
        return None

    def model_name(self, format: Format) -> str | None:  # noqa: A002, ARG002
        """The model that this job takes to write a format; None: files say it themselves."""
        return None

    @abstractmethod
    def plan(self, picture: Picture, data: bytes, format: Format, record: Record) -> Planned:  # noqa: A002
        """What `convert` would do, without doing it; into the record, too.

        Raises:
            IrnError: for one reason or another, this input cannot be done.
        """

    @abstractmethod
    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> Encode:  # noqa: A002
        """What makes the output file of a picture; what was done goes into the record.

        Args:
            picture: decoded.
            data: the file that it came from.
            format: of the output.
            record: of this input.

        Raises:
            IrnError: for one reason or another, this input cannot be done.
        """

    def encoder(
        self,
        picture: Picture,
        format: Format,  # noqa: A002
        record: Record,
        xmp: Packet | None = None,
    ) -> Encode:
        """Makes the file of a picture; what the format cannot hold goes into the record."""

        def encoded() -> bytes:
            held, lost = fitted(picture, format)
            record.warnings += lost
            return encode(held, format=format, quality=self.tools.options.quality, xmp=xmp)

        return encoded

    def key(self, data: bytes, format: Format) -> str:  # noqa: A002
        """Hash of all that an output depends on: the input file, the options, the weights."""
        options, name = self.tools.options, self.model_name(format)
        weights = name and self.tools.workshop.recorded_sha256(name)
        parts = [
            type(self).__name__, format, options.quality, options.strip, options.precision, weights,
            *(getattr(self, each.name) for each in fields(self) if each.compare),
        ]  # fmt: skip
        digest = hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape"))
        digest.update(data)
        return digest.hexdigest()
