"""The files of a batch in progress, and what converts them: this process, or a cluster."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path

from irncli.batch.console import Record
from irncli.batch.jobs import Encode, Job
from irncli.batch.ledger import Ledger
from irncli.batch.messages import TOO_LITTLE_MEMORY
from irncli.errors import IrnError, MemoryExhaustedError, OutputError
from irncli.io.encoding import Format
from irncli.io.paths import STREAM, refuse_existing
from irncli.operations.result import Source

__all__ = ["Converter", "LocalConverter", "Task"]

AHEAD_PIXELS = 16_000_000
"""Images up to this size are decoded and encoded while the network works on another. Of larger
ones, only one is in memory at a time."""


@dataclass
class Task:
    """One file in progress.

    Attributes:
        index: position in the batch.
        path: input file.
        output: output file.
        format: format of the output.
        record: what is known about the file.
        data: bytes of the input.
        key: hash of input and options, for the ledger.
        large: too large to be in memory together with others.
        source: the decoded input; None: not decoded yet.
        seconds: time spent on it, waiting excluded.
        error: why it failed.
        skipped: it was already done.
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

    @property
    def over(self) -> bool:
        """Tell whether nothing is left to do."""
        return self.skipped or self.error is not None

    def load(self, job: Job, ledger: Ledger) -> None:
        """Read the input, and find out whether its output exists and what it was made from.

        Args:
            job: what is done with the file.
            ledger: outputs of earlier runs.

        Raises:
            OutputError: the output exists and is not to be replaced.
            IrnError: the input cannot be read.
        """
        options = job.tools.options
        if not options.skip_existing:
            refuse_existing(self.output, options.overwrite)
        self.data = job.tools.console.read(self.path)
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

    def attempt(self, work: Callable[[], None]) -> None:
        """Do a part of the work, unless the task has ended; an error of irn ends it."""
        if self.over:
            return
        began = time.perf_counter()
        try:
            work()
        except IrnError as error:
            self.error = error
        except MemoryError:
            self.error = MemoryExhaustedError(TOO_LITTLE_MEMORY)
        self.seconds += time.perf_counter() - began


class Converter(ABC):
    """Makes outputs from inputs that were read, one at a time."""

    def prepare(self, task: Task) -> None:  # noqa: B027 -- most have nothing to do
        """Do what can be done while the network works on another file.

        Raises:
            IrnError: this input cannot be done.
        """

    @abstractmethod
    def convert(self, task: Task) -> Encode:
        """Convert the input and return what makes the output file; fill in the record.

        Raises:
            IrnError: this input cannot be done.
        """


@dataclass
class LocalConverter(Converter):
    """Converts in this process, on the device of a job."""

    job: Job

    def prepare(self, task: Task) -> None:
        """See Converter."""
        file = self.job.open(task.data)
        task.large = file.header.width * file.header.height > AHEAD_PIXELS
        if not task.large:
            task.source = self.job.decode(file, task.record)

    def convert(self, task: Task) -> Encode:
        """See Converter."""
        source = task.source or self.job.decode(self.job.open(task.data), task.record)
        task.source = None
        return self.job.convert(source, task.format, task.record)
