"""A worker of a cluster: from the bytes of an input to those of its output.

A worker opens no file of a batch and writes none. So machines need no common file system, and one
that dies leaves nothing half written.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from irncli import __version__
from irncli.batch.console import Console, Record
from irncli.batch.jobs import Job, Tools
from irncli.batch.plan import tile_side
from irncli.batch.progress import Progress
from irncli.batch.settings import Settings
from irncli.errors import IrnError
from irncli.io.encoding import Format
from irncli.operations.models import Models
from irncli.operations.result import Operation
from irncli.zoo.model_bundle import ModelBundle
from irncli.zoo.registry import Registry

__all__ = ["Bench", "Made", "Order", "Worker", "order_of"]


@dataclass(frozen=True)
class Order:
    """What all files of a batch have in common, as plain data.

    Attributes:
        operation: what is done with each file.
        options: without names of files.
        device: of a worker.
        threads: of a worker.
    """

    operation: Operation
    options: Settings
    device: str
    threads: int


@dataclass
class Made:
    """The result for one file.

    Attributes:
        record: of it.
        data: of the output; empty after an error.
        error: why there is none.
        said: for a person, about the worker.
    """

    record: Record
    data: bytes = b""
    error: IrnError | None = None
    said: list[str] = field(default_factory=list)


def order_of(job: Job, device: str, threads: int) -> Order:
    """Return the order for a batch that this process would do by `job`."""
    options = replace(
        job.tools.options, inputs=None, files_from=None, output=None, output_dir=None
    )  # fmt: skip
    return Order(job.operation, options, device, threads)


class Bench:
    """Converts the files of one batch.

    Args:
        order: of the batch.
        registry: models, as they are where the batch was begun.
    """

    def __init__(self, order: Order, registry: Registry) -> None:
        self._said: list[str] = []
        options = order.options
        said, side = self._said.append, tile_side(options.tile)
        models = Models(order.device, options.precision, side, said, registry)
        tools = Tools(Console(quiet=True), models, Progress(quiet=True), options)
        self._job = Job(order.operation, tools)
        torch.set_num_threads(order.threads)

    def make(self, record: Record, format: Format, data: bytes) -> Made:  # noqa: A002
        """Convert an input file; an error of irn is a result, too."""
        job, made = self._job, Made(record)
        try:
            made.data = job.convert(job.decode(job.open(data), record), format, record)()
        except IrnError as error:
            if job.tools.options.debug:
                error.add_note(traceback.format_exc())
            made.error = error
        made.said, self._said[:] = list(self._said), []
        return made


class Worker:
    """A process of a cluster, started by Ray. It loads the network once and keeps it."""

    _bench: Bench

    def version(self) -> str:
        """Return the version of irn on this machine."""
        return __version__

    def begin(self, order: Order, bundle: ModelBundle) -> None:
        """Load the models of a batch."""
        import ray

        # One copy of the models per machine, in the directory of the Ray session.
        here = ray.get_runtime_context()
        folder = Path(here.get_temp_dir(), here.get_session_name(), "irn")
        self._bench = Bench(order, bundle.unpack(folder))

    def make(self, record: Record, format: Format, data: bytes) -> Made:  # noqa: A002
        """See Bench."""
        return self._bench.make(record, format, data)
