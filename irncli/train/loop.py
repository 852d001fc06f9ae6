"""The training loop: budget, validation, saving, resuming, reporting."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from irncli.errors import CheckpointError, UsageError
from irncli.model import InvertibleNetwork
from irncli.train.data import CropSampler, Pictures, centre_crop, split
from irncli.train.recipe import Recipe
from irncli.train.state import RunDirectory
from irncli.train.step import StepResult, Trainer
from irncli.train.validate import measure_sigma, validate
from irncli.zoo.checkpoint import Card, read_checkpoint, serialise

__all__ = ["Budget", "Progress", "initial_network", "train"]

VALIDATION_SIDE = 192
SAVE_EVERY_SECONDS = 120
LOG_EVERY = 20


@dataclass(frozen=True)
class Budget:
    """How long to train: by steps or by minutes of training time, whichever is given.

    Time counts across resumed sessions.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.steps, self.minutes) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            raise UsageError("give either --steps or --minutes, more than 0")

    def progress(self, step: int, seconds: float) -> float:
        """Share of the budget that is spent; 1 and above ends the run."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None  # noqa: S101
        return seconds / (60 * self.minutes)


@dataclass(frozen=True)
class Progress:
    """What the loop reports after each step."""

    step: int
    share: float
    seconds: float
    steps_per_second: float
    result: StepResult


def initial_network(recipe: Recipe, init: Path | None) -> InvertibleNetwork:
    """A network to start from: fresh, or with the weights of `init`.

    A checkpoint with fewer levels fills the first levels (x4 grows from x2); the rest starts as
    the identity.

    Raises:
        CheckpointError: the checkpoint is not the beginning of this architecture.
    """
    network = InvertibleNetwork(recipe.architecture)
    if init is None:
        return network
    source = read_checkpoint(init).network
    if not isinstance(source, InvertibleNetwork):
        raise CheckpointError(f"{init.name} is no invertible network: it cannot start this preset")
    whole = source.config == recipe.architecture
    levels = len(source.config.levels)
    if not whole and recipe.architecture.levels[:levels] != source.config.levels:
        raise CheckpointError(
            f"{init.name} (x{source.config.scale}) is not the beginning of this "
            f"x{recipe.architecture.scale} network"
        )
    state = source.state_dict()
    if not whole:
        del state["latent_sigma"]
    network.load_state_dict(state, strict=whole)
    return network


def _ignore(what: object) -> None:
    """Report nothing."""


def train(
    recipe: Recipe,
    pictures: Pictures,
    out: Path,
    *,
    name: str,
    budget: Budget,
    init: Path | None = None,
    device: torch.device | None = None,
    seed: int = 0,
    report: Callable[[Progress], None] = _ignore,
    say: Callable[[str], None] = _ignore,
) -> None:
    """Run or continue the training in directory `out` until the budget is spent.

    The best checkpoint is the one with the highest HR PSNR at temperature 1 on the held-out
    pictures, among those after z began to be drawn.

    Raises:
        IrnError: unusable data, directory or initial checkpoint; a full disk.
    """
    run = RunDirectory(out)
    loop = _Loop(recipe, pictures, run, name, budget, device or torch.device("cpu"), seed)
    saved = run.load_state()
    if saved is not None:
        loop.resume(saved)
        say(f"continuing {out} at step {loop.trainer.step}")
    else:
        loop.start(initial_network(recipe, init))
    say(
        f"{len(loop.training)} pictures to train on, {len(loop.held_out)} held out, "
        f"{len(pictures.damaged)} damaged"
    )
    loop.run(report, say)


class _Loop:
    def __init__(
        self,
        recipe: Recipe,
        pictures: Pictures,
        run: RunDirectory,
        name: str,
        budget: Budget,
        device: torch.device,
        seed: int,
    ) -> None:
        self.recipe, self.directory, self.name, self.budget = recipe, run, name, budget
        self.device = device
        self.generator = torch.Generator().manual_seed(seed)
        self.training, held_out = split(pictures)
        scale = recipe.architecture.scale
        self.held_out = [centre_crop(p, scale, VALIDATION_SIDE) for p in held_out.pixels]
        self.sampler = CropSampler(self.training.pixels, scale, self.generator)
        self.seconds = 0.0
        self.best = float("-inf")

    def start(self, network: InvertibleNetwork) -> None:
        self.trainer = Trainer(network.to(self.device), self.recipe, self.generator)

    def resume(self, state: dict[str, Any]) -> None:
        self.start(InvertibleNetwork(self.recipe.architecture))
        self.trainer.restore(state["trainer"])
        self.seconds, self.best = state["seconds"], state["best"]

    def run(self, report: Callable[[Progress], None], say: Callable[[str], None]) -> None:
        trainer, since_save = self.trainer, 0.0
        try:
            while (share := self.budget.progress(trainer.step, self.seconds)) < 1:
                began = time.perf_counter()
                hr, target = self.sampler.draw(*self.recipe.crops_at(share))
                result = trainer.update(hr.to(self.device), target.to(self.device), share)
                took = time.perf_counter() - began
                self.seconds += took
                since_save += took
                progress = Progress(trainer.step, share, self.seconds, 1 / took, result)
                report(progress)
                if trainer.step % LOG_EVERY == 0:
                    self.directory.log(_record(progress))
                if trainer.step % self.recipe.validate_every == 0:
                    self.validate(share, say)
                if since_save > SAVE_EVERY_SECONDS:
                    self.save()
                    since_save = 0.0
            self.validate(1.0, say)
        finally:
            self.save()

    def validate(self, share: float, say: Callable[[str], None]) -> None:
        average = self.trainer.average
        average.latent_sigma.copy_(measure_sigma(average, self.held_out))
        measured = validate(average, self.held_out)
        step = self.trainer.step
        self.directory.log({"step": step, "validation": asdict(measured)})
        say(
            f"step {step}: held-out HR {measured.hr_psnr:.2f} dB (z = 0: "
            f"{measured.hr_psnr_z0:.2f}), LR {measured.lr_psnr:.2f} dB"
        )
        data = serialise(average, self.card(measured.hr_psnr))
        self.directory.save_checkpoint("last", data)
        if share >= self.recipe.draw_from and measured.hr_psnr > self.best:
            self.best = measured.hr_psnr
            self.directory.save_checkpoint("best", data)

    def card(self, held_out_psnr: float) -> Card:
        return Card(
            name=self.name,
            summary=f"trained by irn train, {self.trainer.step} steps",
            recipe=(f"held-out HR {held_out_psnr:.2f} dB", str(self.recipe.as_record())),
            minutes=round(self.seconds / 60, 1),
        )

    def save(self) -> None:
        self.directory.save_state(
            {"trainer": self.trainer.state(), "seconds": self.seconds, "best": self.best}
        )


def _record(progress: Progress) -> dict[str, Any]:
    record = asdict(replace(progress))
    result = record.pop("result")
    return {key: round(value, 6) for key, value in (record | result).items()}
