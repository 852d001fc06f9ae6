"""The sections of a recipe: what is trained, on what, towards what, how.

Frozen, keyword-only, validated. Names of fields are unique over all sections. No torch.
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
    """What is trained.

    Attributes:
        family: `irn`, `irn-e`, `irn-ld`, `color`, or `crm`.
        scale: HR size over LR size; of the rescaling model for a CRM; 1 for colour.
        blocks: coupling blocks a level (RRDBs of a CRM).
        growth: channels that each convolution of a dense block adds.
        cell: side of the cell of pixels whose colours a colour network mixes: 1 (the
            paper's), 2 or 4.
        features: channels between the dense blocks of a CRM.
        basis: where learned downsampling starts: `identity` (row 0 the mean, the paper's) or `dct`
            (Haar's likeness for any scale: with z = 0 a cell is restored as its mean).
        conditioned: the CRM is told the quantisation tables of the file.
        residual: the CRM gives what is to be added to the coded LR, not the LR itself.
        init: weights to start from, a model's name or a file; "": none.
        rescaler: the frozen model whose LR a CRM restores, a name or a file.
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
        require(self.cell == 1 or self.family == "color", "cell is of colour networks only")

    @property
    def reduction(self) -> int:
        """Number of which the sides of HR are multiples."""
        return self.scale * self.cell

    @property
    def architecture(self) -> Architecture:
        """As a checkpoint records it."""
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
    """What is asked for. Losses are sums over C, H, W and means over the batch.

    Attributes:
        lr_norm: norm of the LR fit: `l2` (squares) or `l1` (Charbonnier).
        lr_weight: weight of the LR fit to bicubic LR (to the luma for colour).
        lr_target: RGB PSNR in dB that the LR of every crop should keep to its target: nothing is
            gained above it, and below it the loss rises with the missing dB, over those of the
            PSNR fit (`lr_norm` plays no part then). On Y of whole images LR is 5 to 6 dB nearer.
            0: LR is fitted by `lr_norm`, without a target.
        lr_masked: dB by which the target of a crop is at most above the PSNR of its bicubic
            restoration: the busier a crop, the less the eye sees a departure of its LR, and the
            more departure it needs. With 13 and a target of 33, only crops that interpolation
            restores at less than 20 dB are held to less: text, dithers, noise. 0: one target for
            all crops.
        lr_means: RGB PSNR in dB that the means of 8x8 LR pixels should keep to those of the
            target, held to like `lr_target`: 48 is a mean departure of one level. In smooth parts
            the eye sees a tint of 3 levels, which the PSNR of single pixels hardly knows. 0: not
            asked for.
        hr_weight: weight of the HR fit (Charbonnier).
        z_weight: weight of sum z^2.
        psnr_from: share of the budget after which HR is fitted by the logarithm of each crop's
            mean squared error: by its PSNR, so that smooth crops count as much as busy ones.
        psnr_weight: weight of that fit; the default makes its gradient at errors of 0.01 that of
            the l1.
        rate_weight: weight of the logarithm of the bits of LR as a JPEG, over that of the PSNR
            fit; needs a codec. From 0.5 to 1 is what PSNR gains in turn on usual images.
        features_weight: weight of the fit (Charbonnier) of VGG19 features.
        adversarial_weight: weight of the generator's part of the adversarial loss.
        vgg19: file of VGG19 weights; "": torchvision's, where it is installed.
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


@dataclass(frozen=True, kw_only=True)
class Latent:
    """What the inverse is given for z.

    Attributes:
        draw: `never` (z = 0), `normal` (N(0, 1), as the paper does), `own` (in units of the
            standard deviation that the forward z has, per channel) or `mixed` (in the same units,
            for half of the crops; z = 0 for the others).
        draw_from: share of the budget after which it is drawn; before, z = 0.
        draw_width: factor on the width; with `mixed` each crop has its own between 0 and this.
            Drawn wider than when restoring, a draw costs little in the end; always drawn wide, a
            long training learns to lean on the noise (docs/design.md, z).
    """

    draw: Literal["never", "normal", "own", "mixed"] = "mixed"
    draw_from: float = 0.15
    draw_width: float = 2.5

    def __post_init__(self) -> None:
        _in_range(self, 0, 1, "draw_from")
        _in_range(self, 0, 100, "draw_width")

    def drawn_at(self, share: float) -> bool:
        """Whether z is drawn when this share of the budget is spent."""
        return self.draw != "never" and share >= self.draw_from


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a step sees.

    Attributes:
        batch: crops in a step, over all ranks.
        crop: HR side of a crop at first.
        crop_end: HR side of a crop in the last quarter, with fewer crops of about as many pixels;
            0: as at first.
        zoom_least: images are shrunk by a random factor down to this one; 1: never.
        hard: share of crops that are synthetic images of kinds that photographs are not: stripes,
            checkers, scan lines, dithers, pixel art, flat colours, text, noise, gray photographs.
            Where it is not 0, LR of gray crops is made gray, as it is when the model is used, and
            validation counts failures on such images, too.
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
        """Number and side of the crops of a step, `share` of the budget from 0 to 1."""
        if share < 0.75 or not self.crop_end:
            return self.batch, self.crop
        return max(1, round(self.batch * (self.crop / self.crop_end) ** 2)), self.crop_end


@dataclass(frozen=True, kw_only=True)
class Optimiser:
    """How weights move, and the schedule.

    Attributes:
        steps: budget, unless the command line gives another.
        method: `adam`, or `muon` for the hidden convolutions of dense blocks and Adam for the rest.
        learning_rate: peak, after the warm-up.
        muon_factor: on the learning rate of what Muon moves.
        matrix_factor: on the learning rate of learned matrices (downsampling, colour). Adam moves
            every value by about the rate, which is much for a matrix of values of 0.1 that all
            else builds on.
        beta2: decay of the second moment (the first is 0.9).
        weight_decay: added to the gradient, times the weight.
        schedule: `cosine` to zero over the budget, `steps` (halved at `halve_at`), `constant`.
        halve_at: steps at which `steps` halves the learning rate.
        warm_up: steps of linear warm-up.
        clip: largest gradient norm.
        ema: decay of the averaged weights that are validated and kept; 0: the weights themselves.
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
            f"halve_at is {list(self.halve_at)}, expected rising steps",
        )

    def rate_at(self, step: int, share: float) -> float:
        """Learning rate of a step; `share` of the budget, 0 to 1."""
        rise = min(1.0, (step + 1) / self.warm_up)
        if self.schedule == "cosine":
            fall = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        else:
            fall = 0.5 ** sum(step >= at for at in self.halve_at)
        return self.learning_rate * rise * fall


@dataclass(frozen=True, kw_only=True)
class Codec:
    """What happens to the quantised LR before it is restored.

    Attributes:
        noise_chance: with this probability a step adds noise to LR.
        noise_width: standard deviation of that noise, LR in [0, 1].
        jpeg_least: lowest quality of the JPEG that LR goes through (4:4:4; gradient straight
            through); 0: no JPEG.
        jpeg_most: highest quality; each crop draws its own.
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
    """The discriminator and its Adam; it follows the schedule of the network's.

    Attributes:
        adversary_rate: its learning rate.
        adversary_beta2: decay of its second moment.
        head_start: steps in which only the discriminator learns.
    """

    adversary_rate: float = 1e-4
    adversary_beta2: float = 0.99
    head_start: int = 0

    def __post_init__(self) -> None:
        _in_range(self, 1e-9, 1, "adversary_rate")
        _in_range(self, 0, 0.99999, "adversary_beta2")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """How it is computed; results differ by rounding only.

    Attributes:
        precision: inside the dense blocks: `fp32`, `bf16`, or `auto` (bf16 where the device has
            instructions for it). All else is float32.
        compile: dense blocks through torch.compile: `on`, `off`, or `auto` (on CUDA).
        recompute: activations are recomputed in the backward pass from the output of each
            operation, by its inverse: memory of one block instead of all.
    """

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    recompute: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """How often the run is looked at.

    Attributes:
        log_every: steps between records.
        validate_every: steps between validations.
        save_seconds: seconds between saves of the resumable state.
        samples: held-out images of which a side-by-side image is kept at each validation.
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
"""By the name that a recipe gives them."""
