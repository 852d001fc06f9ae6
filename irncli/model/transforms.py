"""Invertible changes of basis: Haar, learned downsampling, learned colour matrix.

Every transform maps [N, C, H, W] to [N, C * factor**2, H / factor, W / factor] and back, by one
matrix that mixes the factor**2 pixels of a cell (for colour, also their colours). After a Haar or
learned transform, channels are band-major, index = band * C + colour, so that the first C channels
are the small image. After a colour transform, the first factor**2 channels are the gray pixels of a
cell.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from irncli.config import Level

__all__ = [
    "ColorTransform",
    "Haar",
    "LearnedDownsampling",
    "build_transform",
    "color_matrix",
    "cosine_waves",
    "dct_matrix",
]

HAAR_BANDS = ((1, 1, 1, 1), (1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))
"""Haar matrix of a 2x2 cell, times 4. Rows: mean, horizontal, vertical, diagonal. Columns: the four
pixels in row order."""

PATTERN = 0.1
"""Ratio of the initial amplitude of the waves that encode the colours of a cell to that of the
colours themselves."""

YUV_ROWS = ((0.299, 0.587, 0.114), (-0.147, -0.289, 0.436), (0.615, -0.515, -0.100))


def cosine_waves(count: int) -> torch.Tensor:
    """Return the orthonormal cosine basis (DCT-II), float64 [count, count], one wave per row.

    u_k[n] ~ cos(pi k (n + 1/2) / count), in order of increasing frequency.
    """
    n = torch.arange(count, dtype=torch.float64)
    waves = torch.cos(torch.pi * n[:, None] * (n + 0.5) / count)
    norms: torch.Tensor = waves.norm(dim=1, keepdim=True)
    return waves / norms


def dct_matrix(factor: int) -> torch.Tensor:
    """Return the cosine basis of a cell of `factor` x `factor` pixels, which generalises Haar.

        row i N + j:   u_i (x) u_j / N,   where u are the orthonormal waves and N is the factor

    Row 0 is the mean; for N = 2, the matrix is that of Haar.

    Returns:
        float32 matrix [factor**2, factor**2], orthogonal up to a scale factor.
    """
    waves = cosine_waves(factor) / factor**0.5
    return torch.kron(waves, waves).float()


def _to_cells(x: torch.Tensor, factor: int) -> torch.Tensor:
    """Convert [N, C, H, W] to [N, C, factor**2, H/factor, W/factor], cell pixels in row order."""
    n, c, height, width = x.shape
    cells = functional.pixel_unshuffle(x, factor)
    return cells.view(n, c, factor**2, height // factor, width // factor)


def _from_cells(cells: torch.Tensor, factor: int) -> torch.Tensor:
    """Undo `_to_cells`."""
    return functional.pixel_shuffle(cells.flatten(1, 2), factor)


class Haar(nn.Module):
    """Haar wavelet of 2x2 cells: (mean, horizontal, vertical, diagonal).

    `forward` divides by 4, so that the first band is the box average; `inverse` does not scale.
    Law: inverse(forward(x)) = x. H and W must be even.

    Source: IRN, section 3.2.
    """

    factor = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, C, H, W] to [N, 4C, H/2, W/2]."""
        p, q, r, s = (x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
        top, bottom, top_step, bottom_step = p + q, r + s, p - q, r - s
        bands = (top + bottom, top_step + bottom_step, top - bottom, top_step - bottom_step)
        return torch.cat(bands, dim=1).div(4)

    def inverse(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, 4C, H, W] to [N, C, 2H, 2W]."""
        mean, horizontal, vertical, diagonal = x.chunk(4, dim=1)
        even, odd = mean + horizontal, mean - horizontal
        even_step, odd_step = vertical + diagonal, vertical - diagonal
        rows = (
            torch.stack((even + even_step, odd + odd_step), dim=-1),
            torch.stack((even - even_step, odd - odd_step), dim=-1),
        )
        return torch.stack(rows, dim=-3).flatten(-2, -1).flatten(-3, -2)


def _inverse(matrix: torch.Tensor) -> torch.Tensor:
    # On a GPU, whether a matrix is singular is not checked: that would wait for the device.
    inverse: torch.Tensor
    inverse, _ = torch.linalg.inv_ex(matrix, check_errors=matrix.device.type == "cpu")
    return inverse


class LearnedDownsampling(nn.Module):
    """Pixel-unshuffle by N, then a learned N*N x N*N matrix shared by the colours (IRN-LD).

        band_k = sum_j matrix[k, j] * pixel_j;   inverse by the inverse matrix

    The initial matrix is the identity with row 0 replaced by the mean of the cell (for N = 2, the
    Haar matrix), so that an untrained network downscales by the box average.

    Source: IRN extensions, section 3.3.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor
        matrix = torch.eye(factor**2)
        matrix[0] = 1 / factor**2
        if factor == 2:
            matrix = torch.tensor(HAAR_BANDS, dtype=torch.float32) / 4
        self.matrix = nn.Parameter(matrix)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, C, H, W] to [N, C * N * N, H/N, W/N]."""
        cells = _to_cells(x, self.factor)
        return torch.einsum("kj,ncjhw->nkchw", self.matrix, cells).flatten(1, 2)

    def inverse(self, x: torch.Tensor) -> torch.Tensor:
        """Undo `forward`."""
        bands = x.unflatten(1, (self.factor**2, -1))
        cells = torch.einsum("jk,nkchw->ncjhw", _inverse(self.matrix), bands)
        return _from_cells(cells, self.factor)


def color_matrix(cell: int) -> torch.Tensor:
    """Return the initial colour matrix: luma and two colour differences.

    The gray value of a single pixel has no room for colours, but the gray values of a cell have. In
    the cosine basis of the cell, the two finest waves of the luma are nearly zero in photographs.
    They change places with the means of the two colour differences: the means, scaled to a small
    amplitude, enter the gray pixels, and the waves enter the high part. An untrained network thus
    already stores the colours of a cell: with z = 0, the Kodak images are restored with 37.6 dB
    from cells of 4x4, but with 22.7 dB from luma alone.

    Returns:
        Matrix [3 cell**2, 3 cell**2] with columns colour * cell**2 + pixel, whose first cell**2
        rows give the gray pixels.
    """
    yuv = torch.tensor(YUV_ROWS)
    if cell == 1:
        return yuv
    waves = torch.kron(cosine_waves(cell), cosine_waves(cell)).float()
    luma, blue, red = (torch.kron(row[None], waves) for row in yuv)
    finest = luma[-2:].clone()
    luma[-2:] = PATTERN * torch.stack((blue[0], red[0]))
    blue[0], red[0] = finest
    return torch.cat((waves.T @ luma, blue / cell, red / cell))


class ColorTransform(nn.Module):
    """Learned matrix on the colours of a cell of pixels; in the paper, a cell is one pixel.

    Source: IRN extensions, section 3.4, for one pixel.
    """

    def __init__(self, factor: int = 1) -> None:
        super().__init__()
        self.factor = factor
        self.matrix = nn.Parameter(color_matrix(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, 3, H, W] to [N, 3 factor**2, H/factor, W/factor]."""
        cells = functional.pixel_unshuffle(x, self.factor)
        return torch.einsum("kj,njhw->nkhw", self.matrix, cells)

    def inverse(self, x: torch.Tensor) -> torch.Tensor:
        """Undo `forward`."""
        cells = torch.einsum("kj,njhw->nkhw", _inverse(self.matrix), x)
        return functional.pixel_shuffle(cells, self.factor)


Transform = Haar | LearnedDownsampling | ColorTransform


def build_transform(level: Level) -> Transform:
    """Build the transform of a level of the architecture."""
    if level.transform == "haar":
        return Haar()
    if level.transform == "learned":
        return LearnedDownsampling(level.factor)
    return ColorTransform(level.factor)
