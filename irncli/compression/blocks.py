"""Planes of a JPEG and their blocks of 8x8 coefficients, as the decoder takes them.

Source: ITU-T T.81, annex A, and T.871 (JFIF) for the colours.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from irncli.model.transforms import cosine_waves

__all__ = ["BACK", "blocks_of", "pixels_of", "planes_of", "rounded"]

_FORWARD = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
BACK = ((1, 0, 1.402), (1, -0.344136286, -0.714136286), (1, 1.772, 0))


def rounded(x: torch.Tensor) -> torch.Tensor:
    """Round; the gradient passes straight through."""
    return x + (x.round() - x).detach()


def planes_of(pixels: torch.Tensor) -> torch.Tensor:
    """Return Y - 128, Cb - 128 and Cr - 128 of an image [1, 3, H, W] in [0, 1], as [3, H, W]."""
    mixed = torch.einsum("dc,nchw->dhw", pixels.new_tensor(_FORWARD), 255 * pixels)
    return mixed - mixed.new_tensor((128, 0, 0))[:, None, None]


def blocks_of(planes: torch.Tensor) -> torch.Tensor:
    """Return the coefficients [C, H/8, W/8, 64] of planes [C, H, W], whose sides are whole blocks.

    Law: an orthonormal transform of each block, the vertical frequency first.
    """
    waves = cosine_waves(8).to(planes)
    cells = planes.unfold(1, 8, 8).unfold(2, 8, 8)
    return torch.einsum("ui,dyxij,vj->dyxuv", waves, cells, waves).flatten(-2)


def _planes_back(coefficients: torch.Tensor) -> torch.Tensor:
    waves = cosine_waves(8).to(coefficients)
    cells = torch.einsum("ui,dyxuv,vj->dyixj", waves, coefficients.unflatten(-1, (8, 8)), waves)
    return cells.flatten(3, 4).flatten(1, 2)


def pixels_of(coefficients: torch.Tensor, *, linear: bool = False) -> torch.Tensor:
    """Return the image [1, 3, H, W] in [0, 1] that a decoder makes of coefficients.

    One plane gives a gray image. A decoder rounds planes and colours to integers, and clamps them;
    gradients pass straight through the rounding.

    Args:
        coefficients: coefficients [1 or 3, H/8, W/8, 64], not divided by the steps.
        linear: leave out rounding and clamping, so that the map is linear but for a constant.
    """
    planes = _planes_back(coefficients)
    if len(planes) == 1:
        planes = functional.pad(planes, (0, 0, 0, 0, 0, 2))
    planes = planes if linear else rounded(planes)
    planes = planes + planes.new_tensor((128, 0, 0))[:, None, None]
    colours = torch.einsum("cd,dhw->chw", planes.new_tensor(BACK), planes)
    return (colours if linear else rounded(colours.clamp(0, 255)))[None] / 255
