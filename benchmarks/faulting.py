"""Disturbing commands while they work, and checking what they leave; used by `faults.py`.

Law: an output is, byte for byte, that of an undisturbed run or the earlier file, or does not exist;
inputs keep their bytes and times; there are no other files.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar

PATIENCE = 120
"""Time in seconds after which a command counts as hung."""
SYNC_SECONDS = 0.05
"""Time in seconds that the simulated disk takes to store a file."""
PARTIAL = re.compile(r"\..+\.irn-[0-9a-f]+\.tmp")
LONG_AGO = 10**18
"""Modification time of every input, in nanoseconds."""

SHIM = f"""
import os, resource, signal, sys, time
ready, limit = int(sys.argv[1]), int(sys.argv[2])
from irncli.__main__ import main
sync = os.fsync
def slow_sync(number):
    time.sleep({SYNC_SECONDS})
    sync(number)
os.fsync = slow_sync
signal.signal(signal.SIGINT, signal.default_int_handler)
if limit >= 0:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv = ["irn", *sys.argv[3:]]
os.write(ready, b"1")
os.close(ready)
main()
"""
"""Program that runs irn on a slow disk, with a limit on the size of files.

It reports when it is ready for signals."""


@dataclass(frozen=True)
class Work:
    """A command on small files, and the results of an undisturbed run.

    Attributes:
        name: name of the command.
        words: the command and its options.
        inputs: bytes of each input, by name.
        made: name of the output of each input; empty before the first run.
        outputs: bytes of each output, by name.
        first: seconds until the first output was begun.
        writing: seconds from then until the last output was complete.
    """

    name: str
    words: tuple[str, ...]
    inputs: dict[str, bytes]
    made: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    first: float = 0
    writing: float = 0

    @property
    def is_import(self) -> bool:
        """True for the command that takes one file and prints no records."""
        return self.name == "models import"


@dataclass
class Scene:
    """The directory of a trial.

    Attributes:
        folder: directory that holds inputs and outputs.
        work: work to be done in it.
        overwrite: replace existing outputs.
        earlier: bytes of the outputs that exist before the run, by name.
        spoilt: names of the inputs that the fault changes.
    """

    folder: Path
    work: Work
    overwrite: bool = False
    earlier: dict[str, bytes] = field(default_factory=dict)
    spoilt: set[str] = field(default_factory=set)

    @property
    def source(self) -> Path:
        """Directory of the inputs."""
        return self.folder / "in"

    @property
    def target(self) -> Path:
        """Directory of the outputs."""
        return self.folder / ("data/irn/models" if self.work.is_import else "out")

    @property
    def gone(self) -> Path:
        """Path of the directory of the outputs after it was moved away."""
        return self.folder / "gone"

    def arguments(self) -> list[str]:
        """Return the arguments of the command."""
        files = [str(self.source / name) for name in self.work.inputs]
        if self.work.is_import:
            return [*self.work.words, *files]
        more = ["--overwrite"] * self.overwrite
        return [*self.work.words, *files, "--output-dir", str(self.target), "--json", "-q", *more]

    def lay_inputs(self) -> None:
        """Write the inputs, and create the directory of the outputs."""
        self.source.mkdir()
        self.target.mkdir(parents=True)
        for name, data in self.work.inputs.items():
            (self.source / name).write_bytes(data)
            os.utime(self.source / name, ns=(LONG_AGO, LONG_AGO))

    def lay_earlier(self) -> None:
        """Write the outputs that exist before the run."""
        for name, data in self.earlier.items():
            (self.target / name).write_bytes(data)

    def files(self) -> Iterator[Path]:
        """Yield all files at any depth, including links and pipes."""
        for folder, _, names in os.walk(self.folder):
            yield from (Path(folder) / name for name in names)

    def begun(self) -> bool:
        """Tell whether irn has begun to write outputs."""
        try:
            names = {entry.name for entry in self.target.iterdir()}
        except OSError:
            return False
        return bool(names - set(self.earlier))


class Fault(ABC):
    """A fault that happens during a run.

    Attributes:
        kind: name of the fault.
        statuses: exit statuses with which the command may end because of the fault.
        too_late: the same, if all work was done before and the interpreter was exiting.
        may_leave: True if temporary files may be left, because irn cannot remove them.
        resumed: True if a second run must complete the work.
        limit: largest size of a file in bytes; -1: no limit.
        prefix: command prefix.
        late: True if it happens while outputs are written; otherwise it happens before that.
        struck: True if it has happened.
    """

    kind: ClassVar[str]
    statuses: frozenset[int] = frozenset()
    too_late: frozenset[int] = frozenset()
    may_leave: ClassVar[bool] = False
    resumed: ClassVar[bool] = False
    limit: int = -1
    prefix: tuple[str, ...] = ()

    def __init__(self, work: Work, random: Random) -> None:
        """Choose at random when and how the fault happens to a work."""
        self.random = random
        self.struck = False
        self.late = random.random() < 0.5
        self.delay = random.uniform(0, work.writing if self.late else work.first)
        self.since: float | None = None

    @classmethod
    def impossible(cls) -> str:
        """Return the reason why the fault cannot be provoked here, or an empty string."""
        return ""

    def prepare(self, scene: Scene) -> None:  # noqa: B027 -- most have nothing to do
        """Prepare the fault before the run, when the inputs exist."""

    def watch(self, scene: Scene, process: subprocess.Popen[bytes], elapsed: float) -> None:
        """Let the fault happen when its time has come; called repeatedly during the run."""
        if self.since is None and (not self.late or scene.begun()):
            self.since = elapsed
        if not self.struck and self.since is not None and elapsed >= self.since + self.delay:
            self.struck = True
            self.strike(scene, process)

    @abstractmethod
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        """Let the fault happen."""

    def allowed(self, scene: Scene, name: str) -> set[int]:  # noqa: ARG002
        """Return the statuses that an input may have."""
        return {0}

    def clean(self, scene: Scene) -> None:  # noqa: B027 -- most have nothing to do
        """Clean up after the check."""


@dataclass(frozen=True)
class Outcome:
    """End of a command: exit status, records by name of the input, lines of standard error."""

    status: int
    records: dict[str, dict[str, Any]]
    lines: list[str]
    began: float
    seconds: float


def run(scene: Scene, fault: Fault | None = None) -> Outcome:
    """Run the command of a scene, disturbed by the fault, if one is given."""
    prefix, limit = (fault.prefix, fault.limit) if fault else ((), -1)
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", SHIM, str(writer), str(limit), *scene.arguments()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        env={**os.environ, "XDG_DATA_HOME": str(scene.folder / "data"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    began, clock = time.time(), time.monotonic()
    while process.poll() is None:
        elapsed = time.monotonic() - clock
        if elapsed > PATIENCE:
            process.kill()
        if fault:
            fault.watch(scene, process, elapsed)
        time.sleep(0.003)
    seconds = time.monotonic() - clock
    # The output of a command fits into the pipes, so nobody needs to read them during the run.
    out, err = process.communicate()
    whole = [line for line in out.decode().splitlines(keepends=True) if line.startswith("{")]
    records = [json.loads(line) for line in whole if line.endswith("\n")]
    by_name = {Path(record["input"]).name: record for record in records}
    return Outcome(process.returncode, by_name, err.decode().splitlines(), began, seconds)


@dataclass
class Findings:
    """Findings after a trial: lists of sentences, and of file names in `partials`.

    Attributes:
        half: outputs that are half written.
        inputs: inputs whose bytes or times were changed.
        earlier: earlier outputs that were lost.
        partials: temporary files that were left.
        strays: other unexpected files, and temporary files that must not be left.
        said: statuses and lines that differ from what is documented.
        unfinished: outputs that a second run did not complete.
    """

    half: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    partials: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    def wrong(self) -> list[str]:
        """Return all findings that break the law."""
        return [
            *self.half, *self.inputs, *self.earlier, *self.strays, *self.said, *self.unfinished,
        ]  # fmt: skip


def audit(scene: Scene, outcome: Outcome, fault: Fault) -> Findings:
    """Check everything that a trial left."""
    found = Findings()
    _audit_outputs(scene, found)
    for name, data in scene.work.inputs.items():
        path = scene.source / name
        if name in scene.spoilt:
            continue
        if path.read_bytes() != data or path.stat().st_mtime_ns != LONG_AGO:
            found.inputs.append(f"the input {name} was changed")
    known = {*scene.work.inputs, *scene.work.outputs, *scene.earlier}
    for path in scene.files():
        if PARTIAL.fullmatch(path.name):
            found.partials.append(path.name)
            found.strays += [] if fault.may_leave else [f"{path.name} was left behind"]
        elif path.name not in known:
            found.strays.append(f"there is a file {path.name}")
    if outcome.status not in fault.statuses:
        found.said += _ended(scene, outcome, fault)
    found.said += _spoken(scene, outcome, fault)
    return found


def essence(data: bytes) -> object:
    """Return what two equal files have in common.

    This is everything except, in a checkpoint, the order of the metadata, which the library does
    not define.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        return json.loads(data[8 : 8 + length]), data[8 + length :]
    except ValueError:
        return data


def _audit_outputs(scene: Scene, found: Findings) -> None:
    # Earlier outputs move with their directory; irn may have created another one in its place.
    places = [scene.gone, scene.target] if scene.gone.exists() else [scene.target]
    for folder in places:
        for name in {**scene.work.outputs, **scene.earlier}:
            path = folder / name
            data = essence(path.read_bytes()) if path.is_file() else None
            whole = essence(scene.work.outputs.get(name, b""))
            before = scene.earlier.get(name) if folder == places[0] else None
            if before is None and data not in (None, whole):
                found.half.append(f"{name} is half written")
            elif before and data not in [before, *[whole] * scene.overwrite]:
                found.earlier.append(f"the earlier {name} was lost")


def _ended(scene: Scene, outcome: Outcome, fault: Fault) -> list[str]:
    """Return complaints about a command that was not ended by the fault."""
    if scene.work.is_import:
        (name,) = scene.work.inputs
        allowed = fault.allowed(scene, name)
        done = (scene.target / scene.work.made[name]).exists() or scene.gone.exists()
        if outcome.status in allowed - {0} or (outcome.status in {0} | fault.too_late and done):
            return []
        return [f"status {outcome.status}, expected {[*sorted(allowed), *fault.statuses]}"]
    wrong = []
    for name, output in scene.work.made.items():
        status = outcome.records.get(name, {"status": "none"})["status"]
        allowed = fault.allowed(scene, name)
        if output in scene.earlier and not scene.overwrite:
            # In a directory that was created again, no earlier file is in the way.
            allowed = {73} | (allowed if scene.gone.exists() else set())
        if status not in allowed:
            wrong.append(f"{name} has status {status}, expected {sorted(allowed)}")
    failed = int(any(record["status"] for record in outcome.records.values()))
    if outcome.status not in {failed} | fault.too_late:
        wrong.append(f"status {outcome.status}, expected {[failed, *fault.statuses]}")
    return wrong


def _spoken(scene: Scene, outcome: Outcome, fault: Fault) -> list[str]:
    """Return complaints about standard error: expected are a line per failure and a summary."""
    of_files = [line for line in outcome.lines if line.startswith(f"irn: {scene.source}")]
    others = [line for line in outcome.lines if line not in of_files]
    failed = [record for record in outcome.records.values() if record["status"]]
    wrong = [f"said {line!r}" for line in outcome.lines if not line.startswith("irn: ")]
    summary = [line for line in others if re.fullmatch(r"irn: \d+ of \d+ failed", line)]
    expected = len(summary) if outcome.status < 0 else int(outcome.status != 0)
    if len(others) != expected:
        wrong.append(f"{len(others)} lines at the end, status {outcome.status}")
    # A signal may come between a line and its record.
    if len(of_files) - len(failed) not in ((0, 1) if outcome.status in fault.statuses else (0,)):
        wrong.append(f"{len(of_files)} lines about files, {len(failed)} failed")
    return wrong


def trial(folder: Path, work: Work, fault: Fault) -> tuple[Findings, Outcome]:
    """Do a work in an empty directory while a fault happens, and check what is left."""
    scene = Scene(folder, work, earlier=_earlier(work, fault.random))
    scene.overwrite = not work.is_import and fault.random.random() < 0.5
    scene.lay_inputs()
    try:
        fault.prepare(scene)
        scene.lay_earlier()
        outcome = run(scene, fault)
        found = audit(scene, outcome, fault)
        if fault.resumed:
            found.unfinished += _resume(scene)
    finally:
        fault.clean(scene)
    return found, outcome


def _earlier(work: Work, random: Random) -> dict[str, bytes]:
    names = ["earlier.safetensors"] if work.is_import else list(work.outputs)
    return {n: f"earlier {n}".encode() for n in names if work.is_import or random.random() < 1 / 3}


def _resume(scene: Scene) -> list[str]:
    """Run the command again, and return complaints about outputs that are still missing."""
    run(scene)
    wrong = []
    for name, data in scene.work.outputs.items():
        kept = None if scene.overwrite else scene.earlier.get(name)
        path = scene.target / name
        if not path.is_file() or essence(path.read_bytes()) != essence(kept or data):
            wrong.append(f"{name} is not whole after a second run")
    return wrong
