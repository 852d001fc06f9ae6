"""The tasks of a batch, and the converters that carry them out, locally or on a cluster."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path
from typing import TypeVar

from irncli.batch.console import Record
from irncli.batch.jobs import Encode, Job
from irncli.batch.ledger import Ledger
from irncli.batch.messages import TOO_LITTLE_MEMORY
from irncli.errors import IrnError, MemoryExhaustedError, OutputError
from irncli.io.encoding import Format
from irncli.io.paths import STREAM, refuse_existing
from irncli.operations.result import Source

__all__ = ["Converter", "LocalConverter", "Task"]

T = TypeVar("T")
AHEAD_PIXELS = 16_000_000
"""Largest image, in pixels, that is decoded and encoded while the network works on another one. Of
larger images, only one is in memory at a time."""


@dataclass
class Task:
    """A file of a batch and the state of the work on it.

    Attributes:
        index: position in the batch, from 0.
        path: input file.
        output: output file.
        format: format of the output.
        record: record of the file.
        data: bytes of the input file.
        key: hash of the input, the options and the weights, for the ledger.
        large: True if the image is too large to be in memory together with others.
        source: decoded input; None if it is not decoded yet.
        seconds: time spent on the file in seconds, without waiting.
        error: error that ended the work; None if there is none.
        skipped: True if the file was already done.
        found: True if the file was found in a directory; False if it was named.
        left_out: reason why a file that was found is left out; None if it is not.
    """

    index: int
    path: Path
    output: Path
    format: Format
    record: Record
    seconds: float = 0.0
    data: bytes = b""
    key: str = ""
    large: bool = False
    source: Source | None = None
    error: IrnError | None = None
    skipped: bool = False
    found: bool = False
    left_out: str | None = None

    @property
    def over(self) -> bool:
        """True if nothing is left to do."""
        return self.skipped or self.left_out is not None or self.error is not None

    def load(self, job: Job, ledger: Ledger) -> None:
        """Read the input, and check whether it is to be converted.

        It is not if the output exists and was made from this input, or if the input was found in a
        directory and is not one for this operation.

        Args:
            job: job to be done with the file.
            ledger: outputs of earlier runs.

        Raises:
            OutputError: the output exists and must not be replaced.
            IrnError: the input cannot be read.
        """
        options, console = job.tools.options, job.tools.console
        if self.found:
            # The output of an input that is left out may exist: it is that of another input.
            self.data = console.read(self.path)
            self.left_out = job.unsuitable(self.data)
        if self.over:
            return
        if not options.skip_existing:
            refuse_existing(self.output, options.overwrite)
        if not self.found:
            self.data = console.read(self.path)
        self.key = job.key(self.data, self.format)
        if not options.skip_existing or self.output == STREAM:
            return
        if ledger.has(self.output, self.key):
            self.skipped = self.record.skipped = True
        elif not options.overwrite and lexists(self.output):
            raise OutputError(
                f"{self.output} exists, but was not made from this file with these options, as far "
                "as irn knows: pass --overwrite to replace it"
            )

    def attempt(self, work: Callable[[], T]) -> T | None:
        """Do a part of the work, unless the task is over; an IrnError ends the task.

        Returns:
            The result of the work; None if the task is over.
        """
        if self.over:
            return None
        began = time.perf_counter()
        try:
            return work()
        except IrnError as error:
            self.error = error
        except MemoryError:
            self.error = MemoryExhaustedError(TOO_LITTLE_MEMORY)
        finally:
            self.seconds += time.perf_counter() - began
        return None


class Converter(ABC):
    """A converter of inputs that have been read, one at a time."""

    def prepare(self, task: Task) -> None:  # noqa: B027 -- optional to implement
        """Do the work that is possible while the network works on another file.

        Raises:
            IrnError: this input cannot be converted.
        """

    @abstractmethod
    def convert(self, task: Task) -> Encode:
        """Convert the input, fill in the record, and return a function that encodes the output.

        Raises:
            IrnError: this input cannot be converted.
        """


@dataclass
class LocalConverter(Converter):
    """A converter that runs in this process, on the device of its job."""

    job: Job

    def prepare(self, task: Task) -> None:
        """See Converter."""
        file = self.job.open(task.data)
        task.large = file.header.width * file.header.height > AHEAD_PIXELS
        if not task.large and file.frames == 1:
            task.source = self.job.decode(file, task.record)

    def convert(self, task: Task) -> Encode:
        """See Converter."""
        source = task.source or self.job.decode(self.job.open(task.data), task.record)
        task.source = None
        return self.job.convert(source, task.format, task.record)
