"""`irn eval`: how good models and resizing filters are, on folders of pictures."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from irncli.cli import options
from irncli.cli.commands import evaluate_compress
from irncli.cli.commands import evaluation_options as chosen
from irncli.errors import ExitStatus, IrnError, UsageError

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.batch.progress import Progress
    from irncli.cli.commands.evaluation_outputs import Outputs, SavedPictures
    from irncli.engine.device import Precision
    from irncli.eval.contestants import Contestant
    from irncli.eval.harness import PictureSet, Settings
    from irncli.eval.perceptual import Panel
    from irncli.eval.records import Record

__all__ = ["evaluate"]

BASELINES = ("bicubic", "lanczos")


def evaluate(
    data: chosen.Data = None,
    task: chosen.Task = "rescale",
    model: chosen.Models = None,
    scale: chosen.Scale = None,
    baseline: chosen.Baseline = None,
    seeds: chosen.Seeds = None,
    temperature: chosen.Temperature = None,
    guard: options.Guard = "on",
    qualities: chosen.Qualities = None,
    restorer: chosen.Restorer = None,
    perceptual: chosen.Perceptual = None,
    json: chosen.JsonFile = None,
    csv: chosen.CsvFile = None,
    markdown: chosen.Page = None,
    plot: chosen.Chart = None,
    save: chosen.Save = None,
    remark: chosen.Remark = None,
    source: chosen.Source = None,
    tile: options.TileSide = "auto",
    device: options.Device = "auto",
    precision: options.PrecisionName = "auto",
    threads: options.Threads = None,
    max_pixels: options.MaxPixels = 500_000_000,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
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
    foreign: dict[str, dict[str, object]] = {
        "compress": {
            "--baseline": baseline, "--seeds": seeds, "--temperature": temperature,
            "--perceptual": perceptual, "--save": save, "--from": source or None,
        },
        "rescale": {"--qualities": qualities, "--restorer": restorer},
    }  # fmt: skip
    _refuse_foreign(task, foreign[task])
    measuring = (data, model, scale, baseline, seeds, temperature, perceptual, save, threads)
    if source and any(option is not None and option != [] for option in measuring):
        raise UsageError(
            "--from shows records that were measured: leave out what is to be measured"
        )
    if not data and not source:
        raise UsageError("what is to be measured? give folders of pictures, or --from F.json")
    whole_scale, filters = _whole(scale), _filters(baseline)
    wanted_qualities = evaluate_compress.parse_qualities(qualities)
    from irncli.batch.console import Console
    from irncli.batch.plan import tile_side
    from irncli.cli.commands.evaluation_outputs import Outputs

    env = Console(quiet=quiet, debug=debug)
    outputs = Outputs(env, json, csv, markdown, plot, overwrite, remark)
    outputs.refuse(source or [])
    if source:
        outputs.write(_read(source))
        return int(ExitStatus.OK)
    if task == "compress":
        compressing = evaluate_compress.Request(
            data or [], model or [], restorer, wanted_qualities, whole_scale,
            tile_side(tile), device, precision, threads, max_pixels,
        )  # fmt: skip
        shown = replace(outputs, show=evaluate_compress.showing())
        return int(evaluate_compress.measure(compressing, env, shown))
    request = Request(
        data or [], model or [], filters, whole_scale, seeds or 1, temperature, perceptual,
        tile_side(tile), device, precision, threads, max_pixels, save, overwrite, guard == "on",
    )  # fmt: skip
    return int(_measure(request, env, outputs))


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how: the options."""

    data: list[Path]
    models: list[str]
    baselines: list[str]
    scale: int | None
    seeds: int
    temperature: float | None
    perceptual: str | None
    tile: int | None
    device: str
    precision: Precision
    threads: int | None
    max_pixels: int
    save: Path | None
    overwrite: bool
    guarded: bool


def _refuse_foreign(task: str, options_of_other: dict[str, object]) -> None:
    for name, value in options_of_other.items():
        if value is not None:
            raise UsageError(f"{name} has no meaning with --task {task}: leave it out")


def _whole(scale: float | None) -> int | None:
    if scale is None:
        return None
    if not 2 <= scale <= 64 or scale != int(scale):
        raise UsageError(f"--scale {scale:g}: expected a whole number, 2 to 64")
    return int(scale)


def _filters(text: str | None) -> list[str]:
    names = [] if text is None else [name.strip() for name in text.split(",")]
    for name in names:
        if name not in BASELINES:
            raise UsageError(f"no baseline {name!r}; there are: {', '.join(BASELINES)}")
    return list(dict.fromkeys(names))


def _read(paths: list[Path]) -> list[Record]:
    """Records of `--from`; errors name the file."""
    from irncli.eval.records import loads, merge
    from irncli.io.paths import read_input

    files = []
    for path in paths:
        try:
            files.append(loads(read_input(path)))
        except IrnError as error:
            raise type(error)(f"{path}: {error}") from error
    return merge(files)


def _measure(request: Request, env: Console, outputs: Outputs) -> ExitStatus:
    import torch

    from irncli import __version__
    from irncli.batch.progress import Progress
    from irncli.cli.commands.evaluation_outputs import SavedPictures
    from irncli.eval.harness import Settings, find_sets

    sets = find_sets(request.data)
    outputs.refuse([path for one in sets for path in one.paths])
    contestants = _contestants(request, env)
    panel = _panel(request, env)
    saved = None
    if request.save is not None:
        saved = SavedPictures(request.save, sets, contestants, request.overwrite)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    settings = Settings(
        seeds=request.seeds,
        temperature=request.temperature,
        max_pixels=request.max_pixels,
        version=__version__,
    )
    jobs = sum(len(one.paths) for one in sets) * len(contestants)
    progress = Progress(quiet=env.quiet)
    with progress.running(jobs):
        work = _Work(env, progress, settings, saved, panel)
        records = work(sets, contestants)
    outputs.write(records)
    pictures = sum(len(one.paths) for one in sets)
    if work.failed:
        env.complain(f"{len(work.failed)} of {pictures} pictures failed")
    return ExitStatus.SOME_FAILED if work.failed else ExitStatus.OK


def _contestants(request: Request, env: Console) -> list[Contestant]:
    from irncli.eval.contestants import choose
    from irncli.operations.models import Models

    models = Models(request.device, request.precision, request.tile, env.say)
    return choose(request.models, request.baselines, request.scale, models, guarded=request.guarded)


def _panel(request: Request, env: Console) -> Panel | None:
    """The perceptual metrics; one warning for all that are missing."""
    from irncli.engine.device import resolve_device
    from irncli.eval.perceptual import Panel, parse_names

    if request.perceptual is None:
        return None
    panel = Panel(parse_names(request.perceptual), resolve_device(request.device))
    if panel.notes:
        reasons = "; ".join(dict.fromkeys(panel.notes.values()))
        env.say(f"irn: warning: not measured: {', '.join(panel.notes)}: {reasons}")
    return panel


@dataclass
class _Work:
    env: Console
    progress: Progress
    settings: Settings
    saved: SavedPictures | None
    panel: Panel | None
    failed: set[Path] = field(default_factory=set)
    _said: set[str] = field(default_factory=set)

    def __call__(self, sets: list[PictureSet], contestants: list[Contestant]) -> list[Record]:
        from irncli.eval.contestants import warm_up

        for contestant in contestants:
            warm_up(contestant)
        return [self._one(pictures, each) for pictures in sets for each in contestants]

    def _one(self, pictures: PictureSet, contestant: Contestant) -> Record:
        from irncli.eval.harness import measure_set

        label = f"{pictures.name}, {contestant.name}"
        return measure_set(
            pictures,
            contestant,
            self.settings,
            judge=self.panel.sit() if self.panel else None,
            keep=self.saved.keeper(pictures, contestant) if self.saved else None,
            progress=lambda path: self.progress.file(f"{label}: {path.name}"),
            failed=self._complain,
        )

    def _complain(self, path: Path, error: IrnError) -> None:
        """Name a picture that failed; not again for each contestant."""
        self.failed.add(path)
        message = f"{path}: {error}"
        if message not in self._said:
            self._said.add(message)
            if self.env.debug:
                traceback.print_exception(error)
            self.env.complain(message)
