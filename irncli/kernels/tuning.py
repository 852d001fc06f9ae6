"""How the kernels are launched: block sizes, warps, stages, and which variant of a kernel runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from irncli.kernels.plane import MOST_TILE_ROWS

__all__ = ["TABLE", "GradientKernel", "Kind", "Launch", "Tuning", "default_tuning", "kind_of"]

GradientKernel = Literal["whole", "triangle", "tiles"]
"""Which kernel computes the weight gradient.

- `whole`: all of X^T D, including blocks that belong to no convolution (measured);
- `triangle`: the same without these blocks (not measured);
- `tiles`: rectangles of X^T D, three taps at a time, for any number of channels (not measured).
"""

Size = Literal["small", "large"]
Width = Literal["narrow", "medium", "wide"]
Kind = tuple[Size, Width]

LARGE = 40_000
"""Number of rows above which a plane is large: enough tiles of 128 rows for 132 multiprocessors."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How one kernel is launched.

    Attributes:
        rows: rows of a plane that a program reads at a time, a power of two.
        warps: warps of a program.
        stages: stages of the software pipeline that hides the latency of memory.
    """

    rows: int
    warps: int = 4
    stages: int = 3

    def __post_init__(self) -> None:
        if self.rows not in (16, 32, 64, 128, MOST_TILE_ROWS):
            raise ValueError(f"rows is {self.rows!r}, expected 16, 32, 64, 128 or {MOST_TILE_ROWS}")
        if self.warps not in (1, 2, 4, 8, 16):
            raise ValueError(f"warps is {self.warps!r}, expected 1, 2, 4, 8 or 16")
        if self.stages < 1:
            raise ValueError(f"stages is {self.stages!r}, expected 1 or more")

    @property
    def options(self) -> dict[str, int]:
        """Keyword arguments with which Triton launches a kernel."""
        return {"num_warps": self.warps, "num_stages": self.stages}


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Everything that may be chosen for speed; results are the same up to rounding.

    Attributes:
        convolution: launch of the forward convolutions and of the input gradient.
        gradient: launch of the weight gradient.
        gradient_kernel: which kernel computes the weight gradient.
        gradient_splits: number of parts into which its sum over the rows is split.
        together: whether blocks that read the same input run in the same launches.
    """

    convolution: Launch
    gradient: Launch = Launch(rows=32)
    gradient_kernel: GradientKernel = "whole"
    gradient_splits: int = 29
    together: bool = False

    def __post_init__(self) -> None:
        if self.gradient_kernel not in get_args(GradientKernel):
            expected = ", ".join(get_args(GradientKernel))
            raise ValueError(f"gradient_kernel is {self.gradient_kernel!r}, expected {expected}")
        if self.gradient_splits < 1:
            raise ValueError(f"gradient_splits is {self.gradient_splits!r}, expected 1 or more")


TABLE: dict[Kind, Tuning] = {
    # Measured on an H200 with the prototype: the fastest of the candidates that were tried.
    ("large", "narrow"): Tuning(convolution=Launch(rows=128)),
    ("small", "narrow"): Tuning(convolution=Launch(rows=64)),
    ("small", "medium"): Tuning(convolution=Launch(rows=64)),
    # Not measured: tiles of 128 rows would spill registers, see docs/kernels.md.
    ("large", "medium"): Tuning(convolution=Launch(rows=64)),
    ("small", "wide"): Tuning(convolution=Launch(rows=64), gradient_kernel="tiles"),
    ("large", "wide"): Tuning(convolution=Launch(rows=64), gradient_kernel="tiles"),
}
"""The default for each kind of shape. benchmarks/kernels.py measures candidates on a GPU."""


def kind_of(rows: int, channels: int) -> Kind:
    """Return the kind of a shape.

    Args:
        rows: rows of the plane.
        channels: padded channels of the input or of the output, whichever are more.
    """
    width: Width = "narrow" if channels <= 32 else "medium" if channels <= 64 else "wide"
    return ("large" if rows > LARGE else "small"), width


def default_tuning(rows: int, channels: int) -> Tuning:
    """Return the default for a shape, with the arguments of `kind_of`."""
    return TABLE[kind_of(rows, channels)]
