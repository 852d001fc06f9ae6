"""PSNR and SSIM as the super-resolution literature measures them.

Y is the luma of ITU-R BT.601 in the range 16..235, not rounded. The whole image is converted first,
then `border` pixels are cropped at each side. SSIM uses a Gaussian window of 11x11 with sigma 1.5,
the valid region, K = (0.01, 0.03) and L = 255.

Source: Wang et al. 2004 for SSIM; the evaluation of the IRN paper for everything else.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["luma", "psnr", "ssim"]

Plane = NDArray[np.float64]


def luma(pixels: NDArray[np.generic]) -> Plane:
    """Return Y of RGB [H, W, 3] with values 0..255, as float64 [H, W].

    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255.
    """
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return 16 + pixels.astype(np.float64) @ weights


def _cropped(plane: NDArray[np.generic], border: int) -> Plane:
    """Crop `border` pixels at each side, unless the image is too small to be cropped."""
    height, width = plane.shape[:2]
    if min(height, width) > 2 * border:
        plane = plane[border : height - border, border : width - border]
    return plane.astype(np.float64)


def psnr(a: NDArray[np.generic], b: NDArray[np.generic], border: int = 0) -> float:
    """Return the PSNR in dB: 10 log10(255^2 / mean squared difference), or inf if `a` equals `b`.

    Args:
        a: array [H, W] or [H, W, 3], values 0..255.
        b: array of the same shape and range.
        border: number of pixels to leave out at each side.
    """
    error = float(np.mean((_cropped(a, border) - _cropped(b, border)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _gaussian_blur(planes: torch.Tensor) -> torch.Tensor:
    """Blur [N, 1, H, W] with a separable 11-tap Gaussian; return the valid region.

    The blur is a sum of shifted planes, which is ten times as fast as a convolution in float64.
    """
    x = torch.arange(11, dtype=torch.float64) - 5
    taps = torch.exp(-(x**2) / (2 * 1.5**2))
    taps /= taps.sum()
    for axis in (2, 3):
        length = planes.shape[axis] - 10
        shifted = [planes.narrow(axis, start, length) for start in range(11)]
        blurred = shifted[0] * taps[0]
        for plane, tap in zip(shifted[1:], taps[1:].tolist(), strict=True):
            blurred.add_(plane, alpha=tap)
        planes = blurred
    return planes


def ssim(a: NDArray[np.generic], b: NDArray[np.generic], border: int = 0) -> float:
    """Return the mean structural similarity of two arrays of the same shape, averaged over colours.

    The result is nan if the cropped image is smaller than the 11x11 window.

    Args:
        a: array [H, W] or [H, W, 3], values 0..255.
        b: array of the same shape and range.
        border: number of pixels to leave out at each side.
    """
    a, b = (np.atleast_3d(_cropped(plane, border)) for plane in (a, b))
    if min(a.shape[:2]) < 11:
        return math.nan
    x, y = (torch.from_numpy(plane).permute(2, 0, 1)[:, None] for plane in (a, b))
    mean_x, mean_y = _gaussian_blur(x), _gaussian_blur(y)
    var_x = _gaussian_blur(x * x) - mean_x**2
    var_y = _gaussian_blur(y * y) - mean_y**2
    covariance = _gaussian_blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    index = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return float(index.mean())
