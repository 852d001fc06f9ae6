"""`irn train`: weights from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from irncli.cli import options
from irncli.errors import UsageError

if TYPE_CHECKING:
    from irncli.train.loop import Progress

__all__ = ["train"]

REPORT_EVERY = 20


def train(
    preset: Annotated[str, typer.Option("--preset", metavar="P", help="irn-x2 or irn-x4.")],
    data: Annotated[
        list[Path], typer.Option("--data", metavar="PATH", help="Folder or tar shard; repeatable.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="RUN", help="Run directory; continued if it exists.")
    ],
    init: Annotated[
        Path | None, typer.Option("--init", metavar="FILE", help="Weights to start from.")
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", metavar="N")] = None,
    steps: Annotated[int | None, typer.Option("--steps", metavar="N")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=N", help="Replace a number of the recipe; repeatable."),
    ] = None,
    device: options.Device = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="CPU threads.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0)] = 0,
    quiet: options.Quiet = False,
) -> None:
    """Train a model; the same command continues an interrupted run."""
    from irncli.train.recipe import PRESETS

    if preset not in PRESETS:
        raise UsageError(f"no preset {preset!r}; there are: {', '.join(PRESETS)}")
    import torch

    from irncli.cli.env import Environment
    from irncli.cli.progress import Progress as Bar
    from irncli.engine.device import resolve_device
    from irncli.train.data import load_pictures
    from irncli.train.loop import Budget
    from irncli.train.loop import train as run

    recipe = PRESETS[preset].changed(changes or [])
    budget = Budget(steps=steps, minutes=minutes)
    env = Environment(quiet=quiet)
    if threads is not None:
        torch.set_num_threads(threads)
    pictures = load_pictures(data)
    for name in pictures.damaged:
        env.say(f"irn: {name}: damaged, left out")
    with Bar(1, quiet=quiet) as bar, bar.file(preset) as tick:
        spent = 0.0

        def report(progress: Progress) -> None:
            nonlocal spent
            tick(progress.share - spent)
            spent = progress.share
            if progress.step % REPORT_EVERY == 0:
                env.say(_line(progress))

        run(
            recipe,
            pictures,
            out,
            name=preset,
            budget=budget,
            init=init,
            device=resolve_device(device),
            seed=seed,
            report=report,
            say=env.say,
        )


def _line(progress: Progress) -> str:
    result = progress.result
    return (
        f"step {progress.step} ({progress.share:.1%}): loss {result.loss:.1f}, "
        f"HR {result.hr_psnr:.2f} dB, LR {result.lr_psnr:.2f} dB, "
        f"{progress.steps_per_second:.2f} steps/s"
    )
