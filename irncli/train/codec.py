"""JPEG inside the training step, by the encoder and decoder that write and read the files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from irncli.io.encoding import encode
from irncli.io.images import Picture, decode, quantization_tables

__all__ = ["jpeg_round_trip", "straight_through"]


@torch.no_grad()
def jpeg_round_trip(
    low: torch.Tensor, qualities: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """LR pictures as they come back from JPEG files (4:4:4).

    Args:
        low: [N, 3, H, W], 8-bit values in [0, 1]; not changed.
        qualities: one for each picture, 1 to 100.

    Returns:
        What the files decode to, as `low`, and their quantisation tables [N, 2, 64].
    """
    eight_bit = low.mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    coded, tables = [], []
    for pixels, quality in zip(eight_bit, qualities, strict=True):
        data = encode(Picture(np.ascontiguousarray(pixels)), format="jpeg", quality=quality)
        coded.append(torch.from_numpy(decode(data).pixels))
        tables.append(torch.from_numpy(quantization_tables(data)))
    back = torch.stack(coded).permute(0, 3, 1, 2).to(low.device, low.dtype).div_(255)
    return back, torch.stack(tables).to(low.device)


def straight_through(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`value`, with the gradient going to `like` as if nothing had happened in between."""
    return like + (value - like).detach()
