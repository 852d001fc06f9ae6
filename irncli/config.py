"""Architectures as data: what a checkpoint records and a network is built from.

Frozen, validated, and the same after a trip through JSON. No torch, no files.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal, get_args

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
        factor: how many times smaller the state becomes: 2 for haar; for color the side of a cell,
            1 (the paper's), 2 or 4.
        blocks: coupling blocks after the transform; 0 stacks transforms (IRN-E).
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
    """An invertible network: levels in forward order, and where the state is split.

    Attributes:
        levels: forward order.
        low_channels: channels of the low part: 3 for rescaling (LR); for colour the gray pixels of
            a cell, 1, 4 or 16.
        growth: channels that each convolution of a dense block adds.
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
        _require(self.scale <= 64, f"scale is {self.scale}, expected at most 64")
        colours = [level for level in self.levels if level.transform == "color"]
        if colours or self.task == "color":
            _require(
                list(self.levels) == colours[:1],
                "a colour network has one level, of colour, and no other network has one",
            )
            _require(
                self.low_channels == self.reduction**2,
                f"a colour network of cells of side {self.reduction} has {self.reduction**2} low "
                f"channels, not {self.low_channels}",
            )
        _require(
            self.low_channels < self.state_channels,
            "a rescaling network has at least one level of scale",
        )

    @property
    def reduction(self) -> int:
        """Size of the image over that of the state after the last level."""
        return prod(level.factor for level in self.levels)

    @property
    def cell(self) -> int:
        """Side of the cell of gray pixels that the low part holds as channels; 1 for rescaling."""
        return {3: 1, 1: 1, 4: 2, 16: 4}[self.low_channels]

    @property
    def scale(self) -> int:
        """HR size over LR size; 1 for colour."""
        return self.reduction // self.cell

    @property
    def picture_channels(self) -> int:
        """Channels of the low part as an image: 3, or 1 for gray."""
        return 3 if self.task == "rescale" else 1

    @property
    def state_channels(self) -> int:
        """Channels of the state after the last level."""
        return 3 * self.reduction**2

    @property
    def latent_channels(self) -> int:
        """Channels of z."""
        return self.state_channels - self.low_channels

    @property
    def task(self) -> Literal["rescale", "color"]:
        """What the low part is: a small image or a gray one."""
        return "rescale" if self.low_channels == 3 else "color"

    @classmethod
    def irn(cls, scale: int, blocks: int = 8) -> InvertibleConfig:
        """IRN x2, x4, x8, ...: at each level one Haar transform, then `blocks` blocks."""
        _require(scale in (2, 4, 8, 16), f"IRN has scale 2, 4, 8 or 16, not {scale}")
        count = scale.bit_length() - 1
        return cls(levels=(Level(transform="haar", factor=2, blocks=blocks),) * count)

    @classmethod
    def irn_e(cls, scale: int, blocks: int = 16) -> InvertibleConfig:
        """IRN-E: all Haar transforms first, then all blocks at the size of LR."""
        _require(scale in (2, 4, 8, 16), f"IRN-E has scale 2, 4, 8 or 16, not {scale}")
        bare = Level(transform="haar", factor=2, blocks=0)
        last = Level(transform="haar", factor=2, blocks=blocks)
        return cls(levels=(bare,) * (scale.bit_length() - 2) + (last,))

    @classmethod
    def irn_ld(cls, scale: int, blocks: int = 12) -> InvertibleConfig:
        """IRN-LD: learned downsampling by any integer, then `blocks` blocks."""
        return cls(levels=(Level(transform="learned", factor=scale, blocks=blocks),))

    @classmethod
    def irn_color(cls, blocks: int = 8, cell: int = 1) -> InvertibleConfig:
        """IRN-color: a learned colour matrix, then blocks that split 1 + 2 channels.

        With cells of 2x2 or 4x4 pixels, which are not the paper's, they split 4 + 8 channels at
        half the size or 16 + 32 at a quarter.
        """
        level = Level(transform="color", factor=cell, blocks=blocks)
        return cls(levels=(level,), low_channels=cell**2)


@dataclass(frozen=True, kw_only=True)
class CrmConfig:
    """Compression restoration module: residual-in-residual dense blocks at LR size.

    Attributes:
        blocks: residual-in-residual dense blocks.
        features: channels between them.
        growth: channels that each convolution of a dense block adds.
        conditioned: it is told the quantisation tables of the file, so that one serves all
            qualities; the paper's are not, and there is one for each quality.
        residual: it gives what is to be added to the coded image; the paper's gives the image.
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
    """Plain data with a `kind` that `from_json` reads back: from_json(to_json(a)) == a."""
    kind = "crm" if isinstance(architecture, CrmConfig) else "invertible"
    return {"kind": kind, **asdict(architecture)}


def from_json(data: object) -> Architecture:
    """The architecture that `to_json` wrote.

    Raises:
        ValueError: an unknown kind, an unknown or missing key, or a value out of range.
    """
    if not isinstance(data, dict) or data.get("kind") not in _KINDS:
        raise ValueError(f"architecture has no kind out of {', '.join(_KINDS)}")
    fields = {key: value for key, value in data.items() if key != "kind"}
    try:
        if "levels" in fields:
            fields["levels"] = tuple(Level(**level) for level in fields["levels"])
        return _KINDS[data["kind"]](**fields)
    except TypeError as error:
        raise ValueError(f"architecture does not fit this version: {error}") from error
