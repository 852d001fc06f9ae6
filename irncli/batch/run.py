"""The run of a batch: while the network works, the next file is read and the last one written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from irncli.batch.console import Console, Record, Reporter
from irncli.batch.dry_run import DryRun
from irncli.batch.jobs import Encode, Job, Tools
from irncli.batch.ledger import Ledger, default_ledger
from irncli.batch.messages import shown
from irncli.batch.plan import (
    Destination,
    PlannedFile,
    ineffective,
    make_directories,
    plan,
    refuse_ineffective,
    require_ray,
    tile_side,
)
from irncli.batch.progress import POLL_SECONDS, Progress
from irncli.batch.settings import BatchSettings
from irncli.batch.summaries import Summary
from irncli.batch.tasks import Converter, LocalConverter, Task
from irncli.engine.device import use_threads
from irncli.errors import ImageError, InputMissingError, IrnError, UsageError
from irncli.io.encoding import Format, format_for_suffix
from irncli.io.inputs import Input, expand_inputs, listed, unsearched
from irncli.io.paths import STREAM, refuse_terminal, times_of
from irncli.operations.models import Models
from irncli.operations.result import Operation
from irncli.wording import counted
from irncli.zoo.named import uninstalled

__all__ = ["run_job"]


@contextmanager
def _shut_down_at_once(pool: ThreadPoolExecutor) -> Iterator[ThreadPoolExecutor]:
    """Shut the pool down without waiting, so that a blocked read cannot delay Ctrl-C."""
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class _Batch:
    """The files of a batch, which are read and written by this process even on a cluster.

    Attributes:
        job: job to be done with each file.
        tasks: tasks that have not been started yet.
        reporter: receives the record of each file that is done.
        ledger: outputs of earlier runs.
    """

    job: Job
    tasks: Iterator[Task]
    reporter: Reporter
    ledger: Ledger
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, converter: Converter) -> None:
        """Process one file after another until no file is left or the batch is to stop."""
        with _shut_down_at_once(ThreadPoolExecutor(1)) as reader, ThreadPoolExecutor(1) as writer:
            written: Future[None] | None = None
            ahead = self._read_next(reader, converter)
            while ahead is not None and not self.job.tools.progress.stop.is_set():
                task = self._wait_for(ahead)
                if task is None:
                    break
                if not task.large:
                    ahead = self._read_next(reader, converter)
                encode = task.attempt(partial(converter.convert, task))
                if written is not None:
                    written.result()
                written = writer.submit(self._write, task, encode)
                if task.large:
                    written.result()
                    ahead = self._read_next(reader, converter)
            if written is not None:
                written.result()

    def _wait_for(self, ahead: Future[Task]) -> Task | None:
        """Wait until a file is read, and return its task, or None if the batch is to stop."""
        while not self.job.tools.progress.stop.is_set():
            if wait([ahead], timeout=POLL_SECONDS).done:
                return ahead.result()
        return None

    def _read_next(self, reader: ThreadPoolExecutor, converter: Converter) -> Future[Task] | None:
        with self._lock:
            task = next(self.tasks, None)
        return None if task is None else reader.submit(self._read, task, converter)

    def _read(self, task: Task, converter: Converter) -> Task:
        task.attempt(lambda: task.load(self.job, self.ledger))
        task.attempt(lambda: converter.prepare(task))
        return task

    def _write(self, task: Task, encode: Encode | None) -> None:
        """Encode and write an output, and report the file."""
        tools, record = self.job.tools, task.record
        console, options = tools.console, tools.options

        def write() -> None:
            assert encode is not None  # noqa: S101
            data = encode()
            times = times_of(task.path) if options.preserve_times else None
            console.write(task.output, data, overwrite=options.overwrite, times=times)
            record.bytes_out = len(data)
            if task.output != STREAM:
                self.ledger.note(task.output, task.key)

        task.attempt(write)
        if not task.over:
            record.seconds = round(task.seconds, 3)
        task.data = b""
        self.reporter.done(task.index, record, task.error, left_out=task.left_out)
        tools.progress.count(len(self.reporter))


def run_job(
    options: BatchSettings,
    label: Callable[[Path], str],
    operation: Operation,
    *,
    scale: str | None = None,
    summary: Summary | None = None,
) -> int:
    """Plan a batch, and run an operation on each input.

    Args:
        options: settings of the batch.
        label: function that returns the stem of the default output of an input.
        operation: operation to run on each input.
        scale: value of `{scale}` in a template; None if it differs between files.
        summary: lines about the files, besides warnings; None for the usual ones.

    Returns:
        The exit status.

    Raises:
        IrnError: the options contradict each other, or the batch could not be started.
    """
    if options.ray is not None:
        require_ray(options.ray, options.device)
    use_threads(options.threads)
    console = Console(options.quiet, options.json, options.debug, options.verbose)
    progress = Progress(quiet=options.quiet, records=options.json)
    side = tile_side(options.tile)
    jobs = [
        Job(operation, Tools(console, models, progress, options))
        for models in (
            Models(device, options.precision, side, console.say)
            for device in options.device.split(",")
        )
    ]
    # Refuse a colour that does not exist, and a format that cannot hold the requested result,
    # before any file is read.
    _ = jobs[0].background
    operation.check(_expected_format(options, operation))
    files = _planned_files(options, label, jobs[0], scale)
    summary = summary or Summary()
    tasks, ledger = _tasks(options, operation, files), default_ledger()
    if options.dry_run:
        reporter = Reporter(console, len(files))
        DryRun(jobs[0], reporter, ledger).run(tasks)
    else:
        describe = partial(summary.line, timed=options.verbose)
        reporter = Reporter(console, len(files), watch=summary.add, describe=describe)
        batch = _Batch(jobs[0], tasks, reporter, ledger)
        with _converters(jobs, len(files)) as converters, progress.running(len(files)):
            _work(batch, converters, progress)
        if reporter.skipped:
            console.say(f"irn: already done: {reporter.skipped} of {len(files)}")
        if not options.json:
            console.say_all(summary.total())
        console.say_all(summary.notes())
        if summary.by_model:
            _tell_uninstalled(jobs[0], console)
    _tell_unsearched(options, console)
    _tell_left_out(reporter, operation, console, len(files))
    return int(reporter.status())


def _tell_uninstalled(job: Job, console: Console) -> None:
    """Warn once if the tags that were written name a model that is not installed."""
    model, quiet = job.operation.model, job.tools.options.quiet
    if not job.operation.restores and isinstance(model, str) and not quiet:
        warning = uninstalled(job.tools.models.registry, model)
        console.say_all([shown(f"irn: warning: {warning}")] if warning else [])


def _tell_unsearched(options: BatchSettings, console: Console) -> None:
    if options.recursive or options.quiet:
        return
    found = unsearched(options.inputs or [], without=options.output_dir)
    if found:
        these = counted(found, "subdirectory", "subdirectories")
        console.say(f"irn: not searched: {these} with images; --recursive (-r) includes them")


def _tell_left_out(reporter: Reporter, operation: Operation, console: Console, files: int) -> None:
    """Print how many files were left out, and why.

    Raises:
        IrnError: all files were left out.
    """
    reasons = sorted(reporter.left_out.items())
    found = " and ".join(f"{counted(number, 'image')} {reason}" for reason, number in reasons)
    if found and reporter.left_out.total() == files:
        raise operation.nothing_suitable(found)
    if found:
        console.say(f"irn: left out: {found}")


def _tasks(
    options: BatchSettings, operation: Operation, files: Sequence[PlannedFile]
) -> Iterator[Task]:
    """Yield the tasks one at a time, so that finished tasks take no memory."""
    for index, each in enumerate(files):
        record = Record(
            str(each.path), str(each.output), warnings=ineffective(options, operation, each)
        )
        yield Task(index, each.path, each.output, each.format, record, found=each.found)


@contextmanager
def _converters(jobs: Sequence[Job], files: int) -> Iterator[Sequence[Converter]]:
    """Provide one converter for each device, or for each worker of a cluster."""
    if jobs[0].tools.options.ray is None:
        yield [LocalConverter(job) for job in jobs]
        return
    from irncli.batch.cluster import cluster_converters

    with cluster_converters(jobs[0], files) as converters:
        yield converters


def _work(batch: _Batch, converters: Sequence[Converter], progress: Progress) -> None:
    """Run all converters concurrently, the first one in this thread, which receives Ctrl-C."""
    try:
        with ThreadPoolExecutor(max(1, len(converters) - 1)) as others:
            try:
                running = [others.submit(batch.serve, converter) for converter in converters[1:]]
                batch.serve(converters[0])
                for each in running:
                    each.result()
            except BaseException:
                progress.stop.set()
                raise
    finally:
        batch.ledger.close()


def _planned_files(
    options: BatchSettings, label: Callable[[Path], str], job: Job, scale: str | None
) -> list[PlannedFile]:
    console = job.tools.console
    to = Destination(
        output=options.output, directory=options.output_dir, format=options.image_format,
        operation=job.operation, label=label, scale=scale,
        model=job.model_name(_expected_format(options, job.operation)),
    )  # fmt: skip
    files, left_out = plan(_sources(options, console), to, partial(_unsuitable, job))
    if left_out:
        one = left_out == 1
        why = "it is the output of another input" if one else "they are outputs of other inputs"
        console.say(f"irn: {counted(left_out, 'image')} left out: {why}")
    refuse_ineffective(options, job.operation, files)
    if not options.dry_run and any(each.output == STREAM for each in files):
        refuse_terminal()
    if to.makes_directories and not options.dry_run:
        make_directories(files)
    return files


def _unsuitable(job: Job, path: Path) -> bool:
    """Tell whether a file that was found will be left out; one that cannot be read will fail."""
    try:
        return job.unsuitable(job.tools.console.read(path)) is not None
    except IrnError:
        return False


def _expected_format(options: BatchSettings, operation: Operation) -> Format:
    """Return the format that the options ask for, by name or by the suffix of `-o`."""
    suffix = "" if options.output is None else options.output.suffix
    return options.image_format or format_for_suffix(suffix) or operation.default_format


def _listed(path: Path, console: Console) -> list[Path]:
    try:
        names = listed(console.read(path))
    except ImageError:  # the file is empty, or is not a regular file
        names = []
    except IrnError as error:
        raise type(error)(f"--files-from {path}: {error}") from error
    if not names:
        raise InputMissingError(
            f"no names in --files-from {path}: expected one per line, or NUL-terminated"
        )
    return names


def _sources(options: BatchSettings, console: Console) -> list[Input]:
    paths = list(options.inputs or [])
    if options.files_from is not None:
        if STREAM in paths and options.files_from == STREAM:
            raise UsageError("--files-from - and the input -: standard input cannot be both")
        paths += _listed(options.files_from, console)
    if not paths and options.files_from is None:
        raise UsageError("no input: name images or directories, or - for standard input")
    return expand_inputs(paths, recursive=options.recursive, without=options.output_dir)
