"""Standard streams, messages, and the record of each file."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from irncli.batch.messages import TOO_LITTLE_MEMORY, shown
from irncli.errors import ExitStatus, InputMissingError, IrnError, MemoryExhaustedError
from irncli.io.inputs import refuse_directory
from irncli.io.paths import STREAM, Times, atomic_write, is_directory, read_input

__all__ = ["Console", "Record", "Reporter", "run_batch"]


@dataclass
class Record:
    """The record of one file. The fields are the keys of `--json`.

    Attributes:
        messages: messages for standard error; not a key of `--json`.
    """

    input: str
    output: str | None = None
    status: int = 0
    error: str | None = None
    model: str | None = None
    scale: float | None = None
    seed: int | None = None
    temperature: float | None = None
    hr_size: tuple[int, int] | None = None
    lr_size: tuple[int, int] | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    seconds: float | None = None
    warnings: list[str] = field(default_factory=list)
    skipped: bool | None = None
    refined: dict[str, float] | None = None
    guarded: dict[str, float] | None = None
    report: dict[str, Any] | None = None
    forecast: dict[str, Any] | None = None
    frames: int | None = None
    messages: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return all keys and values, except optional ones without a value."""
        optional = ("skipped", "refined", "guarded", "report", "forecast", "frames")
        everything = {k: v for k, v in asdict(self).items() if k != "messages"}
        return {k: v for k, v in everything.items() if k not in optional or v is not None}


@dataclass
class Console:
    """Output of a command: data on standard output, messages on standard error."""

    quiet: bool = False
    json: bool = False
    debug: bool = False
    verbose: bool = False

    def say(self, message: str) -> None:
        """Print a message, unless `--quiet` is given.

        A reader of messages that has left, or a full disk, does not stop the work on the files.
        """
        if not self.quiet:
            with contextlib.suppress(OSError):
                print(message, file=sys.stderr)  # noqa: T201

    def say_all(self, messages: Sequence[str]) -> None:
        """Print messages, unless `--quiet` is given."""
        for message in messages:
            self.say(message)

    def complain(self, message: str) -> None:
        """Print an error, even with `--quiet`; control characters are escaped."""
        print(f"irn: {shown(message)}", file=sys.stderr)  # noqa: T201

    def emit(self, record: Any) -> None:
        """Print a JSON record on one line of standard output."""
        print(json.dumps(record, ensure_ascii=True), flush=True)  # noqa: T201

    def read(self, path: Path) -> bytes:
        """Read an input file or standard input."""
        if path == STREAM:
            try:
                return sys.stdin.buffer.read()
            except OSError as error:
                raise InputMissingError(f"standard input: {error.strerror or error}") from error
        if is_directory(path):
            refuse_directory(path)
        return read_input(path)

    def write(
        self, path: Path, data: bytes, *, overwrite: bool, times: Times | None = None
    ) -> None:
        """Write an output file, with the given times, or standard output."""
        if path == STREAM:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            atomic_write(path, data, overwrite=overwrite, times=times)


class Reporter:
    """A reporter of files in the order of the batch, regardless of the order in which they end.

    Args:
        console: console to print to.
        total: number of files in the batch.
        watch: function that takes the record of each file, also of one that failed.
        describe: function that returns the line to print about a file that was done; None: no line.

    Attributes:
        skipped: number of files that were already done.
        left_out: number of files that were left out for each reason; they have no record.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        watch: Callable[[Record], None] | None = None,
        describe: Callable[[Record], str] | None = None,
    ) -> None:
        self._console, self._total = console, total
        self._watch, self._describe = watch, describe
        self._lock = threading.Lock()
        self._waiting: dict[int, Record | None] = {}
        self._next = 0
        self._failed: list[int] = []
        self.skipped = 0
        self.left_out: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return the number of files that are done, have failed, or were left out."""
        return self._next + len(self._waiting)

    def done(
        self,
        index: int,
        record: Record,
        error: IrnError | None = None,
        *,
        left_out: str | None = None,
    ) -> None:
        """Report the file with this index, which is done, has failed, or was left out."""
        if error is not None:
            if self._console.debug:
                traceback.print_exception(error)
            record.status, record.error, record.output = error.status, str(error), None
        with self._lock:
            self._waiting[index] = record if left_out is None else None
            self.left_out.update([] if left_out is None else [left_out])
            while self._next in self._waiting:
                following = self._waiting.pop(self._next)
                if following is not None:
                    self._tell(following)
                self._next += 1

    def _tell(self, record: Record) -> None:
        if self._watch is not None:
            self._watch(record)
        self._failed += [record.status] * bool(record.status)
        self.skipped += bool(record.skipped)
        console = self._console
        if record.error is not None:
            console.complain(f"{shown(record.input)}: {record.error}")
        elif self._describe is not None and self._is_described(record):
            console.say(self._describe(record))
        for message in record.messages:
            console.say(message)
        for warning in record.warnings:
            console.say(shown(f"irn: {record.input}: warning: {warning}"))
        if console.json:
            console.emit(record.as_json())

    def _is_described(self, record: Record) -> bool:
        """Tell whether to print a line: records say the same, and pipes want no messages."""
        if self._console.verbose:
            return True
        return not (self._console.json or record.skipped or record.output == str(STREAM))

    def status(self) -> ExitStatus:
        """Return the exit status of the batch."""
        if self._total > 1 and self._failed:
            self._console.complain(f"{len(self._failed)} of {self._total} failed")
            return ExitStatus.SOME_FAILED
        return ExitStatus(self._failed[0]) if self._failed else ExitStatus.OK


def run_batch(
    paths: Sequence[Path], work: Callable[[Path, Record], None], console: Console
) -> ExitStatus:
    """Do a quick task with each input in turn; a failed input does not stop the batch."""
    reporter = Reporter(console, len(paths))
    for index, path in enumerate(paths):
        record, failure = Record(input=str(path)), None
        try:
            work(path, record)
        except IrnError as error:
            failure = error
        except MemoryError:
            failure = MemoryExhaustedError(TOO_LITTLE_MEMORY)
        reporter.done(index, record, failure)
    return reporter.status()
