"""`irn train`: weights from pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from irncli.cli import options
from irncli.cli.help import candidates
from irncli.cli.help.groups import BUDGET, RECIPE
from irncli.errors import ExitStatus, InputMissingError, UsageError

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.train.loop import Progress
    from irncli.train.recipe import Recipe

__all__ = ["train"]


def train(
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="P",
            autocompletion=candidates.presets,
            help="Preset to train; see --list.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Directory, pattern, tar shard or image to train on; repeatable.",
            rich_help_panel=RECIPE,
            readable=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="RUN",
            help="Directory of the run.",
            rich_help_panel=RECIPE,
            readable=False,
        ),
    ] = None,
    recipe: Annotated[
        Literal["irn", "paper"],
        typer.Option(
            "--recipe", help="irn: our recipe; paper: that of the paper.", rich_help_panel=RECIPE
        ),
    ] = "irn",
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file that sets fields of the recipe.",
            rich_help_panel=RECIPE,
            readable=False,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=V",
            help="Set a field of the recipe; repeatable.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="M",
            autocompletion=candidates.models,
            help="Weights to start from: a name, a file or none.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            "--validation",
            metavar="PATH",
            help="Images to validate on. The default is 1 in 24 of --data.",
            rich_help_panel=RECIPE,
            readable=False,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="N", help="Training time.", rich_help_panel=BUDGET),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            help="Number of steps. The default is that of the recipe.",
            rich_help_panel=BUDGET,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Continue the run in --out, if there is one.", rich_help_panel=BUDGET
        ),
    ] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            min=0,
            help="Random seed of weights and crops.",
            rich_help_panel=RECIPE,
        ),
    ] = 0,
    list_: Annotated[
        bool,
        typer.Option("--list", help="List the presets and exit.", rich_help_panel=RECIPE),
    ] = False,
    show: Annotated[
        str | None,
        typer.Option(
            "--show",
            metavar="P",
            autocompletion=candidates.presets,
            help="Print the recipe of a preset as TOML and exit.",
            rich_help_panel=RECIPE,
        ),
    ] = None,
    quiet: options.Quiet = False,
) -> int:
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
    if list_:
        return _list()
    if show is not None:
        typer.echo(_recipe(show, recipe, config, changes).as_toml(), nl=False)
        return int(ExitStatus.OK)
    if preset is None or not data or out is None:
        raise UsageError("give --preset P, --data PATH and --out RUN (or --list, or --show P)")
    chosen = _recipe(preset, recipe, config, changes)
    if minutes is None and steps is None:
        steps = chosen.optimiser.steps
    return _train(
        chosen, preset, data, out, init=init, validation=validation, budget=(steps, minutes),
        resume=resume, device_name=device, threads=threads, seed=seed, quiet=quiet,
    )  # fmt: skip


def _recipe(name: str, variant: str, config: Path | None, changes: list[str] | None) -> Recipe:
    """The preset with what the file and then the command line replace."""
    from irncli.train.presets import preset
    from irncli.train.recipe import parse_assignments, parse_toml

    chosen = preset(name, variant)
    if config is not None:
        try:
            text = config.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputMissingError(f"cannot read --config {config}: {reason}") from error
        chosen = chosen.changed(parse_toml(text))
    return chosen.changed(parse_assignments(changes or []))


def _list() -> int:
    from irncli.zoo.catalogue import CATALOGUE
    from irncli.zoo.registry import default_registry

    here = {entry.name for entry in default_registry().entries()}
    for name, purpose in CATALOGUE.items():
        weights = "weights here" if name in here else "no weights yet"
        typer.echo(f"{name:<14} {weights:<15} {purpose}")
    return int(ExitStatus.OK)


def _train(
    recipe: Recipe,
    name: str,
    data: list[Path],
    out: Path,
    *,
    init: str | None,
    validation: list[Path] | None,
    budget: tuple[int | None, float | None],
    resume: bool,
    device_name: str,
    threads: int | None,
    seed: int,
    quiet: bool,
) -> int:
    import os

    import torch

    from irncli.batch.console import Console
    from irncli.batch.progress import Progress as Bar
    from irncli.cli.interrupts import Interrupts
    from irncli.engine.device import resolve_device, use_exact_fp32
    from irncli.train.data import load_pictures
    from irncli.train.loop import Budget, Hooks, Run
    from irncli.train.loop import train as run
    from irncli.train.parallel import process_group, ranks_of
    from irncli.train.setup import gather
    from irncli.zoo.registry import default_registry

    ranks = ranks_of(os.environ)
    env = Console(quiet=quiet or not ranks.leads)
    locate = default_registry().locate
    device = resolve_device(device_name)
    if device.type == "cuda" and ranks.count > 1:
        device = torch.device("cuda", ranks.local)
        torch.cuda.set_device(device)
    use_exact_fp32()
    if threads is not None:
        torch.set_num_threads(threads)
    start = recipe.network.init if init is None else init
    options_ = Run(
        name=name,
        out=out,
        budget=Budget(*budget),
        init=locate(start) if start not in ("", "none") else None,
        held_out=load_pictures(validation) if validation else None,
        device=device,
        seed=seed,
        resume=resume,
        ranks=ranks,
    )
    ingredients = gather(recipe, locate)
    pictures = load_pictures(data)
    for damaged in pictures.damaged:
        env.say(f"irn: {damaged}: damaged, left out")
    bar = Bar(quiet=env.quiet)
    with (
        process_group(ranks, device),
        bar.running(1),
        bar.file(name) as tick,
        Interrupts() as interrupts,
    ):
        report = _reporter(env, tick, recipe.report.log_every)
        finished = run(
            recipe, pictures, options_, ingredients, Hooks(report, env.say, interrupts.asked)
        )
    if finished or interrupts.status is None:
        return int(ExitStatus.OK)
    env.say(f"irn: stopped; the state is saved, go on with --resume --out {out}")
    return int(interrupts.status)


def _reporter(
    env: Console, tick: Callable[[float], None], every: int
) -> Callable[[Progress], None]:
    """Moves the bar with each step, and says a line now and then."""
    spent = 0.0

    def report(progress: Progress) -> None:
        nonlocal spent
        tick(progress.share - spent)
        spent = progress.share
        if progress.step % every == 0:
            env.say(_line(progress))

    return report


def _line(progress: Progress) -> str:
    values = progress.result.values
    measured = "".join(
        f", {label} {values[name]:.2f} dB"
        for label, name in (("HR", "hr_psnr"), ("LR", "lr_psnr"))
        if name in values
    )
    return (
        f"step {progress.step} ({progress.share:.1%}): loss {values['loss']:.1f}{measured}, "
        f"{progress.steps_per_second:.2f} steps/s"
    )
