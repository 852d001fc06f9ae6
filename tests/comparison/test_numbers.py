"""Numbers against scikit-image, and by hand."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from irncli.comparison import numbers
from irncli.comparison.numbers import Spread, measure
from irncli.comparison.pair import paired
from irncli.io.picture import Picture

SSIM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}


def measured(a, b, alpha=None):
    return measure(paired(("a", Picture(a, alpha)), ("b", Picture(b))))


def luma(pixels):
    peak = np.iinfo(pixels.dtype).max
    return 16 + (pixels / peak) @ np.array([65.481, 128.553, 24.966])


@pytest.fixture(params=[8, 16])
def both(request, photo):
    generator = np.random.default_rng(5)
    a = photo[100:171, 200:300]
    b = np.clip(a + generator.normal(0, 6, a.shape), 0, 255).astype(np.uint8)
    if request.param == 8:
        return a, b
    return (pixels.astype(np.uint16) * 257 + generator.integers(0, 99, a.shape, np.uint16)
            for pixels in (a, np.minimum(b, 254)))  # fmt: skip


@pytest.mark.parametrize("strip", [100, 2000, 1 << 19])
def test_numbers_agree_with_scikit_image(both, monkeypatch, strip):
    monkeypatch.setattr(numbers, "STRIP", strip)
    a, b = both
    peak = np.iinfo(a.dtype).max
    found = measured(a, b)
    assert found.psnr_rgb == pytest.approx(peak_signal_noise_ratio(a, b, data_range=peak), abs=1e-9)
    expected = peak_signal_noise_ratio(luma(a), luma(b), data_range=255)
    assert found.psnr_y == pytest.approx(expected, abs=1e-9)
    _, full = structural_similarity(
        a.astype(float), b.astype(float), data_range=peak, channel_axis=2, **SSIM
    )
    assert found.ssim_rgb == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-9)
    _, full = structural_similarity(luma(a), luma(b), data_range=255, **SSIM)
    assert found.ssim_y == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-9)
    difference = np.abs(a.astype(int) - b)
    assert found.values.mean == pytest.approx(difference.mean(), abs=1e-9)
    assert found.values.largest == difference.max()
    assert found.values.equal == pytest.approx((a == b).mean())
    assert not found.identical


def test_equal_pictures_are_identical(noise):
    pixels = noise(30, 30)
    found = measured(pixels, pixels.copy())
    assert found.identical
    assert found.psnr_rgb == found.psnr_y == math.inf
    assert found.values.gain == 1
    record = found.as_record()
    assert (record["identical"], record["psnr_rgb"], record["psnr_y"]) == (True, None, None)
    assert (record["ssim_rgb"], record["equal_share"], record["alpha"]) == (1, 1, None)
    assert found.lines() == [("identical", "every value is the same")]


def test_alpha_alone_makes_a_difference():
    white = np.full((12, 12, 3), 255, np.uint8)
    alpha = np.full((12, 12), 255, np.uint8)
    alpha[0, :6] = 155
    found = measured(white, white, alpha)
    assert not found.identical
    assert found.values.largest == 0
    assert (found.alpha.largest, found.alpha.equal) == (100, 1 - 6 / 144)
    assert found.as_record()["alpha"]["mean_difference"] == pytest.approx(600 / 144, abs=1e-6)
    shown = dict(found.lines())
    assert shown["PSNR"] == "RGB equal, Y equal"
    assert "largest 100 of 255" in shown["alpha"]


def test_small_pictures_have_no_ssim(noise):
    found = measured(noise(10, 40), noise(10, 40))
    assert math.isnan(found.ssim_rgb)
    assert found.as_record()["ssim_y"] is None
    assert dict(found.lines())["SSIM"].startswith("RGB undefined below 11x11 pixels")


@pytest.mark.parametrize(
    ("counts", "gain"),
    [
        ({0: 10, 255: 1000}, 1),
        ({0: 10, 60: 1000}, 4),
        ({0: 10, 63: 1000}, 4),
        ({0: 10, 64: 1000}, 2),
        ({0: 1000, 1: 1000, 200: 10}, 128),
        ({0: 1000, 1: 1000, 200: 50}, 1),
        ({0: 100_000, 100: 3}, 2),
        ({0: 7}, 1),
    ],
)
def test_the_gain_makes_most_differences_visible(counts, gain):
    histogram = np.zeros(256, np.int64)
    histogram[list(counts)] = list(counts.values())
    assert Spread(histogram).gain == gain


@pytest.mark.parametrize(("equal", "text"), [(1, "under 0.1 %"), (99_999, "over 99.9 %")])
def test_shares_are_not_rounded_to_all_or_nothing(equal, text):
    values = np.zeros((100, 1000), np.uint8)
    values.flat[equal:] = 1
    found = measured(np.zeros((100, 1000, 3), np.uint8), values[:, :, None].repeat(3, axis=2))
    assert f"{text} of the values equal" in dict(found.lines())["difference"]
