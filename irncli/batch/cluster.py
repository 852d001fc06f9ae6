"""A batch over a cluster, by Ray (irncli[ray]): its files are read and written here.

Each worker is an actor of Ray's, which keeps the network; Ray finds it a place, with the CPUs or
the GPU that it needs. A worker that dies is replaced, and its file goes to the next that is free.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from irncli import __version__
from irncli.batch.jobs import Encode, Job
from irncli.batch.progress import Stopped
from irncli.batch.tasks import Maker, Task
from irncli.batch.worker import Made, Worker, order_of
from irncli.errors import Terminated, UnavailableError
from irncli.zoo.model_bundle import pack

__all__ = ["Layout", "crew", "layout_of"]

ATTEMPTS = 4
"""Workers that may die with one file before it is given up."""
CPUS = 4
"""Most CPUs of a worker: more gain little, fewer take more memory."""
GLANCE_SECONDS = 0.2
"""So often Ctrl-C is looked for."""
PATIENCE_SECONDS = 20.0
"""After that long without a worker it is said what is waited for."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # It would send the working directory, pictures and all, to every machine.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""What Ray is told by the environment, unless the user says otherwise there."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a cluster is used.

    Attributes:
        workers: that find room at once, if nobody else is there.
        cpus: of each.
        gpus: of each.
    """

    workers: int
    cpus: int
    gpus: int = 0

    @property
    def device(self) -> str:
        """Device of each worker."""
        return "cuda" if self.gpus else "cpu"


def layout_of(nodes: Sequence[dict[str, float]], device: str) -> Layout:
    """Workers for what nodes have: one for each GPU, or where there is none for some CPUs.

    Raises:
        UnavailableError: they have not what is asked for.
    """
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    if gpus and device != "cpu":
        return Layout(workers=gpus, cpus=1, gpus=1)
    if device == "cuda":
        raise UnavailableError("--device cuda: this cluster has no GPU; use --device cpu")
    counts = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if not counts:
        raise UnavailableError("this cluster has no CPU to work with")
    each = min(CPUS, *counts)
    return Layout(workers=sum(count // each for count in counts), cpus=each)


@contextmanager
def crew(job: Job, files: int) -> Iterator[Sequence[Maker]]:
    """Workers of a cluster for a batch of so many files; they are let go in the end.

    Raises:
        UnavailableError: there is no such cluster, or none of its workers is of use.
    """
    options = job.tools.options
    ray = _connect(options.ray or "auto")
    try:
        with _sigterm_kept():
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            pool = _Pool(ray, job, layout_of(nodes, options.device))
            makers = pool.open(files)
            yield makers
    finally:
        ray.shutdown()


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Raise Terminated after SIGTERM.

    While it waits, Ray makes a plain KeyboardInterrupt of whatever the handler of a signal raises.
    """
    before = signal.getsignal(signal.SIGTERM)
    came = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        came.set()
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, note)
    try:
        yield
    except KeyboardInterrupt as error:
        if came.is_set() and not isinstance(error, Terminated):
            raise Terminated from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _connect(address: str) -> Any:
    """The module, in touch with a cluster."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    _knock(os.environ.get("RAY_ADDRESS", address) if address == "auto" else address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        import ray
        from ray._private import worker

        # It writes what befalls its nodes to standard output, where data go, and has no public
        # way to be told not to.
        worker._worker_logs_enabled = False
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except ConnectionError as error:
        raise UnavailableError(
            f"--ray {address}: no cluster answers: 'ray start --head' starts one on this machine, "
            "--ray HOST:PORT names another"
        ) from error
    except Exception as error:
        # Of many kinds: other versions of Ray or Python than there, no right to enter.
        reason = " ".join(str(error).split())[:400]
        raise UnavailableError(f"--ray {address}: {reason or type(error).__name__}") from error
    finally:
        # Ray takes it, and would end with another status.
        signal.signal(signal.SIGTERM, before)
    return ray


def _knock(address: str) -> None:
    """Raise UnavailableError where nobody listens at HOST:PORT: Ray would try for a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        return
    try:
        with socket.create_connection((host, int(port)), timeout=10):
            pass
    except (OSError, OverflowError) as error:
        raise UnavailableError(
            f"--ray {address}: nobody listens there: expected the address that 'ray start --head' "
            "said, such as 10.0.0.1:6379"
        ) from error


class _Pool:
    """Workers, free ones and such as are on their way.

    Args:
        ray: the module.
        job: of the batch.
        layout: of the cluster.
    """

    def __init__(self, ray: Any, job: Job, layout: Layout) -> None:
        self._ray, self._layout = ray, layout
        self._say, self._stop = job.tools.env.say, job.tools.progress.stop
        self._order = ray.put(order_of(job, layout.device, layout.cpus))
        self._bundle = ray.put(pack(job.tools.models.registry, job.operation.named))
        self._free: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._hired, self._lock = 0, threading.Lock()
        self._reasons: dict[str, None] = {}
        self.lost = (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError)

    def open(self, files: int) -> list[Maker]:
        """Hire as many as the files need, and wait for the first.

        Raises:
            UnavailableError: none is of use.
        """
        wanted = min(files, self._layout.workers)
        for _ in range(wanted):
            self._hire()
        self.give(self.take())
        return [_There(self) for _ in range(wanted)]

    def _hire(self) -> None:
        kind = self._ray.remote(
            num_cpus=self._layout.cpus, num_gpus=self._layout.gpus, scheduling_strategy="SPREAD"
        )(Worker)
        worker = kind.remote()
        with self._lock:
            self._hired += 1
        greeting = worker.version.remote()
        greeting.future().add_done_callback(lambda _: self._free.put((worker, greeting)))

    def take(self) -> Any:
        """A worker, as soon as one is free.

        Raises:
            UnavailableError: there is none, and none will come.
            Stopped: the batch is to end.
        """
        began: float | None = time.monotonic()
        while self._hired:
            try:
                worker, greeting = self._free.get(timeout=GLANCE_SECONDS)
            except queue.Empty:
                if self._stop.is_set():
                    raise Stopped from None
                if began is not None and time.monotonic() - began > PATIENCE_SECONDS:
                    self._say("irn: waiting for the cluster to have room for a worker")
                    began = None
                continue
            if greeting is None or self._met(worker, greeting):
                return worker
        raise UnavailableError(f"no worker of the cluster is of use: {'; '.join(self._reasons)}")

    def give(self, worker: Any) -> None:
        """A worker is free."""
        self._free.put((worker, None))

    def replace(self, worker: Any) -> None:
        """A worker is dead, or out of reach."""
        self._say("irn: a worker died: its file goes to another")
        self._hire()  # first: at no time are there to be none
        self._dismiss(worker)

    def result(self, pending: Any) -> Any:
        """What a worker gives back.

        Raises:
            Stopped: the batch is to end.
        """
        while not self._ray.wait([pending], timeout=GLANCE_SECONDS)[0]:
            if self._stop.is_set():
                raise Stopped
        return self._ray.get(pending)

    def tell(self, made: Made) -> None:
        """Say what a worker had to say."""
        for message in made.said:
            self._say(message)

    def _met(self, worker: Any, greeting: Any) -> bool:
        """Whether a new worker is of use. If not it is dismissed, and the reason is kept."""
        try:
            version = self.result(greeting)
            if version == __version__:
                self.result(worker.begin.remote(self._order, self._bundle))
                return True
            reason = f"it has irn {version}, here is irn {__version__}: install the same"
        except self.lost as error:
            if not getattr(error, "actor_init_failed", False):
                self.replace(worker)
                return False
            reason = _last_line(error)
        except self._ray.exceptions.RayTaskError as error:
            reason = _last_line(error)
        if reason not in self._reasons:
            self._reasons[reason] = None
            self._say(f"irn: a worker of the cluster is of no use: {reason}")
        self._dismiss(worker)
        return False

    def _dismiss(self, worker: Any) -> None:
        with self._lock:
            self._hired -= 1
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(worker)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    if "No module named 'irncli" in reason:
        return f"it has no irn {__version__}: pip install 'irncli[ray]=={__version__}' there"
    return reason


@dataclass
class _There(Maker):
    """Has each file made by the worker of a cluster that is free."""

    pool: _Pool

    def make(self, task: Task) -> Encode:
        """See Maker."""
        pool = self.pool
        for _ in range(ATTEMPTS):
            worker = pool.take()
            try:
                made = pool.result(worker.make.remote(task.record, task.format, task.data))
            except pool.lost:
                pool.replace(worker)
                continue
            pool.give(worker)
            pool.tell(made)
            task.record = made.record
            if made.error is not None:
                raise made.error
            return lambda: made.data
        raise UnavailableError(
            f"{ATTEMPTS} workers died with this file: it may need more memory than they have"
        )
