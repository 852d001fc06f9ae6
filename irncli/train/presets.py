"""Recipes by the name of the model that they train, each in two variants.

`paper` is the recipe of the reference: its losses, weights, schedule, z and batch, in plain
float32. `irn` is ours: what did best in the trials so far, which covered x2, x3, x4, colour and
JPEG. For other models it is derived from those and was not compared with alternatives.
docs/training-log.md has both side by side.

Source of the paper's values: the public option files of the reference implementation of IRN
(ECCV 2020) and of its extensions (IJCV 2022); where they and the text differ, the files count.
"""

from __future__ import annotations

from dataclasses import replace

from irncli.errors import UsageError
from irncli.train.recipe import Recipe
from irncli.train.sections import (
    Adversary,
    Codec,
    Compute,
    Data,
    Latent,
    Loss,
    Network,
    Optimiser,
    Report,
)
from irncli.wording import did_you_mean

__all__ = ["PRESETS", "VARIANTS", "preset"]

VARIANTS = ("irn", "paper")
LR_WEIGHT = 1.5
"""Weight of a missing dB of LR against a dB of HR, above 1 so that LR is not traded for HR."""
LR_MASKED = 13.0
"""Margin in dB above interpolation. Text, which interpolation restores at 12 dB, is held to 25 dB;
the guard accepts blocks down to 24 dB."""
LR_MEANS = 48.0
"""PSNR in dB of a departure of 1 level; the guard repairs tints of 2.75 in 16x16 pixels."""
HARD_SHARE = 0.2
"""Share of synthetic crops in our recipes."""

_PLAIN = Compute(precision="fp32", compile="off")
_PAPER_REPORT = Report(validate_every=5_000, log_every=100, save_seconds=600.0)
_PAPER_ADAM = Optimiser(
    steps=500_000,
    method="adam",
    learning_rate=2e-4,
    weight_decay=1e-5,
    schedule="steps",
    halve_at=(100_000, 200_000, 300_000, 400_000),
    warm_up=1,
    ema=0.0,
)
_NORMAL = Latent(draw="normal", draw_from=0.0, draw_width=1.0)
_ZERO = Latent(draw="never", draw_from=1.0, draw_width=0.0)
_NOISE = Codec(noise_chance=0.5, noise_width=0.01)


def _paper(network: Network, lr_weight: float) -> Recipe:
    """Return the reference's recipe for a rescaling network."""
    return Recipe(
        network=network,
        loss=Loss(lr_weight=lr_weight, z_weight=1.0),
        latent=_NORMAL,
        data=Data(batch=16, crop=144),
        optimiser=_PAPER_ADAM,
        compute=_PLAIN,
        report=_PAPER_REPORT,
    )


def _ours(network: Network, lr_target: float, data: Data) -> Recipe:
    """Return our recipe for a rescaling network.

    z is 0 at first, and then drawn for half of the crops. The LR of each crop is held to a target,
    and HR is fitted by PSNR in the last phase. Some crops are synthetic. The learning rate follows
    a cosine, and the weights are averaged.
    """
    loss = Loss(
        lr_weight=LR_WEIGHT,
        lr_target=lr_target,
        lr_masked=LR_MASKED,
        lr_means=LR_MEANS,
        psnr_from=0.6,
    )
    return Recipe(network=network, loss=loss, data=replace(data, hard=HARD_SHARE))


_X2 = Network(family="irn", scale=2)
_X3 = Network(family="irn-ld", scale=3, blocks=12)
_X4 = Network(family="irn", scale=4)
_X8 = Network(family="irn", scale=8)
_E_X4 = Network(family="irn-e", scale=4, blocks=16)
_COLOR = Network(family="color", scale=1)
_CRM = Network(family="crm", scale=2, rescaler="irn-jpeg-x2")


def _slow_matrix(recipe: Recipe) -> Recipe:
    """Lower the rate of a learned matrix, which otherwise changes faster than the rest."""
    return replace(recipe, optimiser=replace(recipe.optimiser, matrix_factor=0.02))


def _grown(network: Network, lr_target: float, data: Data) -> Recipe:
    """Return our recipe for a network that starts from the blocks of irn-x2.

    These already tolerate a drawn z, so training begins with the last phase.
    """
    recipe = _ours(replace(network, init="irn-x2"), lr_target, data)
    return replace(
        recipe,
        loss=replace(recipe.loss, psnr_from=0.0),
        latent=replace(recipe.latent, draw_from=0.0),
        optimiser=replace(recipe.optimiser, learning_rate=4e-4),
    )


def _paper_color() -> Recipe:
    recipe = _paper(_COLOR, 3.0)
    return replace(recipe, latent=_ZERO, data=replace(recipe.data, batch=8))


def _paper_plus() -> Recipe:
    recipe = _paper(replace(_X4, init="irn-x4"), 16.0)
    return replace(
        recipe,
        loss=replace(recipe.loss, hr_weight=0.01, features_weight=0.01, adversarial_weight=1.0),
        optimiser=replace(
            _PAPER_ADAM,
            steps=400_000,
            learning_rate=1e-4,
            halve_at=(50_000, 100_000, 200_000, 300_000),
        ),
        adversary=Adversary(adversary_rate=1e-4, adversary_beta2=0.99, head_start=5_000),
    )


def _paper_robust() -> Recipe:
    recipe = _paper(replace(_X2, init="irn-x2"), 4.0)
    return replace(
        recipe,
        loss=replace(recipe.loss, lr_norm="l1"),
        optimiser=replace(
            _PAPER_ADAM, steps=100_000, learning_rate=1e-5, schedule="constant", halve_at=()
        ),
        codec=_NOISE,
    )


def _paper_crm(codec: Codec, *, conditioned: bool) -> Recipe:
    recipe = _paper(_X2, 1.0)
    return replace(
        recipe,
        network=replace(_CRM, conditioned=conditioned),
        loss=Loss(lr_weight=1.0, hr_weight=0.0),
        latent=_ZERO,
        codec=codec,
        optimiser=replace(
            _PAPER_ADAM,
            steps=50_000,
            weight_decay=0.0,
            halve_at=(10_000, 20_000, 30_000, 40_000),
        ),
    )


def _our_plus() -> Recipe:
    """Return our recipe for IRN+: the losses of the paper, starting from good averaged weights.

    z is drawn with the width of the forward z, and both learning rates decay.
    """
    recipe = _paper_plus()
    return replace(
        recipe,
        latent=Latent(draw="own", draw_from=0.0, draw_width=1.0),
        data=replace(recipe.data, hard=HARD_SHARE),
        optimiser=Optimiser(steps=100_000, method="adam", learning_rate=1e-4, ema=0.999),
        adversary=replace(recipe.adversary, head_start=2_000),
        compute=Compute(),
        report=Report(validate_every=1_000),
    )


def _our_color() -> Recipe:
    """Return our recipe for colour, in cells of 4x4 pixels.

    Their matrix holds most of the colours before the first step.
    """
    recipe = _ours(replace(_COLOR, cell=4), 35.0, Data(batch=5, crop=80))
    loss = replace(recipe.loss, lr_means=0.0, psnr_from=0.0)
    return _slow_matrix(replace(recipe, latent=_ZERO, loss=loss))


def _ours_disturbed(codec: Codec, lr_target: float) -> Recipe:
    """Return our recipe for an LR that a codec or noise disturbs before restoration.

    z is 0, since the loss of a codec is far wider than z.
    """
    recipe = _ours(replace(_X2, init="irn-x2"), lr_target, Data(batch=6, crop=64))
    return replace(
        recipe,
        codec=codec,
        latent=_ZERO,
        loss=replace(recipe.loss, psnr_from=0.0),
        optimiser=replace(recipe.optimiser, learning_rate=3e-4),
    )


def _our_jpeg() -> Recipe:
    """Return our recipe with JPEG in the loop and the bits of the JPEG files in the loss."""
    recipe = _ours_disturbed(Codec(jpeg_least=25, jpeg_most=92), 30.0)
    return replace(recipe, loss=replace(recipe.loss, rate_weight=0.7))


def _our_crm(codec: Codec, *, conditioned: bool) -> Recipe:
    """Return our recipe for a CRM: restored HR counts too, and training starts from identity."""
    return Recipe(
        network=replace(_CRM, blocks=3, conditioned=conditioned, residual=True),
        loss=Loss(psnr_from=0.0),
        latent=_ZERO,
        data=Data(batch=6, crop=64),
        codec=codec,
        optimiser=Optimiser(steps=50_000),
    )


_ONE_QUALITY = Codec(jpeg_least=75, jpeg_most=75)
_ALL_QUALITIES = Codec(jpeg_least=20, jpeg_most=98)

PRESETS: dict[str, dict[str, Recipe]] = {
    "irn-x2": {
        "irn": _ours(_X2, 35.0, Data(batch=6, crop=64)),
        "paper": _paper(_X2, 4.0),
    },
    "irn-x3": {
        "irn": _slow_matrix(
            _grown(replace(_X3, basis="dct"), 35.0, Data(batch=6, crop=72, crop_end=144))
        ),
        "paper": _paper(_X3, 9.0),
    },
    "irn-x4": {
        "irn": _ours(replace(_X4, init="irn-x2"), 34.5, Data(batch=4, crop=96)),
        "paper": _paper(_X4, 16.0),
    },
    "irn-x8": {
        "irn": _ours(replace(_X8, init="irn-x4"), 34.0, Data(batch=4, crop=96, crop_end=192)),
        "paper": _paper(_X8, 64.0),
    },
    "irn-e-x4": {
        "irn": _grown(_E_X4, 35.0, Data(batch=4, crop=80, crop_end=128)),
        "paper": _paper(_E_X4, 16.0),
    },
    "irn-plus-x4": {"irn": _our_plus(), "paper": _paper_plus()},
    "irn-color": {
        "irn": _our_color(),
        "paper": _paper_color(),
    },
    "irn-x2-robust": {"irn": _ours_disturbed(_NOISE, 34.0), "paper": _paper_robust()},
    "irn-jpeg-x2": {
        "irn": _our_jpeg(),
        "paper": _paper_robust(),
    },
    "crm-q75": {
        "irn": _our_crm(_ONE_QUALITY, conditioned=False),
        "paper": _paper_crm(_ONE_QUALITY, conditioned=False),
    },
    "crm-jpeg": {
        "irn": _our_crm(_ALL_QUALITIES, conditioned=True),
        "paper": _paper_crm(_ALL_QUALITIES, conditioned=True),
    },
}
"""Recipes by preset and variant."""


def preset(name: str, variant: str = "irn") -> Recipe:
    """Return the recipe of a preset.

    Raises:
        UsageError: the preset or the variant does not exist; a similar preset is named.
    """
    if name not in PRESETS:
        raise UsageError(
            f"no preset {name!r}{did_you_mean(name, PRESETS)}: 'irn train --list' lists all presets"
        )
    if variant not in VARIANTS:
        raise UsageError(f"no recipe {variant!r}: expected {' or '.join(VARIANTS)}")
    return PRESETS[name][variant]
