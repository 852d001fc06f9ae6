"""The training loop: budget, validation, saving, resuming, reporting."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from irncli.engine.device import is_out_of_memory
from irncli.errors import DataError, MemoryExhaustedError, OutputError, UsageError
from irncli.model import InvertibleNetwork, build
from irncli.train.budget import Budget
from irncli.train.crops import CropSampler
from irncli.train.data import Images, centre_crop, split
from irncli.train.log import RunLog
from irncli.train.parallel import Ranks
from irncli.train.recipe import Recipe
from irncli.train.setup import LoadedNetworks, build_trainer
from irncli.train.started import Start
from irncli.train.state import RunDirectory
from irncli.train.step import StepResult, Trainer
from irncli.train.validate import measure_sigma, sample, validator
from irncli.train.warm_start import initial_network
from irncli.wording import counted
from irncli.zoo.checkpoint import Card, serialise

__all__ = ["Budget", "Hooks", "Progress", "Run", "train"]

VALIDATION_SIDE = 192
"""Largest side, in HR pixels, of the centres of held-out images that are validated."""


FEW = 3
"""Largest number of held-out images that are named when a run begins."""


@dataclass(frozen=True)
class Progress:
    """Report of the loop after each step, or where steps are replayed, every `log_every` steps.

    Attributes:
        step: number of steps taken so far.
        share: share of the budget that was spent before this step, 0 to 1.
        seconds: training time of all sessions so far.
        steps_per_second: speed since the last report.
        data_wait: seconds that a step spent on drawing its crops, mean since the last report.
        result: measured values of this step.
    """

    step: int
    share: float
    seconds: float
    steps_per_second: float
    data_wait: float
    result: StepResult


def _ignore(what: object) -> None:
    """Report nothing."""


def _go_on() -> bool:
    return False


@dataclass(frozen=True)
class Hooks:
    """Callbacks from the loop to its caller.

    Attributes:
        report: called with the progress after every step.
        say: called with a message about any other event.
        stopping: called between steps; a return value of True saves and ends the run.
    """

    report: Callable[[Progress], None] = _ignore
    say: Callable[[str], None] = _ignore
    stopping: Callable[[], bool] = _go_on


@dataclass(frozen=True, kw_only=True)
class Run:
    """Settings of one training run besides its recipe.

    Attributes:
        name: name of the model, for its card.
        out: run directory.
        budget: length of the run.
        init: checkpoint with the weights to start from; None: fresh weights.
        held_out: images for validation; None: some of the training images.
        device: device to train on.
        seed: random seed of all draws, those of fresh weights included.
        resume: continue the run in the directory.
        ranks: position of this process among those of the run.
        start: what to save for continuing the run without being told again; None: nothing.
    """

    name: str
    out: Path
    budget: Budget
    init: Path | None = None
    held_out: Images | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seed: int = 0
    resume: bool = False
    ranks: Ranks = field(default_factory=Ranks)
    start: Start | None = None


def train(
    recipe: Recipe,
    images: Images,
    run: Run,
    networks: LoadedNetworks | None = None,
    hooks: Hooks | None = None,
) -> bool:
    """Start or continue a run, until its budget is spent or a hook stops it.

    Law: on the CPU, a run with a budget of steps that is killed at any moment and resumed ends with
    exactly the weights of an uninterrupted run.

    Returns:
        True if the budget is spent; False if the run was stopped and saved before that.

    Raises:
        IrnError: the data, the directory or the initial checkpoint is unusable, the disk is full
            (the last saved state stays intact), the memory does not suffice, or losses do not stay
            finite.
    """
    # Only the leader opens the directory, since machines need not share a file system.
    place = RunDirectory(run.out) if run.ranks.leads else nullcontext()
    try:
        with place as directory:
            loop = _Loop(
                recipe, images, run, networks or LoadedNetworks(), hooks or Hooks(), directory
            )
            with closing(loop):
                return loop.run()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryExhaustedError(
            "not enough memory for a step: lower batch or crop, or set recompute=true"
        ) from error


class _Loop:
    def __init__(
        self,
        recipe: Recipe,
        images: Images,
        run: Run,
        networks: LoadedNetworks,
        hooks: Hooks,
        directory: RunDirectory | None,
    ) -> None:
        self.recipe, self.options, self.hooks = recipe, run, hooks
        self.networks, self.fingerprint = networks, images.fingerprint()
        self.directory = directory
        saved = run.ranks.from_leader(self._saved())
        training, held_out = (images, run.held_out) if run.held_out else split(images)
        step = recipe.network.reduction
        large = [p for p in held_out.pixels if min(p.shape[1:]) >= 4 * step]
        if not large:
            raise DataError(
                f"no held-out image has sides of {4 * step} pixels or more: give larger ones "
                "with --validation"
            )
        self.held_out = [centre_crop(p, step, VALIDATION_SIDE) for p in large]
        self.validator = validator(recipe, self.held_out, networks.rescaling_network)
        self.sampler = CropSampler(
            training.pixels,
            recipe.network.scale,
            run.device,
            run.seed,
            zoom_least=recipe.data.zoom_least,
            hard=recipe.data.hard,
            rank=run.ranks.rank,
            ranks=run.ranks.count,
        )
        self.seconds, self.best, self.fewest_failures = 0.0, float("-inf"), float("inf")
        self.trainer = self._resumed(saved) if saved else self._fresh()
        self.waits: list[float] = []
        self.reported = self.seconds
        self.log: RunLog | None = None
        if self.directory:
            self.log = RunLog(self.directory, self.trainer.step, hooks.say)
            self.directory.save_recipe(recipe)
            if run.start is not None:
                self.directory.save_start(run.start)
        names = f" ({', '.join(held_out.names)})" if len(held_out) <= FEW else ""
        hooks.say(
            f"{counted(len(training), 'image')} to train on, {len(held_out)} held out{names}, "
            f"{len(images.left_out)} left out"
        )
        both = len(set(training.names) & set(held_out.names))
        if both:
            hooks.say(
                f"warning: {counted(both, 'image')} both trained on and validated on: give others "
                "with --validation"
            )

    def _saved(self) -> dict[str, Any] | None:
        saved = self.directory.load_state() if self.directory else None
        if saved is not None and not self.options.resume:
            raise OutputError(
                f"{self.options.out} already holds a run: continue it with --resume, or choose "
                "another --out"
            )
        return saved

    def _fresh(self) -> Trainer:
        torch.manual_seed(self.options.seed)
        network = initial_network(self.recipe, self.options.init)
        if isinstance(network, InvertibleNetwork):
            draw = self.recipe.latent.draw
            if draw in ("own", "mixed"):
                network.latent_sigma.copy_(measure_sigma(network, self.held_out))
            elif draw == "normal":  # even if the initial weights were trained otherwise
                network.latent_sigma.fill_(1)
        return self._trainer(network)

    def _trainer(self, network: Any) -> Trainer:
        run = self.options
        return build_trainer(
            network, self.recipe, self.networks,
            device=run.device, seed=run.seed, ranks=run.ranks, say=self.hooks.say,
        )  # fmt: skip

    def _resumed(self, saved: dict[str, Any]) -> Trainer:
        differences = self.recipe.differences(Recipe.from_record(saved["recipe"]))
        if saved["seed"] != self.options.seed:
            differences.append(f"--seed: {self.options.seed}, not {saved['seed']}")
        if saved["rescaler"] != self._rescaler_hash():
            differences.append("the rescaler's weights")
        if differences:
            raise UsageError(
                f"{self.options.out} was started with another recipe "
                f"({'; '.join(differences[:3])}): "
                "resume it with the same one, or choose another --out"
            )
        if saved["pictures"] != self.fingerprint:
            self.hooks.say("warning: the run was started on other images")
        trainer = self._trainer(build(self.recipe.architecture))
        trainer.restore(saved["trainer"])
        self.seconds, self.best = saved["seconds"], saved["best"]
        self.fewest_failures = saved["fewest_failures"]
        self.hooks.say(f"continuing {self.options.out} at step {trainer.step}")
        return trainer

    def _rescaler_hash(self) -> str:
        rescaler = self.networks.rescaler
        return rescaler.weights_sha256 if rescaler else ""

    def run(self) -> bool:
        trainer, saved_at, validated = self.trainer, time.perf_counter(), -1
        while True:
            share, stopping = self._agreed()
            if share >= 1 or stopping:
                break
            self._step(share)
            if trainer.step % self.recipe.report.validate_every == 0:
                self.validate(share)
                validated = trainer.step
            if time.perf_counter() - saved_at > self.recipe.report.save_seconds:
                self.save()
                saved_at = time.perf_counter()
        if share >= 1 and validated != trainer.step:
            self.validate(1.0)
        self.save()
        return share >= 1

    def _agreed(self) -> tuple[float, bool]:
        """Return the spent share of the budget and whether to stop, as the leader decides."""
        share = self.options.budget.share(self.trainer.step, self.seconds)
        return self.options.ranks.from_leader((share, self.hooks.stopping()))

    def _step(self, share: float) -> None:
        began = time.perf_counter()
        hr, target = self.sampler.draw(self.trainer.step, *self._crops(share))
        self.waits.append(time.perf_counter() - began)
        hr = hr.contiguous(memory_format=torch.channels_last)
        # Measured values are read from the device. Where steps are replayed, that stops their flow.
        log_every = self.recipe.report.log_every
        measure = self.trainer.graph is None or (self.trainer.step + 1) % log_every == 0
        result = self.trainer.update(hr, target, share, measure=measure)
        self.seconds += time.perf_counter() - began
        if result is None:
            return
        speed = len(self.waits) / (self.seconds - self.reported)
        wait = sum(self.waits) / len(self.waits)
        self.waits, self.reported = [], self.seconds
        progress = Progress(self.trainer.step, share, self.seconds, speed, wait, result)
        self.hooks.report(progress)
        if self.log and progress.step % log_every == 0:
            self.log.record(progress.step, "training", _record(progress, self.trainer.skipped))

    def _crops(self, share: float) -> tuple[int, int]:
        """Return the number of crops, rounded up to a multiple of the ranks, and their side."""
        count, side = self.recipe.data.crops_at(share)
        ranks = self.options.ranks.count
        return -(-count // ranks) * ranks, side

    def validate(self, share: float) -> None:
        """Measure and save the average; all ranks keep track of the best, one of them writes."""
        average, step, latent = self.trainer.average, self.trainer.step, self.recipe.latent
        if isinstance(average, InvertibleNetwork) and latent.draw != "normal":
            average.latent_sigma.copy_(measure_sigma(average, self.held_out))
        measured = self.validator(average)
        # Weights that were never trained with a drawn z do not tolerate one: no candidate.
        candidate = latent.draw == "never" or latent.drawn_at(share)
        # A discriminator lowers every PSNR: after its head start the last weights are the best.
        adversarial = self.recipe.loss.adversarial_weight > 0
        candidate = candidate and step > self.recipe.adversary.head_start
        failures = measured.get("hard_worse", 0) + measured.get("hard_shift", 0)
        higher = measured["score"] > self.best and failures <= self.fewest_failures
        better = candidate and (adversarial or higher)
        if better:
            self.best, self.fewest_failures = measured["score"], failures
        if self.log is None or self.directory is None:
            return
        self.log.record(step, "validation", measured)
        shown = ", ".join(f"{name} {value:.2f}" for name, value in measured.items())
        self.hooks.say(f"step {step}: held-out {shown}")
        data = serialise(average, self._card(measured["score"]))
        self.directory.save_checkpoint("last", data)
        if better:
            self.directory.save_checkpoint("best", data)
        if isinstance(average, InvertibleNetwork):
            for index, pixels in enumerate(self.held_out[: self.recipe.report.samples]):
                self.log.image(step, index, sample(average, pixels))

    def _card(self, score: float) -> Card:
        return Card(
            name=self.options.name,
            summary=f"trained by irn train, {counted(self.trainer.step, 'step')}",
            recipe=(f"held-out {score:.2f} dB", str(self.recipe.as_record())),
            minutes=round(self.seconds / 60, 1),
            temperature=0.0 if self.recipe.latent.draw == "never" else 1.0,
        )

    def save(self) -> None:
        """Replace the resumable state in the run directory."""
        if self.directory is None:
            return
        self.directory.save_state(
            {
                "recipe": self.recipe.as_record(),
                "seed": self.options.seed,
                "rescaler": self._rescaler_hash(),
                "pictures": self.fingerprint,
                "trainer": self.trainer.state(),
                "seconds": self.seconds,
                "best": self.best,
                "fewest_failures": self.fewest_failures,
            }
        )

    def close(self) -> None:
        """Write out buffered records of the log."""
        if self.log is not None:
            self.log.close()


def _record(progress: Progress, skipped: int) -> dict[str, float]:
    return {
        **progress.result.values,
        "share": progress.share,
        "seconds": progress.seconds,
        "steps_per_second": progress.steps_per_second,
        "data_wait": progress.data_wait,
        "skipped": float(skipped),
    }
