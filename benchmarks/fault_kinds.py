"""The faults that `faults.py` provokes: signals, full disks, failing reads, lost directories."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from functools import cache
from pathlib import Path
from random import Random

from faulting import Fault, Scene, Work
from typing_extensions import override

PAGE = 4096
"""Size in bytes of the pages that a file system in memory allocates."""
FAILING = Path("/proc/self/mem")
"""File whose first byte nobody can read."""


@cache
def powerless() -> tuple[str, ...] | None:
    """Return a command prefix that makes root obey the modes of files; None if there is none."""
    if os.geteuid() != 0:
        return ()
    words = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if shutil.which(words[0]) is None or subprocess.run([*words, "true"], check=False).returncode:
        return None
    return words


@cache
def mountable() -> bool:
    """Tell whether a small file system in memory can be mounted here."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


class _Signal(Fault):
    number: signal.Signals

    def __init__(self, work: Work, random: Random) -> None:
        super().__init__(work, random)
        self.too_late = frozenset({-self.number})

    @override
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(self.number)


class Killed(_Signal):
    """The process is killed, as when memory runs out or a machine is lost."""

    kind = "SIGKILL"
    number = signal.SIGKILL
    statuses = frozenset({-9})
    may_leave = True
    resumed = True


class Terminated(_Signal):
    """The process receives the signal that `kill`, `timeout` and batch systems send."""

    kind = "SIGTERM"
    number = signal.SIGTERM
    statuses = frozenset({143})


class Interrupted(_Signal):
    """The process receives Ctrl-C."""

    kind = "SIGINT"
    number = signal.SIGINT
    statuses = frozenset({130})


class FileTooLarge(Fault):
    """The size of files is limited, so writing fails halfway."""

    kind = "no room for a file"

    def __init__(self, work: Work, random: Random) -> None:
        super().__init__(work, random)
        self.limit = random.randrange(max(map(len, work.outputs.values())))

    @override
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        """Do nothing: the fault is there from the beginning."""

    @override
    def allowed(self, scene: Scene, name: str) -> set[int]:
        size = len(scene.work.outputs[scene.work.made[name]])
        return {74} if size > self.limit else {0}


class DiskFull(Fault):
    """The file system of the outputs runs full, sooner or later."""

    kind = "disk full"

    @classmethod
    @override
    def impossible(cls) -> str:
        return "" if mountable() else "only root can mount a small file system"

    @override
    def prepare(self, scene: Scene) -> None:
        earlier = sum(-(-len(data) // PAGE) for data in scene.earlier.values())
        wanted = sum(-(-len(data) // PAGE) for data in scene.work.outputs.values())
        # A size of 0 would mean no limit.
        size = PAGE * max(1, earlier + self.random.randrange(wanted))
        options = f"size={size}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", scene.target], check=True)

    @override
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        """Do nothing: the fault is there from the beginning."""

    @override
    def allowed(self, scene: Scene, name: str) -> set[int]:
        return {0, 74}

    @override
    def clean(self, scene: Scene) -> None:
        subprocess.run(["umount", scene.target], check=True)


class DirectoryGone(Fault):
    """The directory of the outputs is moved away.

    The temporary file that is being written moves with it, so irn cannot find and remove it.
    """

    kind = "directory gone"
    may_leave = True

    @override
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        scene.target.rename(scene.gone)

    @override
    def allowed(self, scene: Scene, name: str) -> set[int]:
        return {0, 73}


class DirectoryReadOnly(Fault):
    """The directory of the outputs becomes read-only, so nothing can be removed from it either."""

    kind = "directory read-only"
    may_leave = True

    def __init__(self, work: Work, random: Random) -> None:
        super().__init__(work, random)
        self.prefix = powerless() or ()

    @classmethod
    @override
    def impossible(cls) -> str:
        return "root may write everywhere, and setpriv is not here" if powerless() is None else ""

    @override
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        scene.target.chmod(0o500)

    @override
    def allowed(self, scene: Scene, name: str) -> set[int]:
        return {0, 73}

    @override
    def clean(self, scene: Scene) -> None:
        scene.target.chmod(0o700)


class ReadsFail(Fault):
    """Some inputs cannot be read, each in another way; the other inputs are processed.

    Ways: `error` returns EIO; `pipe` closes halfway; `denied` may not be read; `short` is truncated
    and becomes complete later; `lost` is removed later; `folder` becomes a directory later. "Later"
    is after the first output was begun.
    """

    kind = "reads fail"
    at_once = ("error", "pipe", "denied")
    later = ("short", "lost", "folder")

    def __init__(self, work: Work, random: Random) -> None:
        super().__init__(work, random)
        self.prefix = powerless() or ()
        impossible = {"denied"} if powerless() is None else set()
        impossible |= set() if FAILING.exists() else {"error"}
        early = [way for way in self.at_once if way not in impossible]
        if work.is_import:
            chosen = [random.choice([*early, "short", "lost"])]
        else:
            chosen = [*random.sample(early, min(2, len(early))), *random.sample(self.later, 2)]
        # The affected inputs come last, so that the fault can happen before they are read.
        self.ways = dict(zip(sorted(work.inputs)[-len(chosen) :], chosen, strict=True))
        self.fed = False
        self.late = not work.is_import

    @override
    def prepare(self, scene: Scene) -> None:
        scene.spoilt |= set(self.ways)
        for name, way in self.ways.items():
            path = scene.source / name
            if way in ("error", "pipe"):
                path.unlink()
            if way == "error":
                path.symlink_to(FAILING)
            elif way == "pipe":
                os.mkfifo(path)
            elif way == "denied":
                path.chmod(0)
            elif way == "short":
                path.write_bytes(scene.work.inputs[name][:-100])

    @override
    def watch(self, scene: Scene, process: subprocess.Popen[bytes], elapsed: float) -> None:
        for name, way in self.ways.items():
            if way == "pipe" and not self.fed:
                self.fed = _feed(scene.source / name, scene.work.inputs[name])
        super().watch(scene, process, elapsed)

    @override
    def strike(self, scene: Scene, process: subprocess.Popen[bytes]) -> None:
        for name, way in self.ways.items():
            path = scene.source / name
            if way == "short":
                with path.open("ab") as file:
                    file.write(scene.work.inputs[name][-100:])
            elif way in ("lost", "folder"):
                path.unlink()
            if way == "folder":
                path.mkdir()

    @override
    def allowed(self, scene: Scene, name: str) -> set[int]:
        statuses = {"error": {74}, "pipe": {65}, "denied": {74}, "short": {0, 65},
                    "lost": {0, 66}, "folder": {0, 66}}  # fmt: skip
        if scene.work.is_import and self.ways.get(name) == "pipe":
            return {66}  # a checkpoint is a file
        return statuses.get(self.ways.get(name, ""), {0})


def _feed(path: Path, data: bytes) -> bool:
    """Write half of the data to the pipe; return False if nobody reads from it yet."""
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return False
    os.write(pipe, data[: len(data) // 2])
    os.close(pipe)
    return True


KINDS: tuple[type[Fault], ...] = (
    Killed, Terminated, Interrupted, FileTooLarge, DiskFull, ReadsFail, DirectoryGone,
    DirectoryReadOnly,
)  # fmt: skip
