"""`irn eval --task compress`: quality over rate of irn and of the codecs by themselves."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from irncli.errors import ExitStatus, IrnError, UsageError

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.cli.commands.evaluation_outputs import Outputs, Showing
    from irncli.engine.device import Precision
    from irncli.eval.compression import Rivals
    from irncli.operations.models import LoadedRestorer, Models

__all__ = ["Request", "measure", "parse_qualities", "showing"]

NONE = "none"


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how: the options.

    Attributes:
        data: folders and files.
        models: of irn's JPEG; at most one; none: by scale.
        restorer: name or path, `none`, or None: crm-jpeg where it is there.
        qualities: of irn's JPEG; None: the usual ones.
        scale: None: that of the model that was given, else 2.
        tile: side, in pixels.
        device: where networks run.
        precision: inside them.
        threads: of the CPU.
        max_pixels: larger pictures are refused.
    """

    data: list[Path]
    models: list[str]
    restorer: str | None
    qualities: tuple[int, ...] | None
    scale: int | None
    tile: int | None
    device: str
    precision: Precision
    threads: int | None
    max_pixels: int


def parse_qualities(text: str | None) -> tuple[int, ...] | None:
    """Qualities such as `30,50,70`, rising, each once; None stays None.

    Raises:
        UsageError: something that is no quality.
    """
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= 100 for word in words):
        raise UsageError(f"--qualities {text}: expected numbers from 1 to 100, such as 30,50,70")
    return tuple(sorted({int(word) for word in words}))


def showing() -> Showing:
    """How records of compression are shown."""
    from irncli.cli.commands.evaluation_outputs import Showing
    from irncli.eval import compression_plot, compression_report

    return Showing(
        compression_report.table,
        compression_report.csv_text,
        compression_report.page,
        compression_plot.chart,
    )


def measure(request: Request, env: Console, outputs: Outputs) -> ExitStatus:
    """Measure, and write what was asked for.

    Raises:
        UsageError: several models, or what `find_sets` and the models refuse.
        InputMissingError: no such input, or a folder without pictures.
        UnavailableError: no such model.
    """
    import torch

    from irncli.batch.progress import Progress
    from irncli.eval.compression import measure_compression
    from irncli.eval.harness import find_sets

    sets = find_sets(request.data)
    outputs.refuse([path for one in sets for path in one.paths])
    rivals = _rivals(request, env)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    failures: set[Path] = set()

    def complain(path: Path, error: IrnError) -> None:
        failures.add(path)
        if env.debug:
            traceback.print_exception(error)
        env.complain(f"{path}: {error}")

    pictures = sum(len(one.paths) for one in sets)
    progress = Progress(quiet=env.quiet)
    with progress.running(pictures):
        records = [
            record
            for one in sets
            for record in measure_compression(
                one,
                rivals,
                progress=lambda path, name=one.name: progress.file(f"{name}: {path.name}"),  # type: ignore[misc]
                failed=complain,
            )
        ]
    outputs.write(records)
    if failures:
        env.complain(f"{len(failures)} of {pictures} pictures failed")
    return ExitStatus.SOME_FAILED if failures else ExitStatus.OK


def _rivals(request: Request, env: Console) -> Rivals:
    from irncli import __version__
    from irncli.eval.compression import QUALITIES, Rivals
    from irncli.eval.contestants import Trained
    from irncli.operations.compress import model_for
    from irncli.operations.models import Models

    if len(request.models) > 1:
        raise UsageError("--task compress measures one model: give --model once")
    models = Models(request.device, request.precision, request.tile, env.say)

    def trained(name: str) -> Trained:
        model = models.load(name)
        return Trained(model.name, model)

    given = trained(request.models[0]) if request.models else None
    scale = request.scale or (given.scale if given else 2)
    return Rivals(
        jpeg=given or trained(model_for(scale, "jpeg")),
        png=trained(model_for(scale, "png")),
        restorer=_restorer(request.restorer, models),
        scale=scale,
        qualities=request.qualities or QUALITIES,
        max_pixels=request.max_pixels,
        version=__version__,
    )


def _restorer(name: str | None, models: Models) -> LoadedRestorer | None:
    from irncli.operations.compress import RESTORER

    if name is None and RESTORER in {entry.name for entry in models.registry.entries()}:
        name = RESTORER
    if name in (None, NONE):
        return None
    return models.load_restorer(str(name))
