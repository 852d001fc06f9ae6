"""Batches on a Ray cluster (irncli[ray]). Files are read and written on this machine.

Each worker is a Ray actor that keeps the network in memory. Ray places the worker on a machine with
the CPUs or the GPU that it needs. A worker that dies is replaced, and its file is retried on
another one.
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
from irncli.batch.progress import POLL_SECONDS, Stopped
from irncli.batch.tasks import Converter, Task
from irncli.batch.worker import Converted, Worker, spec_of
from irncli.errors import Terminated, UnavailableError
from irncli.zoo.model_bundle import pack

__all__ = ["Layout", "cluster_converters", "layout_of"]

ATTEMPTS = 4
"""Number of workers that may die with the same file before irn gives up on that file."""
CPUS = 4
"""Maximum number of CPUs per worker. More CPUs gain little; fewer would mean more workers and more
memory."""
PATIENCE_SECONDS = 20.0
"""Time to wait for a worker before a message says so."""
_RAY_ENVIRONMENT = {
    # Otherwise Ray would report usage to its makers over the network.
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's present default: CUDA_VISIBLE_DEVICES stays as it is for workers without a GPU. Older
    # versions print a warning unless it is stated.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Otherwise Ray would send the working directory, with all its images, to every machine if irn
    # runs under `uv run`.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""Environment variables for Ray. Values that the user has set take precedence."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Number of workers on a cluster, and the resources of each worker.

    Attributes:
        workers: number of workers that can run at the same time on an idle cluster.
        cpus: number of CPUs per worker.
        gpus: number of GPUs per worker, 0 or 1.
    """

    workers: int
    cpus: int
    gpus: int = 0

    @property
    def device(self) -> str:
        """Device of each worker."""
        return "cuda" if self.gpus else "cpu"


def layout_of(nodes: Sequence[dict[str, float]], device: str, threads: int | None = None) -> Layout:
    """Return a layout with one worker per GPU or, without GPUs, with several CPUs per worker.

    Args:
        nodes: resources of each machine of the cluster.
        device: `auto`, `cpu` or `cuda`.
        threads: number of CPUs per worker; None: up to `CPUS`, as many as every machine has.

    Raises:
        UnavailableError: the cluster does not have the requested device or number of CPUs.
    """
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    if gpus and device != "cpu":
        return Layout(workers=gpus, cpus=threads or 1, gpus=1)
    if device == "cuda":
        raise UnavailableError("--device cuda: this cluster has no GPU; use --device cpu")
    counts = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if not counts:
        raise UnavailableError(
            "found no CPUs in this cluster: add a machine that offers some to Ray"
        )
    each = threads or min(CPUS, *counts)
    if each > max(counts):
        raise UnavailableError(
            f"--threads {each}: no machine of this cluster has more than {max(counts)} CPUs"
        )
    return Layout(workers=sum(count // each for count in counts), cpus=each)


@contextmanager
def cluster_converters(job: Job, files: int) -> Iterator[Sequence[Converter]]:
    """Provide workers of a cluster for a batch of `files` files, and release them at the end.

    Raises:
        UnavailableError: there is no such cluster, or none of its workers can be used.
    """
    options = job.tools.options
    ray = _connect(options.ray or "auto")
    try:
        with _sigterm_kept():
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            pool = _Pool(ray, job, layout_of(nodes, options.device, options.threads))
            converters = pool.open(files)
            yield converters
    finally:
        ray.shutdown()


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Raise Terminated after SIGTERM.

    While Ray waits, any exception of a signal handler becomes a plain KeyboardInterrupt.
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
    """Connect to a cluster, and return the `ray` module.

    Raises:
        UnavailableError: there is no such cluster, or irn cannot connect to it.
    """
    for name, value in _RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _check_reachable(os.environ.get("RAY_ADDRESS", address) if address == "auto" else address)
    before = signal.getsignal(signal.SIGTERM)
    try:
        import ray
        from ray._private import worker

        # Ray writes messages about its nodes to standard output, which is reserved for data, and
        # there is no public option to prevent that.
        worker._worker_logs_enabled = False
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except ConnectionError as error:
        raise UnavailableError(
            f"--ray {address}: no cluster answers: 'ray start --head' starts one on this machine, "
            "--ray HOST:PORT names another"
        ) from error
    except Exception as error:
        # There are many possible causes: other versions of Ray or Python, no permission, ...
        reason = " ".join(str(error).split())[:400]
        raise UnavailableError(f"--ray {address}: {reason or type(error).__name__}") from error
    finally:
        # Ray replaces the handler, and irn would then exit with another status.
        signal.signal(signal.SIGTERM, before)
    return ray


def _check_reachable(address: str) -> None:
    """Raise UnavailableError if nothing listens at HOST:PORT, where Ray would try for a minute."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in address:
        return
    try:
        with socket.create_connection((host, int(port)), timeout=10):
            pass
    except (OSError, OverflowError) as error:
        raise UnavailableError(
            f"--ray {address}: nothing listens there: expected the address that 'ray start --head' "
            "printed, such as 10.0.0.1:6379"
        ) from error


class _Pool:
    """The workers of a batch: free, busy or starting.

    Args:
        ray: the `ray` module.
        job: job to be done with each file.
        layout: number and resources of the workers.
    """

    def __init__(self, ray: Any, job: Job, layout: Layout) -> None:
        self._ray, self._layout = ray, layout
        self._say, self._stop = job.tools.console.say, job.tools.progress.stop
        self._spec = ray.put(spec_of(job, layout.device, layout.cpus))
        self._bundle = ray.put(pack(job.tools.models.registry, job.operation.named))
        self._free: queue.SimpleQueue[tuple[Any, Any]] = queue.SimpleQueue()
        self._count, self._lock = 0, threading.Lock()
        self._reasons: dict[str, None] = {}
        self.lost = (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError)

    def open(self, files: int) -> list[Converter]:
        """Start as many workers as the files need, and wait for the first.

        Raises:
            UnavailableError: no worker can be used.
        """
        wanted = min(files, self._layout.workers)
        for _ in range(wanted):
            self._start()
        self.give(self.take())
        return [_RemoteConverter(self) for _ in range(wanted)]

    def _start(self) -> None:
        kind = self._ray.remote(
            num_cpus=self._layout.cpus, num_gpus=self._layout.gpus, scheduling_strategy="SPREAD"
        )(Worker)
        worker = kind.remote()
        with self._lock:
            self._count += 1
        answer = worker.version.remote()
        answer.future().add_done_callback(lambda _: self._free.put((worker, answer)))

    def take(self) -> Any:
        """Wait for a free worker, and return it.

        Raises:
            UnavailableError: there is no worker left.
            Stopped: the batch was stopped.
        """
        began: float | None = time.monotonic()
        while self._count:
            try:
                worker, answer = self._free.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if self._stop.is_set():
                    raise Stopped from None
                if began is not None and time.monotonic() - began > PATIENCE_SECONDS:
                    self._say("irn: waiting for free resources in the cluster")
                    began = None
                continue
            if answer is None or self._is_usable(worker, answer):
                return worker
        raise UnavailableError(f"no worker of the cluster can be used: {'; '.join(self._reasons)}")

    def give(self, worker: Any) -> None:
        """Return a worker to the free ones."""
        self._free.put((worker, None))

    def replace(self, worker: Any, message: str) -> None:
        """Start another worker in place of one that died or cannot be reached, and say so."""
        self._say(message)
        self._start()  # before the other ends, so that the count never drops to 0
        self._end(worker)

    def result(self, pending: Any) -> Any:
        """Wait for the result of a call, and return it.

        Raises:
            Stopped: the batch was stopped.
        """
        while not self._ray.wait([pending], timeout=POLL_SECONDS)[0]:
            if self._stop.is_set():
                raise Stopped
        return self._ray.get(pending)

    def tell(self, made: Converted) -> None:
        """Print the messages of a worker."""
        for message in made.messages:
            self._say(message)

    def _is_usable(self, worker: Any, answer: Any) -> bool:
        """Tell whether a new worker can be used; if not, stop the worker and record the reason."""
        try:
            version = self.result(answer)
            if version == __version__:
                self.result(worker.begin.remote(self._spec, self._bundle))
                return True
            reason = f"found irn {version}, expected {__version__}: install the same version there"
        except self.lost as error:
            if not getattr(error, "actor_init_failed", False):
                self.replace(worker, "irn: a worker died while starting; starting another")
                return False
            reason = _last_line(error)
        except self._ray.exceptions.RayTaskError as error:
            reason = _last_line(error)
        if reason not in self._reasons:
            self._reasons[reason] = None
            self._say(f"irn: a worker of the cluster cannot be used: {reason}")
        self._end(worker)
        return False

    def _end(self, worker: Any) -> None:
        with self._lock:
            self._count -= 1
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(worker)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(error).__name__
    if "No module named 'irncli" in reason:
        return f"irn is not installed there: pip install 'irncli[ray]=={__version__}'"
    return reason


@dataclass
class _RemoteConverter(Converter):
    """Converts each file on a free worker of the cluster."""

    pool: _Pool

    def convert(self, task: Task) -> Encode:
        """See Converter."""
        pool = self.pool
        for _ in range(ATTEMPTS):
            worker = pool.take()
            try:
                made = pool.result(worker.make.remote(task.record, task.format, task.data))
            except pool.lost:
                pool.replace(worker, "irn: a worker died; retrying its file on another")
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
