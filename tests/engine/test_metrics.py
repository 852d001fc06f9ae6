"""Metrics against scikit-image and by hand."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from irncli.engine.metrics import luma, psnr, ssim


@pytest.fixture
def pair():
    generator = np.random.default_rng(3)
    a = generator.integers(0, 256, (40, 31, 3), dtype=np.uint8)
    b = np.clip(a + generator.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
    return a, b


def test_luma_of_black_white_and_the_primaries():
    pixels = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], "u1")
    assert luma(pixels)[0].tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966])


@pytest.mark.parametrize("border", [0, 2, 4])
def test_psnr_agrees_with_scikit_image(pair, border):
    a, b = pair
    inner = slice(border, -border or None)
    expected = peak_signal_noise_ratio(a[inner, inner], b[inner, inner], data_range=255)
    assert psnr(a, b, border) == pytest.approx(expected, abs=1e-9)


def test_psnr_of_equal_pictures_is_infinite(pair):
    assert psnr(pair[0], pair[0]) == math.inf


@pytest.mark.parametrize("border", [0, 4])
def test_ssim_agrees_with_scikit_image(pair, border):
    a, b = (luma(pixels) for pixels in pair)
    inner = slice(border, -border or None)
    _, full = structural_similarity(
        a[inner, inner],
        b[inner, inner],
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(a, b, border) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-9)


def test_ssim_of_equal_pictures_is_one_and_tiny_ones_have_none(pair):
    assert ssim(pair[0], pair[0]) == pytest.approx(1)
    assert math.isnan(ssim(pair[0][:8], pair[0][:8]))
