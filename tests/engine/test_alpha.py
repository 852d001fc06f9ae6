"""What lies under transparent pixels does not shine through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.engine.alpha import bleed
from irncli.engine.rescaler import bicubic, resize_plane


@given(st.integers(1, 17), st.integers(1, 17), st.integers(0, 99), st.sampled_from([8, 16]))
def test_visible_pixels_stay_and_hidden_ones_take_their_colours(height, width, seed, bits):
    generator = np.random.default_rng(seed)
    most = 2**bits - 1
    pixels = generator.integers(0, most + 1, (height, width, 3)).astype(f"u{bits // 8}")
    alpha = generator.choice([0, 0, 1, most], (height, width)).astype(pixels.dtype)
    filled = bleed(pixels, alpha)
    seen = alpha > 0
    assert filled.dtype == pixels.dtype
    assert np.array_equal(filled[seen], pixels[seen])
    if seen.any():
        assert (filled >= pixels[seen].min(0).astype(int) - 1).all()
        assert (filled <= pixels[seen].max(0).astype(int) + 1).all()


@pytest.mark.parametrize("alpha", [None, np.zeros((4, 4), np.uint8), np.full((4, 4), 9, np.uint8)])
def test_without_an_edge_nothing_is_done(alpha):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert bleed(pixels, alpha) is pixels


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 0, 255)])
def test_no_halo_over_any_background(background, hidden):
    """An orange disc whose surroundings hide another colour, made half as large."""
    y, x = np.mgrid[:64, :64] - 31.5
    alpha = np.where(y**2 + x**2 < 24**2, 255, 0).astype(np.uint8)
    pixels = np.where(alpha[:, :, None] > 0, (255, 128, 0), hidden).astype(np.uint8)

    def over(colours, mask):
        share = mask[:, :, None] / 255
        return colours * share + np.array(background) * (1 - share)

    mask = resize_plane(alpha, 32, 32)
    ideal = over(np.full((32, 32, 3), (255, 128, 0)), mask)
    found = np.abs(over(bicubic(bleed(pixels, alpha), 32, 32), mask) - ideal).max()
    plain = np.abs(over(bicubic(pixels, 32, 32), mask) - ideal).max()
    assert found <= 1
    assert plain > 20


@pytest.mark.parametrize("height", [31, 32, 33, 64])
def test_strips_make_no_difference(height, monkeypatch):
    generator = np.random.default_rng(height)
    pixels = generator.integers(0, 256, (height, 21, 3)).astype(np.uint8)
    alpha = np.where(generator.random((height, 21)) < 0.9, 0, 200).astype(np.uint8)
    whole = bleed(pixels, alpha)
    monkeypatch.setattr("irncli.engine.alpha._ROWS", 8)
    assert np.array_equal(bleed(pixels, alpha), whole)
