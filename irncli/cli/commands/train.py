"""`irn train`: train a model on images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from irncli.cli import options
from irncli.cli.declare import option, settings_command
from irncli.cli.help import candidates
from irncli.cli.help.groups import BUDGET, RECIPE
from irncli.errors import ExitStatus, InputMissingError, UsageError

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.train.loop import Progress
    from irncli.train.recipe import Recipe

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
    out: Annotated[Path | None, option(RECIPE, "--out RUN", "Directory of the run.")] = None
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
        bool, option(BUDGET, "--resume", "Continue the run in --out, if there is one.")
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

    Examples:
      irn train --list
      irn train --preset irn-x2 --data photos/ --out runs/x2 --minutes 60
      irn train --preset irn-x2 --data photos/ --out runs/x2 --minutes 90 --resume
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
    if settings.preset is None or not settings.data or settings.out is None:
        raise UsageError("give --preset P, --data PATH and --out RUN (or --list, or --show P)")
    return _train(settings, settings.preset, settings.data, settings.out)


def _recipe(name: str, settings: TrainOptions) -> "Recipe":
    """Return a preset with the changes of the `--config` file, and then those of `--set`."""
    from irncli.train.presets import preset
    from irncli.train.recipe import parse_assignments, parse_toml

    chosen = preset(name, settings.recipe)
    if settings.config is not None:
        try:
            text = settings.config.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputMissingError(f"cannot read --config {settings.config}: {reason}") from error
        chosen = chosen.changed(parse_toml(text))
    return chosen.changed(parse_assignments(settings.changes or []))


def _list() -> int:
    from irncli.zoo.catalogue import CATALOGUE
    from irncli.zoo.registry import default_registry

    here = {entry.name for entry in default_registry().entries()}
    for name, purpose in CATALOGUE.items():
        weights = "weights here" if name in here else "no weights yet"
        typer.echo(f"{name:<14} {weights:<15} {purpose}")
    return int(ExitStatus.OK)


def _train(settings: TrainOptions, name: str, data: list[Path], out: Path) -> int:
    import os

    import torch

    from irncli.batch.console import Console
    from irncli.batch.progress import Progress as Bar
    from irncli.cli.interrupts import Interrupts
    from irncli.engine.device import resolve_device, use_exact_fp32, use_threads
    from irncli.train.data import load_images
    from irncli.train.loop import Budget, Hooks, Run
    from irncli.train.loop import train as run
    from irncli.train.parallel import process_group, ranks_of
    from irncli.train.setup import load_networks
    from irncli.zoo.registry import default_registry

    ranks = ranks_of(os.environ)
    console = Console(quiet=settings.quiet or not ranks.leads)
    locate = default_registry().locate
    device = resolve_device(settings.device)
    if device.type == "cuda" and ranks.count > 1:
        device = torch.device("cuda", ranks.local)
        torch.cuda.set_device(device)
    use_exact_fp32()
    use_threads(settings.threads)
    recipe = _recipe(name, settings)
    start = recipe.network.init if settings.init is None else settings.init
    steps = settings.steps
    if steps is None and settings.minutes is None:
        steps = recipe.optimiser.steps

    def say(message: str) -> None:
        console.say(f"irn: {message}")

    run_settings = Run(
        name=name,
        out=out,
        budget=Budget(steps, settings.minutes),
        init=locate(start) if start not in ("", "none") else None,
        held_out=load_images(settings.validation) if settings.validation else None,
        device=device,
        seed=settings.seed,
        resume=settings.resume,
        ranks=ranks,
    )
    networks = load_networks(recipe, locate)
    images = load_images(data)
    for one in images.left_out:
        console.say(f"irn: {one}, left out")
    bar = Bar(quiet=console.quiet)
    with (
        process_group(ranks, device),
        bar.running(1),
        bar.file(name) as tick,
        Interrupts() as interrupts,
    ):
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
