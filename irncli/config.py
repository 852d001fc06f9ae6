"""Network architectures as data, recorded in checkpoints and used to build networks.

The classes are frozen, validate their values, and survive a round trip through JSON unchanged.
This module uses neither torch nor files.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal, get_args

from irncli.limits import MAX_SCALE

__all__ = ["Architecture", "CrmConfig", "InvertibleConfig", "Level", "from_json", "to_json"]

Transform = Literal["haar", "learned", "color"]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _is_count(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


@dataclass(frozen=True, kw_only=True)
class Level:
    """One change of basis followed by coupling blocks.

    Attributes:
        transform: `haar` (2x2 wavelet), `learned` (pixel-unshuffle and a learned matrix) or
            `color` (a learned matrix that mixes the colours of a cell of pixels).
        factor: factor by which each side of the state shrinks: 2 for haar, 2 to 16 for learned;
            for color, the side of a cell of pixels: 1 (as in the paper), 2 or 4.
        blocks: number of coupling blocks after the transform, 0 to 64; 0 stacks transforms (IRN-E).
    """

    transform: Transform
    factor: int
    blocks: int

    def __post_init__(self) -> None:
        _require(
            self.transform in get_args(Transform),
            f"transform is {self.transform!r}, expected one of {', '.join(get_args(Transform))}",
        )
        factors = {"haar": (2,), "learned": tuple(range(2, 17)), "color": (1, 2, 4)}[self.transform]
        _require(
            _is_count(self.factor, 1, 16) and self.factor in factors,
            f"{self.transform} level has factor {self.factor!r}, expected one of "
            + ", ".join(map(str, factors)),
        )
        _require(_is_count(self.blocks, 0, 64), f"blocks is {self.blocks!r}, expected 0..64")


@dataclass(frozen=True, kw_only=True)
class InvertibleConfig:
    """Architecture of an invertible network: its levels and the split of the final state.

    Attributes:
        levels: one to six levels in forward order.
        low_channels: channels of the low part: 3 for rescaling (the LR image); for colour, the
            number of gray pixels in a cell: 1, 4 or 16.
        growth: channels that each convolution of a dense block adds, 1 to 256.
    """

    levels: tuple[Level, ...]
    low_channels: int = 3
    growth: int = 32

    def __post_init__(self) -> None:
        _require(1 <= len(self.levels) <= 6, f"{len(self.levels)} levels, expected 1 to 6")
        _require(
            self.low_channels in (1, 3, 4, 16),
            f"low_channels is {self.low_channels!r}, expected 3, or 1, 4 or 16 for colour",
        )
        _require(_is_count(self.growth, 1, 256), f"growth is {self.growth!r}, expected 1..256")
        _require(self.scale <= MAX_SCALE, f"scale is {self.scale}, expected at most {MAX_SCALE}")
        colours = [level for level in self.levels if level.transform == "color"]
        if colours or self.task == "color":
            _require(
                list(self.levels) == colours[:1],
                "a colour network has exactly one level, with transform color; other networks have "
                "no such level",
            )
            _require(
                self.low_channels == self.reduction**2,
                f"a colour network of cells of side {self.reduction} has {self.reduction**2} low "
                f"channels, not {self.low_channels}",
            )
        _require(
            self.low_channels < self.state_channels,
            "a rescaling network needs at least one haar or learned level",
        )

    @property
    def reduction(self) -> int:
        """Ratio of the side of the image to that of the state after the last level."""
        return prod(level.factor for level in self.levels)

    @property
    def cell(self) -> int:
        """Side of the cell of gray pixels stored as low channels; 1 for rescaling."""
        return {3: 1, 1: 1, 4: 2, 16: 4}[self.low_channels]

    @property
    def scale(self) -> int:
        """Ratio of HR size to LR size; 1 for colour."""
        return self.reduction // self.cell

    @property
    def image_channels(self) -> int:
        """Number of channels of the low part as an image: 3 for rescaling, 1 for colour."""
        return 3 if self.task == "rescale" else 1

    @property
    def state_channels(self) -> int:
        """Number of channels of the state after the last level."""
        return 3 * self.reduction**2

    @property
    def latent_channels(self) -> int:
        """Number of channels of z."""
        return self.state_channels - self.low_channels

    @property
    def task(self) -> Literal["rescale", "color"]:
        """Task of the network: `rescale` (small low part) or `color` (gray low part)."""
        return "rescale" if self.low_channels == 3 else "color"

    @classmethod
    def irn(cls, scale: int, blocks: int = 8) -> InvertibleConfig:
        """Return IRN for scale 2, 4, 8 or 16: a Haar transform and `blocks` blocks per level."""
        _require(scale in (2, 4, 8, 16), f"IRN has scale 2, 4, 8 or 16, not {scale}")
        count = scale.bit_length() - 1
        return cls(levels=(Level(transform="haar", factor=2, blocks=blocks),) * count)

    @classmethod
    def irn_e(cls, scale: int, blocks: int = 16) -> InvertibleConfig:
        """Return IRN-E: all Haar transforms first, then all blocks at LR size."""
        _require(scale in (2, 4, 8, 16), f"IRN-E has scale 2, 4, 8 or 16, not {scale}")
        bare = Level(transform="haar", factor=2, blocks=0)
        last = Level(transform="haar", factor=2, blocks=blocks)
        return cls(levels=(bare,) * (scale.bit_length() - 2) + (last,))

    @classmethod
    def irn_ld(cls, scale: int, blocks: int = 12) -> InvertibleConfig:
        """Return IRN-LD: learned downsampling by an integer, 2 to 16, then `blocks` blocks."""
        return cls(levels=(Level(transform="learned", factor=scale, blocks=blocks),))

    @classmethod
    def irn_color(cls, blocks: int = 8, cell: int = 1) -> InvertibleConfig:
        """Return IRN-color: a learned colour matrix, then blocks that split 1 + 2 channels.

        The paper uses cells of one pixel. With cells of 2x2 or 4x4 pixels, the blocks split 4 + 8
        channels at half the size or 16 + 32 channels at a quarter of the size.
        """
        level = Level(transform="color", factor=cell, blocks=blocks)
        return cls(levels=(level,), low_channels=cell**2)


@dataclass(frozen=True, kw_only=True)
class CrmConfig:
    """Architecture of a compression restoration module (CRM) at LR size.

    Attributes:
        blocks: number of residual-in-residual dense blocks, 1 to 256.
        features: channels between these blocks, 1 to 256.
        growth: channels that each convolution of a dense block adds, 1 to 256.
        conditioned: true if the module receives the quantisation tables of the file, so that one
            module serves all qualities; the paper uses a separate module for each quality.
        residual: true if the module outputs a correction to add to the coded image; the paper's
            module outputs the image itself.
    """

    blocks: int = 8
    features: int = 64
    growth: int = 32
    conditioned: bool = False
    residual: bool = False

    def __post_init__(self) -> None:
        for name in ("blocks", "features", "growth"):
            value = getattr(self, name)
            _require(_is_count(value, 1, 256), f"{name} is {value!r}, expected 1..256")
        for name in ("conditioned", "residual"):
            value = getattr(self, name)
            _require(isinstance(value, bool), f"{name} is {value!r}, expected true or false")


Architecture = InvertibleConfig | CrmConfig

_KINDS: dict[str, type[InvertibleConfig] | type[CrmConfig]] = {
    "invertible": InvertibleConfig,
    "crm": CrmConfig,
}


def to_json(architecture: Architecture) -> dict[str, Any]:
    """Return plain data with a `kind` for `from_json`. Law: from_json(to_json(a)) == a."""
    kind = "crm" if isinstance(architecture, CrmConfig) else "invertible"
    return {"kind": kind, **asdict(architecture)}


def from_json(data: object) -> Architecture:
    """Return the architecture that `to_json` wrote.

    Raises:
        ValueError: `data` has an unknown kind, an unknown or missing key, or a value out of range.
    """
    if not isinstance(data, dict) or data.get("kind") not in _KINDS:
        raise ValueError(f"architecture has no known kind, expected one of {', '.join(_KINDS)}")
    fields = {key: value for key, value in data.items() if key != "kind"}
    try:
        if "levels" in fields:
            fields["levels"] = tuple(Level(**level) for level in fields["levels"])
        return _KINDS[data["kind"]](**fields)
    except TypeError as error:
        raise ValueError(f"architecture is not supported by this version: {error}") from error
