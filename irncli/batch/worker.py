"""A worker of a cluster, which converts the bytes of an input file into those of an output file.

Workers do not read or write the files of a batch themselves. Therefore, the machines need no shared
file system, and a worker that dies leaves no incomplete file behind.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path

from irncli import __version__
from irncli.batch.console import Console, Record
from irncli.batch.jobs import Job, Tools
from irncli.batch.plan import tile_side
from irncli.batch.progress import Progress
from irncli.batch.settings import BatchSettings
from irncli.engine.device import use_threads
from irncli.errors import IrnError
from irncli.io.encoding import Format
from irncli.operations.models import Models
from irncli.operations.result import Operation
from irncli.zoo.model_bundle import ModelBundle
from irncli.zoo.registry import Registry

__all__ = ["Converted", "FileConverter", "JobSpec", "Worker", "spec_of"]


@dataclass(frozen=True)
class JobSpec:
    """The specification of a batch as plain data, shared by all of its files.

    Attributes:
        operation: operation to run on each file.
        options: settings of the batch, without its file names.
        device: device of each worker.
        threads: number of CPU threads of each worker.
    """

    operation: Operation
    options: BatchSettings
    device: str
    threads: int


@dataclass
class Converted:
    """The result for one file.

    Attributes:
        record: record of the file.
        data: bytes of the output file; empty after an error.
        error: reason why there is no output; None if there is one.
        messages: messages about the worker, to be printed.
    """

    record: Record
    data: bytes = b""
    error: IrnError | None = None
    messages: list[str] = field(default_factory=list)


def spec_of(job: Job, device: str, threads: int) -> JobSpec:
    """Return the specification with which a worker does the same as `job`."""
    options = replace(
        job.tools.options, inputs=None, files_from=None, output=None, output_dir=None
    )  # fmt: skip
    return JobSpec(job.operation, options, device, threads)


class FileConverter:
    """Converts the files of one batch.

    Args:
        spec: specification of the batch.
        registry: the models of the machine that started the batch.
    """

    def __init__(self, spec: JobSpec, registry: Registry) -> None:
        self._said: list[str] = []
        options = spec.options
        said, side = self._said.append, tile_side(options.tile)
        models = Models(spec.device, options.precision, side, said, registry)
        tools = Tools(Console(quiet=True), models, Progress(quiet=True), options)
        self._job = Job(spec.operation, tools)
        use_threads(spec.threads)

    def make(self, record: Record, image_format: Format, data: bytes) -> Converted:
        """Convert an input file, and return any IrnError as part of the result."""
        job, made = self._job, Converted(record)
        try:
            made.data = job.convert(job.decode(job.open(data), record), image_format, record)()
        except IrnError as error:
            if job.tools.options.debug:
                error.add_note(traceback.format_exc())
            made.error = error
        made.messages, self._said[:] = list(self._said), []
        return made


class Worker:
    """A process that Ray starts on the cluster; it loads the network once and keeps it."""

    _converter: FileConverter

    def version(self) -> str:
        """Return the version of irn on this machine."""
        return __version__

    def begin(self, spec: JobSpec, bundle: ModelBundle) -> None:
        """Load the models of a batch."""
        import ray

        # One copy of the models per machine, in the directory of the Ray session.
        here = ray.get_runtime_context()
        folder = Path(here.get_temp_dir(), here.get_session_name(), "irn")
        self._converter = FileConverter(spec, bundle.unpack(folder))

    def make(self, record: Record, image_format: Format, data: bytes) -> Converted:
        """See FileConverter."""
        return self._converter.make(record, image_format, data)
