"""The world around a command: streams, what may be said where, and the records of its work."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from irncli.errors import ExitStatus, IrnError
from irncli.io.paths import STREAM, Times, atomic_write, read_input

__all__ = ["Environment", "Record", "run_batch"]


@dataclass
class Record:
    """What was done with one file; the keys of `--json`."""

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
    refined: dict[str, float] | None = None
    report: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """All keys; `refined` and `report` only of a command that refined or reported."""
        optional = ("refined", "report")
        return {k: v for k, v in asdict(self).items() if k not in optional or v is not None}


@dataclass
class Environment:
    """How this call speaks: data on stdout, messages on stderr."""

    quiet: bool = False
    json: bool = False
    debug: bool = False

    def say(self, message: str) -> None:
        """A message for a person; `--quiet` silences it."""
        if not self.quiet:
            print(message, file=sys.stderr)  # noqa: T201

    def complain(self, message: str) -> None:
        """An error; never silenced."""
        print(f"irn: {message}", file=sys.stderr)  # noqa: T201

    def emit(self, record: Any) -> None:
        """One JSON record on a line of stdout."""
        print(json.dumps(record, ensure_ascii=True), flush=True)  # noqa: T201

    def read(self, path: Path) -> bytes:
        """An input file or standard input."""
        return sys.stdin.buffer.read() if path == STREAM else read_input(path)

    def write(
        self, path: Path, data: bytes, *, overwrite: bool, times: Times | None = None
    ) -> None:
        """An output file, with the times of another if they are given, or standard output."""
        if path == STREAM:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            atomic_write(path, data, overwrite=overwrite, times=times)


def run_batch(
    pairs: Sequence[tuple[Path, Path]],
    work: Callable[[Path, Path, Record], None],
    env: Environment,
) -> ExitStatus:
    """Do the work for each pair of input and output; one that fails does not stop the rest.

    Returns:
        The status of the only input, or SOME_FAILED where any of several failed.
    """
    failed: list[ExitStatus] = []
    for path, output in pairs:
        record = Record(input=str(path), output=str(output))
        try:
            work(path, output, record)
        except IrnError as error:
            if env.debug:
                traceback.print_exc()
            record.status, record.error, record.output = error.status, str(error), None
            failed.append(error.status)
            env.complain(f"{path}: {error}")
        for warning in record.warnings:
            env.say(f"irn: {path}: warning: {warning}")
        if env.json:
            env.emit(record.as_json())
    if len(pairs) > 1 and failed:
        env.complain(f"{len(failed)} of {len(pairs)} failed")
        return ExitStatus.SOME_FAILED
    return failed[0] if failed else ExitStatus.OK
