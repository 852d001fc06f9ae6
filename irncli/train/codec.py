"""JPEG inside the training step, with the encoder and decoder that are used for files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile, decode
from irncli.io.picture import Picture
from irncli.model.transforms import YUV_ROWS, cosine_waves

__all__ = ["jpeg_bits", "jpeg_round_trip", "straight_through"]

_YCBCR = (YUV_ROWS[0], (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


@torch.no_grad()
def jpeg_round_trip(
    low: torch.Tensor, qualities: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode LR images as JPEG files (4:4:4) and decode them.

    Args:
        low: LR images [N, 3, H, W], 8-bit values in [0, 1]; not modified.
        qualities: JPEG quality of each image, 1 to 100.

    Returns:
        The decoded images, in the shape and type of `low`, and the quantisation tables of the
        files, [N, 2, 64].
    """
    eight_bit = low.mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    coded, tables = [], []
    for pixels, quality in zip(eight_bit, qualities, strict=True):
        data = encode(Picture(np.ascontiguousarray(pixels)), image_format="jpeg", quality=quality)
        coded.append(torch.from_numpy(decode(data).pixels))
        tables.append(torch.from_numpy(ImageFile(data).tables))
    back = torch.stack(coded).permute(0, 3, 1, 2).to(low.device, low.dtype).div_(255)
    return back, torch.stack(tables).to(low.device)


def straight_through(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return `value`, and pass its gradient straight through to `like`."""
    return like + (value - like).detach()


def jpeg_bits(low: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    """Estimate the bits per pixel of LR as a JPEG file, [N], in a differentiable way.

        mean over pixels of sum over planes of log2(1 + (2 c / q)^2) / 2

    Here c are the DCT coefficients of the 8x8 blocks of YCbCr, the first coefficient of a block
    minus that of the block to its left, and q are the quantisation steps. A coefficient costs
    almost nothing below half a step, and one more bit whenever it doubles. The true size is two to
    three times as large, but the logarithms of both rise and fall together.

    Args:
        low: LR images [N, 3, H, W] in [0, 1], with sides that are multiples of 8.
        tables: luma and chroma quantisation steps in row order, [N, 2, 64].
    """
    height, width = low.shape[2:]
    planes = torch.einsum("dc,nchw->ndhw", low.new_tensor(_YCBCR), 255 * low)
    blocks = planes.unfold(2, 8, 8).unfold(3, 8, 8)
    basis = cosine_waves(8).to(low)
    coefficients = torch.einsum("ui,ndyxij,vj->ndyxuv", basis, blocks, basis)
    first = functional.pad(coefficients[..., 0, 0].diff(dim=-1), (1, 0))
    coefficients = torch.cat((first[..., None], coefficients.flatten(-2)[..., 1:]), dim=-1)
    q = tables[:, [0, 1, 1], None, None].to(low)
    bits = torch.log2(1 + (2 * coefficients / q).square()) / 2
    return bits.flatten(1).sum(1) / (height * width)
