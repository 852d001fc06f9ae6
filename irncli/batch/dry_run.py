"""`--dry-run`: report what a batch would do, and the time and memory that it would need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from irncli.batch.console import Reporter
from irncli.batch.jobs import Job
from irncli.batch.ledger import Ledger
from irncli.batch.messages import shown
from irncli.batch.tasks import Task
from irncli.engine.forecast import forecast, seconds_per_pixel
from irncli.operations.result import Plan
from irncli.wording import counted

__all__ = ["DryRun"]

_MIB = 1 << 20


@dataclass
class DryRun:
    """A pass over a batch that reads the images but runs no network and writes nothing.

    Times are those of the network, with the usual time of the guard, which differs between images.

    Attributes:
        job: job of the command.
        reporter: receives the record of each file.
        ledger: outputs of earlier runs; it is only read.
    """

    job: Job
    reporter: Reporter
    ledger: Ledger
    _rates: dict[tuple[str, bool], float] = field(default_factory=dict)

    def run(self, tasks: Iterable[Task]) -> None:
        """Report what would be done with each file, and the estimated time for all of them."""
        seconds = sum(self._said(task) for task in tasks)
        self.ledger.close()
        done, files = self.reporter.skipped, len(self.reporter) - self.reporter.left_out.total()
        self.job.tools.console.say(
            f"irn: {counted(files, 'file')}, "
            f"{f'already done: {done}, ' if done else ''}"
            f"about {_spoken(seconds)}; nothing was written"
        )

    def _said(self, task: Task) -> float:
        """Report a file, and return the estimated time for it in seconds."""
        task.attempt(lambda: task.load(self.job, self.ledger))
        seconds = task.attempt(lambda: self._file(task))
        if task.skipped:
            name = f"{shown(task.path)} -> {shown(task.output)}"
            task.record.messages.append(f"{name}: already done")
        self.reporter.done(task.index, task.record, task.error, left_out=task.left_out)
        return seconds or 0.0

    def _file(self, task: Task) -> float:
        record = task.record
        source = self.job.decode(self.job.open(task.data), record)
        planned = self.job.plan(source, task.format, record)
        record.forecast = self._forecast(planned, source.image.bits, record.frames or 1)
        line = _line(planned, record.forecast, restores=self.job.operation.restores)
        if record.frames is not None:
            line += f", {counted(record.frames, 'frame')}"
        record.messages.append(f"{shown(task.path)} -> {shown(task.output)}: {line}")
        return float(record.forecast["seconds"])

    def _forecast(self, planned: Plan, bits: int, frames: int) -> dict[str, Any]:
        if planned.model is None or not planned.downs + planned.ups:
            return {"tiles": 0, "memory_bytes": 0, "seconds": 0.0}
        found = forecast(planned.model.rescaler, planned.hr_size, planned.scale, bits)
        pixels = frames * planned.hr_size[0] * planned.hr_size[1]
        seconds = pixels * (
            (planned.downs and planned.downs * self._rate(planned, up=False))
            + (planned.ups and planned.ups * self._rate(planned, up=True))
        )
        return {
            "tiles": found.tiles,
            "memory_bytes": found.memory,
            "seconds": round(seconds, 2),
        }

    def _rate(self, planned: Plan, *, up: bool) -> float:
        assert planned.model is not None  # noqa: S101
        key = planned.model.name, up
        if key not in self._rates:
            self._rates[key] = seconds_per_pixel(planned.model.rescaler, up=up)
        return self._rates[key]


def _line(planned: Plan, found: dict[str, Any], *, restores: bool) -> str:
    sizes = ["{}x{}".format(*planned.hr_size), "{}x{}".format(*planned.lr_size)]
    if restores:
        sizes.reverse()
    if planned.model is None or not planned.downs + planned.ups:
        return f"{sizes[0]}, unchanged"
    other = ", or smaller" if planned.undecided else ""
    return (
        f"{sizes[0]} to {sizes[1]} by {planned.model.name}{other}, "
        f"{counted(found['tiles'], 'tile')}, about "
        f"{found['memory_bytes'] / _MIB:,.0f} MiB, {_spoken(found['seconds'])}"
    )


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
