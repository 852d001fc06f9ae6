"""`irn eval`: measure models and filters on directories of images."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from irncli.cli.commands.evaluation_options import EvalOptions
from irncli.cli.declare import settings_command
from irncli.errors import ExitStatus, IrnError

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.cli.commands.evaluation_outputs import Outputs
    from irncli.eval.records import Record

__all__ = ["evaluate"]


@settings_command
def evaluate(settings: EvalOptions) -> int:
    """Measure models and filters on directories of images: PSNR, SSIM, LR, bits, time.

    Each directory is a set, and each model and filter is measured on each set. The table is printed
    to standard output.

    Examples:
      irn eval Set5 --scale 4 --baseline bicubic,lanczos
      irn eval Set5 --model irn-x4 --json results.json --save looks
      irn eval --from results.json --markdown results.md
      irn eval Set5 --task compress --qualities 30,80

    Exit status:
      1  an image could not be measured; the others were
    """
    settings.check()
    from irncli.batch.console import Console
    from irncli.cli.commands.evaluation_outputs import Outputs

    console = Console(quiet=settings.quiet, debug=settings.debug)
    outputs = Outputs(console, settings)
    outputs.refuse(settings.source or [])
    if settings.source:
        outputs.write(_read(settings.source))
        return int(ExitStatus.OK)
    return int(_measure(settings, console, outputs))


def _read(paths: list[Path]) -> "list[Record]":
    """Read the records of `--from`; error messages name the file."""
    from irncli.eval.records import loads, merge
    from irncli.io.paths import read_input

    files = []
    for path in paths:
        try:
            files.append(loads(read_input(path)))
        except IrnError as error:
            raise type(error)(f"{path}: {error}") from error
    return merge(files)


def _measure(settings: EvalOptions, console: "Console", outputs: "Outputs") -> ExitStatus:
    from irncli.batch.progress import Progress
    from irncli.cli.commands.evaluation_studies import study_of
    from irncli.engine.device import use_threads
    from irncli.eval.runner import measure_set
    from irncli.eval.sets import find_sets
    from irncli.wording import counted

    sets = find_sets(settings.data or [])
    outputs.refuse([path for images in sets for path in images.paths])
    use_threads(settings.threads)
    study = study_of(settings, console, sets)
    work = [(images, each) for images in sets for each in study(images)]
    progress, failures = Progress(quiet=console.quiet), _Failures(console)
    with progress.running(sum(len(images.paths) for images, _ in work)):
        records = [
            record
            for images, measurement in work
            for record in measure_set(
                images,
                measurement,
                progress=lambda label, path: progress.file(f"{label}: {path.name}"),
                failed=failures.add,
            )
        ]
    outputs.write(records)
    if failures.paths:
        count = sum(len(images.paths) for images in sets)
        console.complain(f"{len(failures.paths)} of {counted(count, 'image')} failed")
    return ExitStatus.SOME_FAILED if failures.paths else ExitStatus.OK


class _Failures:
    """The images that could not be measured. Each message is printed only once.

    Attributes:
        paths: paths of these images.
    """

    def __init__(self, console: "Console") -> None:
        self.paths: set[Path] = set()
        self._console = console
        self._said: set[str] = set()

    def add(self, path: Path, error: IrnError) -> None:
        self.paths.add(path)
        message = f"{path}: {error}"
        if message not in self._said:
            self._said.add(message)
            if self._console.debug:
                traceback.print_exception(error)
            self._console.complain(message)
