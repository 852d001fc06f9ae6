"""Sections of a recipe: the network, its losses, its data and its training.

All are frozen, keyword-only and validated. Field names are unique over all sections. This module
does not import torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from irncli.config import Architecture, CrmConfig, InvertibleConfig
from irncli.errors import UsageError

__all__ = [
    "SECTIONS",
    "Adversary",
    "Codec",
    "Compute",
    "Data",
    "Latent",
    "Loss",
    "Network",
    "Optimiser",
    "Report",
    "require",
]


def require(condition: bool, message: str) -> None:
    """Raise UsageError unless the condition holds."""
    if not condition:
        raise UsageError(message)


def _in_range(section: object, low: float, high: float, *names: str) -> None:
    for name in names:
        value = getattr(section, name)
        require(low <= value <= high, f"{name} is {value:g}, expected {low:g} to {high:g}")


@dataclass(frozen=True, kw_only=True)
class Network:
    """Network to train.

    Attributes:
        family: `irn`, `irn-e`, `irn-ld`, `color`, or `crm`.
        scale: HR size divided by LR size; for a CRM that of its rescaling model; 1 for colour.
        blocks: number of coupling blocks per level (for a CRM, of RRDBs).
        growth: number of channels that each convolution of a dense block adds.
        cell: side of the cells of pixels whose colours a colour network mixes: 1 (as in the
            paper), 2 or 4.
        features: number of channels between the dense blocks of a CRM.
        basis: initial matrix of learned downsampling: `identity` (with the mean in row 0, as in the
            paper) or `dct` (the counterpart of Haar for any scale: with z = 0 a cell is restored as
            its mean).
        conditioned: give the quantisation tables of the file to the CRM.
        residual: let the CRM predict the difference from the coded LR, not the LR itself.
        init: weights to start from, as the name of a model or a file; "": none.
        rescaler: frozen model whose LR a CRM restores, as the name of a model or a file.
    """

    family: Literal["irn", "irn-e", "irn-ld", "color", "crm"]
    scale: int
    blocks: int = 8
    growth: int = 32
    cell: int = 1
    features: int = 64
    basis: Literal["identity", "dct"] = "identity"
    conditioned: bool = False
    residual: bool = False
    init: str = ""
    rescaler: str = ""

    def __post_init__(self) -> None:
        try:
            _ = self.architecture
        except ValueError as error:
            raise UsageError(f"network: {error}") from error
        require(self.cell == 1 or self.family == "color", "cell is for colour networks only")

    @property
    def reduction(self) -> int:
        """Number by which the sides of HR must be divisible."""
        return self.scale * self.cell

    @property
    def architecture(self) -> Architecture:
        """Architecture of the network, as a checkpoint records it."""
        if self.family == "crm":
            return CrmConfig(
                blocks=self.blocks,
                features=self.features,
                growth=self.growth,
                conditioned=self.conditioned,
                residual=self.residual,
            )
        if self.family == "color":
            built = InvertibleConfig.irn_color(self.blocks, self.cell)
        elif self.family == "irn-ld":
            built = InvertibleConfig.irn_ld(self.scale, self.blocks)
        elif self.family == "irn-e":
            built = InvertibleConfig.irn_e(self.scale, self.blocks)
        else:
            built = InvertibleConfig.irn(self.scale, self.blocks)
        return replace(built, growth=self.growth)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Losses and their weights. Losses are sums over C, H, W and means over the batch.

    Attributes:
        lr_norm: norm of the LR fit: `l2` (squares) or `l1` (Charbonnier).
        lr_weight: weight of the LR fit to bicubic LR (for colour, to the luma).
        lr_target: target for the RGB PSNR, in dB, of the LR of every crop against bicubic LR:
            nothing is gained above the target, and below it the loss rises with the missing dB,
            with `lr_weight` relative to `psnr_weight` (`lr_norm` is not used then). The PSNR on Y
            of whole images is 5 to 6 dB higher. 0: LR is fitted by `lr_norm`, without a target.
        lr_masked: largest difference in dB between the target of a crop and the PSNR of its bicubic
            restoration: the busier a crop, the less visible is a departure of its LR, and the more
            departure is needed. With 13 and a target of 33, only crops that interpolation restores
            at less than 20 dB have a lower target: text, dithers, noise. 0: one target for all
            crops.
        lr_means: target for the RGB PSNR, in dB, of the means of 8x8 LR pixels, used like
            `lr_target`; 48 is a mean departure of one level. In smooth regions a tint of 3 levels
            is visible, which hardly changes the PSNR of single pixels. 0: no target.
        hr_weight: weight of the HR fit (Charbonnier).
        z_weight: weight of sum z^2.
        psnr_from: share of the budget, 0 to 1, after which HR is fitted by the logarithm of the
            mean squared error of each crop, that is by its PSNR, so that smooth crops count as much
            as busy ones.
        psnr_weight: weight of the PSNR fit; the default makes its gradient at errors of 0.01 equal
            to that of l1.
        rate_weight: weight of the logarithm of the bits of LR as a JPEG, relative to `psnr_weight`;
            requires a codec. On usual images, 0.5 to 1 matches what PSNR gains from more bits.
        features_weight: weight of the fit (Charbonnier) of VGG19 features.
        adversarial_weight: weight of the network's part of the adversarial loss.
        vgg19: file of VGG19 weights; "": weights of torchvision, if it is installed.
    """

    lr_norm: Literal["l1", "l2"] = "l2"
    lr_weight: float = 1.0
    lr_target: float = 0.0
    lr_masked: float = 0.0
    lr_means: float = 0.0
    hr_weight: float = 1.0
    z_weight: float = 0.01
    psnr_from: float = 1.0
    psnr_weight: float = 0.005
    rate_weight: float = 0.0
    features_weight: float = 0.0
    adversarial_weight: float = 0.0
    vgg19: str = ""

    def __post_init__(self) -> None:
        _in_range(self, 0, 1, "psnr_from")
        _in_range(self, 0, 1e6, "lr_weight", "lr_target", "lr_masked", "lr_means")
        _in_range(self, 0, 1e6, "hr_weight", "z_weight")
        _in_range(
            self, 0, 1e6, "psnr_weight", "features_weight", "adversarial_weight", "rate_weight"
        )

    def in_psnr_phase(self, share: float) -> bool:
        """Tell whether HR is fitted by its PSNR after this share of the budget."""
        return share >= self.psnr_from


@dataclass(frozen=True, kw_only=True)
class Latent:
    """z that is given to the inverse pass.

    Attributes:
        draw: distribution of z: `never` (z = 0), `normal` (N(0, 1), as in the paper), `own` (in
            units of the standard deviation of the forward z, per channel) or `mixed` (in the same
            units for half of the crops; z = 0 for the others).
        draw_from: share of the budget, 0 to 1, after which z is drawn; before that, z = 0.
        draw_width: factor on the width of z; with `mixed` each crop has its own factor between 0
            and this one. Training with a wider z than in restoration makes a drawn z cost little;
            but if z is always wide, a long training learns to rely on the noise (docs/design.md,
            z).
    """

    draw: Literal["never", "normal", "own", "mixed"] = "mixed"
    draw_from: float = 0.15
    draw_width: float = 2.5

    def __post_init__(self) -> None:
        _in_range(self, 0, 1, "draw_from")
        _in_range(self, 0, 100, "draw_width")

    def drawn_at(self, share: float) -> bool:
        """Tell whether z is drawn when this share of the budget is spent."""
        return self.draw != "never" and share >= self.draw_from


@dataclass(frozen=True, kw_only=True)
class Data:
    """Training crops of a step.

    Attributes:
        batch: number of crops in a step, over all ranks.
        crop: initial HR side of a crop, in pixels.
        crop_end: HR side of a crop in the last quarter, with fewer crops that have about as many
            pixels in total; 0: the initial side.
        zoom_least: smallest random factor by which images are shrunk; 1: images are not shrunk.
        hard: share of crops, 0 to 1, that are synthetic images unlike photographs: stripes,
            checkers, scan lines, dithers, pixel art, flat colours, text, noise, gray photographs.
            If it is not 0, the LR of gray crops is made gray, as when the model is used, and
            validation also counts failures on such images.
    """

    batch: int = 16
    crop: int = 144
    crop_end: int = 0
    zoom_least: float = 1.0
    hard: float = 0.0

    def __post_init__(self) -> None:
        _in_range(self, 1, 4096, "batch")
        _in_range(self, 0.25, 1, "zoom_least")
        _in_range(self, 0, 1, "hard")

    def crops_at(self, share: float) -> tuple[int, int]:
        """Return the number and the side of the crops at a share of the budget, 0 to 1."""
        if share < 0.75 or not self.crop_end:
            return self.batch, self.crop
        return max(1, round(self.batch * (self.crop / self.crop_end) ** 2)), self.crop_end


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """Optimiser and its schedule.

    Attributes:
        steps: budget in steps, unless the command line gives another.
        method: `adam`, or `muon` for the hidden convolutions of dense blocks and Adam for the rest.
        learning_rate: peak learning rate, after the warm-up.
        muon_factor: factor on the learning rate of the kernels that Muon updates.
        matrix_factor: factor on the learning rate of learned matrices (downsampling, colour). Adam
            moves every value by about the rate, which is much for a matrix with values of 0.1 on
            which everything else depends.
        beta2: decay of the second moment (that of the first is 0.9).
        weight_decay: multiple of the weight that is added to the gradient.
        schedule: learning rate over the budget: `cosine` (to zero), `steps` (halved at `halve_at`)
            or `constant`.
        halve_at: steps at which the schedule `steps` halves the learning rate.
        warm_up: number of steps of linear warm-up.
        clip: largest gradient norm.
        ema: decay of the averaged weights that are validated and saved; 0: no averaging.
    """

    steps: int = 100_000
    method: Literal["adam", "muon"] = "muon"
    learning_rate: float = 4e-4
    muon_factor: float = 1.5
    matrix_factor: float = 1.0
    beta2: float = 0.999
    weight_decay: float = 0.0
    schedule: Literal["cosine", "steps", "constant"] = "cosine"
    halve_at: tuple[int, ...] = ()
    warm_up: int = 50
    clip: float = 10.0
    ema: float = 0.995

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate", "clip", "warm_up"):
            require(getattr(self, name) > 0, f"{name} is {getattr(self, name)}, expected above 0")
        _in_range(self, 0, 1, "learning_rate", "matrix_factor", "weight_decay")
        _in_range(self, 0, 100, "muon_factor")
        _in_range(self, 0, 0.99999, "ema", "beta2")
        require(
            list(self.halve_at) == sorted(set(self.halve_at)),
            f"halve_at is {list(self.halve_at)}, expected increasing steps",
        )

    def rate_at(self, step: int, share: float) -> float:
        """Return the learning rate of a step at a share of the budget, 0 to 1."""
        rise = min(1.0, (step + 1) / self.warm_up)
        if self.schedule == "cosine":
            fall = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        else:
            fall = 0.5 ** sum(step >= at for at in self.halve_at)
        return self.learning_rate * rise * fall


@dataclass(frozen=True, kw_only=True)
class Codec:
    """Disturbance of the quantised LR before it is restored.

    Attributes:
        noise_chance: probability that a step adds noise to LR, 0 to 1.
        noise_width: standard deviation of that noise, for LR in [0, 1].
        jpeg_least: lowest JPEG quality of LR, 1 to 100 (4:4:4, straight-through gradient); 0: no
            JPEG.
        jpeg_most: highest JPEG quality of LR, 1 to 100; each crop draws its own quality.
    """

    noise_chance: float = 0.0
    noise_width: float = 0.0
    jpeg_least: int = 0
    jpeg_most: int = 0

    def __post_init__(self) -> None:
        _in_range(self, 0, 1, "noise_chance", "noise_width")
        _in_range(self, 0, 100, "jpeg_least", "jpeg_most")
        pair = f"jpeg_least is {self.jpeg_least}, jpeg_most {self.jpeg_most}"
        require(self.jpeg_least <= self.jpeg_most, f"{pair}: expected least <= most")
        require((self.jpeg_least > 0) == (self.jpeg_most > 0), f"{pair}: expected both or neither")


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """Discriminator and its Adam optimiser, which follows the schedule of the network.

    Attributes:
        adversary_rate: peak learning rate of the discriminator.
        adversary_beta2: decay of the second moment.
        head_start: number of initial steps in which only the discriminator is trained.
    """

    adversary_rate: float = 1e-4
    adversary_beta2: float = 0.99
    head_start: int = 0

    def __post_init__(self) -> None:
        _in_range(self, 1e-9, 1, "adversary_rate")
        _in_range(self, 0, 0.99999, "adversary_beta2")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Computation of the network; the settings change results by rounding only.

    Attributes:
        precision: precision inside the dense blocks: `fp32`, `bf16`, or `auto` (float16 in the
            fused kernels; elsewhere bf16 if the device has instructions for it). Everything else is
            float32.
        compile: use of torch.compile for dense blocks: `on`, `off`, or `auto` (on CUDA, where the
            fused kernels do not run).
        recompute: recompute activations in the backward pass from the output of each operation, by
            its inverse, which takes the memory of one block instead of all.
    """

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    recompute: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """Intervals of records, validations and saves.

    Attributes:
        log_every: steps between records.
        validate_every: steps between validations.
        save_seconds: seconds between saves of the resumable state.
        samples: number of held-out images whose results are saved side by side at each validation.
    """

    log_every: int = 20
    validate_every: int = 200
    save_seconds: float = 120.0
    samples: int = 1

    def __post_init__(self) -> None:
        _in_range(self, 1, 1e9, "log_every", "validate_every")
        _in_range(self, 0, 1e9, "save_seconds", "samples")


SECTIONS: dict[str, type] = {
    "network": Network,
    "loss": Loss,
    "latent": Latent,
    "data": Data,
    "optimiser": Optimiser,
    "codec": Codec,
    "adversary": Adversary,
    "compute": Compute,
    "report": Report,
}
"""Sections by their names in a recipe."""
