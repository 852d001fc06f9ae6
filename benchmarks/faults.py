"""Test what remains when commands are disturbed; write docs/reliability.md.

    nice python benchmarks/faults.py --trials 200

Commands are killed, interrupted, and deprived of disk and inputs at random moments; the page tells
what they left behind. `--trial N` repeats one trial and prints its findings.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from common import ROOT, hardware
from fault_kinds import KINDS
from fault_works import works
from faulting import Work, trial

RESULT = ROOT / "benchmarks" / "results" / "faults.json"
PAGE = ROOT / "docs" / "reliability.md"
COUNTED = {
    "half": "half written",
    "inputs": "inputs changed",
    "earlier": "earlier outputs lost",
    "partials": "temporary files left",
    "strays": "files that must not be",
    "said": "status or lines wrong",
    "unfinished": "not completed by a second run",
}
"""Counted findings, and their names in the table."""
COLUMNS = ("fault", "command", "trials", "ended with status", *COUNTED.values())


def trials(
    folder: Path, numbers: range | list[int], seed: int, pictures: int = 8
) -> Iterator[dict[str, Any]]:
    """Yield a record for each trial; all kinds of faults and all commands take turns.

    Args:
        folder: empty directory to work in.
        numbers: numbers of the trials.
        seed: random seed of the trials.
        pictures: number of images in a batch.
    """
    all_works = works(folder, pictures)
    for number in numbers:
        work, kind = _choice(number, all_works)
        record: dict[str, Any] = {"trial": number, "fault": kind.kind, "command": work.name}
        reason = kind.impossible()
        if reason:
            yield record | {"skipped": reason}
            continue
        fault = kind(work, Random(f"{seed} {number}"))  # noqa: S311 -- no secret
        place = folder / f"trial-{number}"
        place.mkdir()
        found, outcome = trial(place, work, fault)
        record |= {"status": outcome.status, "seconds": round(outcome.seconds, 2)}
        record |= {name: len(getattr(found, name)) for name in COUNTED}
        lines = [line.replace(f"{place}/", "") for line in outcome.lines]
        yield record | {"wrong": found.wrong(), "lines": lines if found.wrong() else []}


def _choice(number: int, all_works: list[Work]) -> tuple[Work, Any]:
    """Return the work and the fault of a trial: all faults take turns, each with all commands."""
    turn, kind = divmod(number, len(KINDS))
    return all_works[(turn + kind) % len(all_works)], KINDS[kind]


def rows(records: list[dict[str, Any]]) -> list[str]:
    """Return a row for each kind of fault and command."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    order = [kind.kind for kind in KINDS]
    for record in sorted(records, key=lambda r: (order.index(r["fault"]), r["command"])):
        groups.setdefault((record["fault"], record["command"]), []).append(record)
    return [_row(*key, group) for key, group in groups.items()]


def _row(fault: str, command: str, records: list[dict[str, Any]]) -> str:
    done = [record for record in records if "skipped" not in record]
    if not done:
        return f"| {fault} | {command} | 0 | - | {'| ' * 6}{records[0]['skipped']} |"
    sums = Counter({name: sum(record[name] for record in done) for name in COUNTED})
    statuses = Counter(record["status"] for record in done)
    ends = ", ".join(f"{n} x {status}" for status, n in sorted(statuses.items()))
    cells = [str(sums[name]) for name in COUNTED]
    return f"| {' | '.join([fault, command, str(len(done)), ends, *cells])} |"


def _broken(done: list[dict[str, Any]]) -> str:
    """Return the number of trials that broke the rules, by fault, in words."""
    faults = Counter(record["fault"] for record in done if record["wrong"])
    named = ", ".join(f"{fault} {number}" for fault, number in faults.items())
    return f"{faults.total()} ({named})" if faults else "none"


def page(result: dict[str, Any]) -> str:
    """Return the text of docs/reliability.md."""
    machine = result["hardware"]
    records = result["records"]
    done = [record for record in records if "skipped" not in record]
    return TEXT.format(
        columns=" | ".join(COLUMNS),
        rule="---|" * (len(COLUMNS) - 1) + "---",
        table="\n".join(rows(records)),
        trials=len(done),
        wrong=_broken(done),
        seed=result["seed"],
        cpu=machine["cpu"],
        cores=machine["cores"],
        torch=machine["torch"],
        python=machine["python"],
        pictures=result["pictures"],
    )


TEXT = """\
# Reliability: what is left when things go wrong

This page is written by `benchmarks/faults.py`, which measures the table. Do not edit it by hand.

Commands process batches of {pictures} small images (`models import`: one checkpoint), with and
without `--overwrite`; some of the outputs exist already. Each trial disturbs one command at a
random moment: half of the trials at any moment of the run, half while files are written, on a disk
that takes 50 ms to store one. Afterwards every file is checked. An output must be, byte for byte,
that of an undisturbed run or the file that was there before, or must not exist. Inputs must have
their bytes and times. There must be no other files, and the exit status must be the documented one,
with one line for every failure.

Of {trials} trials {wrong} broke these rules.
Seed {seed}; {cpu}, {cores} cores, torch {torch}, Python {python}.

| {columns} |
|{rule}|
{table}

- Status 1: some outputs existed already and `--overwrite` was not given, or some inputs failed.
  Status 0 or 1 after a signal: everything was done before it arrived. So with -2 or -15, where the
  interpreter was already exiting.
- **SIGKILL** leaves no time to clean up: a hidden file `.NAME.irn-XXXX.tmp` may remain next to the
  outputs. It is never read and never mistaken for an output. The next command that writes there on
  the same machine deletes it if it is older than 5 seconds and no living process holds its lock; on
  file systems without locks it stays. Running the command again makes the missing outputs.
- **A cluster** (`--ray`) is tested by tests/cli/test_ray.py: one of two nodes is killed while it
  processes files. The batch ends as on one machine, with the same bytes and records, because
  workers write no files, and the files of a dead worker go to others. [More](guide/cluster.md).
- **No room for a file**: a limit on the size of files (`RLIMIT_FSIZE`) makes writing fail halfway.
  **Disk full**: the outputs go to a small file system (tmpfs). The file has status 74, and what
  still fits is written.
- **Reads fail**: four inputs of a batch return EIO, are pipes that close halfway, cannot be opened,
  are truncated, are removed or become directories; the others are processed.
- **Directory gone**, **read-only**: the directory of the outputs is moved away or its mode is
  changed during the run: status 73. A temporary file that is being written cannot be removed then.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument(
        "--trial",
        type=int,
        action="append",
        help="only this one; writes nothing",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=8, help="number of images in a batch")
    options = parser.parse_args()
    numbers = options.trial or range(options.trials)
    records = []
    with tempfile.TemporaryDirectory() as folder:
        for record in trials(Path(folder), numbers, options.seed, options.images):
            records.append(record)
            print(json.dumps(record), flush=True)
    wrong = sum(bool(record.get("wrong")) for record in records)
    print(f"{len(records)} trials, {wrong} of them wrong")
    if not options.trial:
        result = {"hardware": hardware(), "seed": options.seed, "pictures": options.images}
        result["records"] = records
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(result), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
