"""`irn train`: train a model on images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from irncli.cli import options
from irncli.cli.declare import option, settings_command
from irncli.cli.help import candidates
from irncli.cli.help.groups import BUDGET, RECIPE
from irncli.errors import ExitStatus, InputMissingError, IrnError, UsageError

if TYPE_CHECKING:
    import torch

    from irncli.batch.console import Console
    from irncli.train.loop import Progress
    from irncli.train.parallel import Ranks
    from irncli.train.recipe import Recipe
    from irncli.train.started import Start

__all__ = ["train"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TrainOptions:
    """Settings of `irn train`, each declared as an option."""

    preset: Annotated[
        str | None,
        option(
            RECIPE, "--preset P", "Preset to train; see --list.", autocompletion=candidates.presets
        ),
    ] = None
    data: Annotated[
        list[Path] | None,
        option(
            RECIPE, "--data PATH", "Directory, pattern, tar shard or image to train on; repeatable."
        ),
    ] = None
    out: Annotated[
        Path | None,
        option(RECIPE, "--out RUN", "Directory of the run.", autocompletion=candidates.directories),
    ] = None
    recipe: Annotated[
        Literal["irn", "paper"],
        option(RECIPE, "--recipe", "irn: our recipe; paper: that of the paper."),
    ] = "irn"
    config: Annotated[
        Path | None,
        option(RECIPE, "--config FILE", "TOML file that sets fields of the recipe."),
    ] = None
    changes: Annotated[
        list[str] | None,
        option(RECIPE, "--set NAME=V", "Set a field of the recipe; repeatable."),
    ] = None
    init: Annotated[
        str | None,
        option(
            RECIPE,
            "--init M",
            "Weights to start from: a name, a file or none.",
            autocompletion=candidates.models,
        ),
    ] = None
    validation: Annotated[
        list[Path] | None,
        option(
            RECIPE,
            "--validation PATH",
            "Images to validate on; repeatable. The default is 1 in 24 of --data.",
        ),
    ] = None
    minutes: Annotated[
        float | None,
        option(BUDGET, "--minutes N", "Training time in minutes, over all sessions of the run."),
    ] = None
    steps: Annotated[
        int | None,
        option(BUDGET, "--steps N", "Number of steps. The default is that of the recipe."),
    ] = None
    resume: Annotated[
        bool,
        option(
            BUDGET,
            "--resume",
            "Continue the run in --out, if there is one. Options that are left out are those that "
            "it was started with; others must agree with them.",
        ),
    ] = False
    device: options.Device = "auto"
    threads: options.Threads = None
    seed: Annotated[int, option(RECIPE, "--seed N", "Random seed of weights and crops.", min=0)] = 0
    list_: Annotated[bool, option(RECIPE, "--list", "List the presets and exit.")] = False
    show: Annotated[
        str | None,
        option(
            RECIPE,
            "--show P",
            "Print the recipe of a preset as TOML and exit.",
            autocompletion=candidates.presets,
        ),
    ] = None
    quiet: options.Quiet = False


@settings_command
def train(settings: TrainOptions) -> int:
    """Train a model, or continue a run with --resume.

    A run that was stopped at any moment continues to the same result. For several GPUs or machines:
    torchrun --nproc-per-node N -m irncli train ...

    The printed loss falls below zero when our recipes begin to measure images by their PSNR: it is
    the logarithm of an error then, so only its changes matter. HR and LR are PSNRs in dB: the
    higher, the better.

    Examples:
      irn train --list
      irn train --preset irn-x2 --data photos/ --out runs/x2 --minutes 60
      irn train --resume --out runs/x2 --minutes 90
      irn train --show irn-x4 > recipe.toml

    Exit status:
      130, 143  stopped; the state was saved, continue with --resume

    Environment:
      WORLD_SIZE, RANK  number of processes that train together, and which one this is (torchrun)
      LOCAL_RANK        index of the GPU of this process
    """
    if settings.list_:
        return _list()
    if settings.show is not None:
        typer.echo(_recipe(settings.show, settings).as_toml(), nl=False)
        return int(ExitStatus.OK)
    if settings.preset is not None:
        _recipe(settings.preset, settings)  # a mistyped name is said before what is missing
    if settings.out is None or not (settings.resume or (settings.preset and settings.data)):
        raise UsageError("give --preset P, --data PATH and --out RUN (or --list, or --show P)")
    return _train(settings, settings.out)


def _recipe(name: str, settings: TrainOptions) -> "Recipe":
    """Return a preset with the changes of the `--config` file, and then those of `--set`."""
    from irncli.train.presets import preset

    return _changed(preset(name, settings.recipe), settings)


def _changed(chosen: "Recipe", settings: TrainOptions) -> "Recipe":
    """Return a recipe with the changes of the `--config` file, and then those of `--set`."""
    from irncli.train.recipe import parse_assignments, parse_toml

    if settings.config is not None:
        try:
            text = settings.config.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputMissingError(f"cannot read --config {settings.config}: {reason}") from error
        chosen = chosen.changed(parse_toml(text))
    return chosen.changed(parse_assignments(settings.changes or []))


def _list() -> int:
    from irncli.cli.tables import entry, terminal_width
    from irncli.zoo.catalogue import CATALOGUE
    from irncli.zoo.registry import default_registry

    here = {each.name for each in default_registry().entries()}
    for name, purpose in CATALOGUE.items():
        weights = "weights here" if name in here else "no weights yet"
        typer.echo(entry(f"{name:<14} {weights}", purpose, 31, terminal_width()))
    return int(ExitStatus.OK)


def _train(settings: TrainOptions, out: Path) -> int:
    import os

    import torch

    from irncli.batch.console import Console
    from irncli.engine.device import resolve_device, use_exact_fp32, use_threads
    from irncli.train.parallel import process_group, ranks_of

    ranks = ranks_of(os.environ)
    console = Console(quiet=settings.quiet or not ranks.leads)
    device = resolve_device(settings.device)
    if device.type == "cuda" and ranks.count > 1:
        device = torch.device("cuda", ranks.local)
        torch.cuda.set_device(device)
    use_exact_fp32()
    use_threads(settings.threads)
    with process_group(ranks, device):
        # Only the leader reads the run directory, since machines need not share a file system.
        before = _before(out) if settings.resume and ranks.leads else None
        start, recipe = _start(settings, out, ranks.from_leader(before))
        return _run(settings, out, start, recipe, console, device, ranks)


def _before(out: Path) -> "tuple[Start, Recipe] | None":
    """Return what a run was started with, and its recipe; None if there is no such run."""
    from irncli.io.paths import read_input
    from irncli.train.presets import preset
    from irncli.train.recipe import parse_toml
    from irncli.train.started import read_start

    start = read_start(out)
    if start is None:
        return None
    path = out / "recipe.toml"
    try:
        text = read_input(path).decode("utf-8", "replace")
        return start, preset(start.preset, start.variant).changed(parse_toml(text))
    except IrnError as error:
        raise type(error)(f"{path}: {error}") from error


def _start(
    settings: TrainOptions, out: Path, before: "tuple[Start, Recipe] | None"
) -> "tuple[Start, Recipe]":
    """Return what the run is started with, and its recipe.

    Options that are not given are those of the run that is continued.

    Args:
        settings: options of the command.
        out: directory of the run.
        before: what the run in the directory was started with, and its recipe; None: a new run.

    Raises:
        UsageError: an option is missing, or contradicts the run that is continued.
    """
    from dataclasses import replace

    from irncli.train.started import Start

    if before is None and (settings.preset is None or not settings.data):
        raise UsageError(
            f"{out} does not say what to continue: give --preset P and --data PATH, as for a new "
            "run"
        )
    if before is None or settings.preset is not None:
        assert settings.preset is not None  # noqa: S101
        recipe = _recipe(settings.preset, settings)
        start = Start(preset=settings.preset, variant=settings.recipe, data=())
    else:
        start, recipe = before[0], _changed(before[1], settings)
        if settings.recipe not in ("irn", start.variant):
            raise UsageError(
                f"--recipe {settings.recipe}: {out} was started with --recipe {start.variant}"
            )
    old = start if before is None else before[0]
    budget: dict[str, Any] = {"steps": settings.steps, "minutes": settings.minutes}
    if settings.steps is None and settings.minutes is None:
        budget = {"steps": old.steps, "minutes": old.minutes}
    if budget["steps"] is None and budget["minutes"] is None:
        budget["steps"] = recipe.optimiser.steps
    start = replace(
        start,
        data=_absolute(settings.data) or old.data,
        validation=_absolute(settings.validation) or old.validation,
        init=old.init if settings.init is None else _kept(settings.init),
        seed=settings.seed or old.seed,
        **budget,
    )
    return start, recipe


def _absolute(paths: list[Path] | None) -> tuple[str, ...]:
    return tuple(str(path.absolute()) for path in paths or ())


def _kept(init: str) -> str:
    """Return the value of `--init` as it is saved: files by their absolute paths."""
    from irncli.zoo.registry import default_registry

    names = {entry.name for entry in default_registry().entries()}
    path = Path(init)
    return str(path.absolute()) if init not in names and path.is_file() else init


def _run(
    settings: TrainOptions,
    out: Path,
    start: "Start",
    recipe: "Recipe",
    console: "Console",
    device: "torch.device",
    ranks: "Ranks",
) -> int:
    from irncli.batch.progress import Progress as Bar
    from irncli.cli.interrupts import Interrupts
    from irncli.train.data import load_images
    from irncli.train.loop import Budget, Hooks, Run
    from irncli.train.loop import train as run
    from irncli.train.setup import load_networks
    from irncli.zoo.registry import default_registry

    def say(message: str) -> None:
        console.say(f"irn: {message}")

    locate = default_registry().locate
    init = recipe.network.init if start.init is None else start.init
    held_out = [Path(path) for path in start.validation]
    run_settings = Run(
        name=start.preset,
        out=out,
        budget=Budget(start.steps, start.minutes),
        init=locate(init) if init not in ("", "none") else None,
        held_out=load_images(held_out) if held_out else None,
        device=device,
        seed=start.seed,
        resume=settings.resume,
        ranks=ranks,
        start=start,
    )
    networks = load_networks(recipe, locate)
    images = load_images(Path(path) for path in start.data)
    for one in images.left_out:
        console.say(f"irn: {one}, left out")
    bar = Bar(quiet=console.quiet)
    with bar.running(1), bar.file(start.preset) as tick, Interrupts() as interrupts:
        report = _reporter(console, tick, recipe.report.log_every)
        hooks = Hooks(report, say, interrupts.asked)
        finished = run(recipe, images, run_settings, networks, hooks)
    if finished or interrupts.status is None:
        return int(ExitStatus.OK)
    console.say(f"irn: stopped; the state is saved, continue with --resume --out {out}")
    return int(interrupts.status)


def _reporter(
    console: "Console", tick: Callable[[float], None], every: int
) -> Callable[["Progress"], None]:
    """Return a function that moves the bar at each step, and prints a line every `every` steps."""
    spent = 0.0

    def report(progress: "Progress") -> None:
        nonlocal spent
        tick(progress.share - spent)
        spent = progress.share
        if progress.step % every == 0:
            console.say(_line(progress))

    return report


def _line(progress: "Progress") -> str:
    values = progress.result.values
    measured = "".join(
        f", {label} {values[name]:.2f} dB"
        for label, name in (("HR", "hr_psnr"), ("LR", "lr_psnr"))
        if name in values
    )
    return (
        f"irn: step {progress.step} ({progress.share:.1%}): loss {values['loss']:.1f}{measured}, "
        f"{progress.steps_per_second:.2f} steps/s"
    )
