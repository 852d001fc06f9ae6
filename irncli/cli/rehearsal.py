"""`--dry-run`: what a batch would do, and what it would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irncli.cli.env import Record, Reporter, shown
from irncli.cli.jobs import Job, Planned
from irncli.cli.planning import output_format, refuse_existing
from irncli.engine.forecast import forecast, seconds_per_pixel
from irncli.errors import IrnError

__all__ = ["Rehearsal"]

_MIB = 1 << 20


@dataclass
class Rehearsal:
    """Goes through a batch, reads its pictures, runs no network on them and writes nothing.

    Attributes:
        job: of the command.
        reporter: told of each file.
    """

    job: Job
    reporter: Reporter
    _rates: dict[tuple[str, bool], float] = field(default_factory=dict)

    def run(self, pairs: Sequence[tuple[Path, Path]]) -> None:
        """Say of each pair what would be done, and of all what it would take."""
        seconds = 0.0
        for index, (path, output) in enumerate(pairs):
            record, failure = Record(str(path), str(output)), None
            try:
                seconds += self._file(path, output, record)
            except IrnError as error:
                failure = error
            self.reporter.done(index, record, failure)
        env = self.job.tools.env
        env.say(f"irn: {len(pairs)} files, about {_spoken(seconds)}; nothing was written")

    def _file(self, path: Path, output: Path, record: Record) -> float:
        options = self.job.tools.options
        if not options.skip_existing:
            refuse_existing(output, options.overwrite)
        data = self.job.tools.env.read(path)
        picture = self.job.decode(data, record)
        wanted = output_format(output, options.format, self.job.formats)
        planned = self.job.plan(picture, data, wanted, record)
        record.forecast = self._forecast(planned, picture.bits)
        record.messages.append(
            f"{shown(path)} -> {shown(output)}: {_line(planned, record.forecast)}"
        )
        return float(record.forecast["seconds"])

    def _forecast(self, planned: Planned, bits: int) -> dict[str, Any]:
        if planned.model is None:
            return {"tiles": 0, "memory_bytes": 0, "seconds": 0.0}
        found = forecast(planned.model.rescaler, planned.size, planned.scale, bits)
        pixels = planned.size[0] * planned.size[1]
        seconds = pixels * (
            (planned.downs and planned.downs * self._rate(planned, up=False))
            + (planned.ups and planned.ups * self._rate(planned, up=True))
        )
        return {
            "tiles": found.tiles,
            "memory_bytes": found.memory,
            "seconds": round(seconds, 2),
        }

    def _rate(self, planned: Planned, *, up: bool) -> float:
        assert planned.model is not None  # noqa: S101
        key = planned.model.name, up
        if key not in self._rates:
            self._rates[key] = seconds_per_pixel(planned.model.rescaler, up=up)
        return self._rates[key]


def _line(planned: Planned, found: dict[str, Any]) -> str:
    sizes = ["{}x{}".format(*planned.size), "{}x{}".format(*planned.low)]
    if planned.downs == 0:
        sizes.reverse()
    if planned.model is None:
        return f"{sizes[0]}, as it is"
    return (
        f"{sizes[0]} to {sizes[1]} by {planned.model.name}, {found['tiles']} tiles, about "
        f"{found['memory_bytes'] / _MIB:,.0f} MiB, {_spoken(found['seconds'])}"
    )


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
