"""Images of comparisons."""

import numpy as np
import pytest

from irncli.eval import montage
from irncli.eval.montage import (
    Panel,
    comparison,
    labelled_row,
    shrunk,
    side_by_side,
    worst_places,
)


def test_side_by_side_has_all_pictures():
    low, high = np.zeros((4, 6, 3), "u1"), np.full((8, 12, 3), 9, "u1")
    joined = side_by_side([low, high])
    assert joined.shape[0] == 8
    assert joined.shape[1] >= 18


@pytest.mark.parametrize("strip", [1, 500, 1 << 18])
def test_the_first_place_is_the_worst_of_the_grid(noise, monkeypatch, strip):
    monkeypatch.setattr(montage, "STRIP", strip)
    a, b = noise(50, 70), noise(50, 70)
    squares = (a.astype(float) - b) ** 2
    tops, lefts = [*range(0, 35, 8), 34], [*range(0, 55, 8), 54]
    worst = max((squares[y : y + 16, x : x + 16].sum(), y, x) for y in tops for x in lefts)
    places = worst_places(a, b, 16, 4)
    assert places[0] == worst[1:]
    assert len(places) == 4
    for place, (y, x) in enumerate(places):
        assert all(abs(y - v) >= 16 or abs(x - u) >= 16 for v, u in places[:place])
    sums = [squares[y : y + 16, x : x + 16].sum() for y, x in places]
    assert sums == sorted(sums, reverse=True)


def test_the_edges_count_and_equal_places_do_not(noise):
    a = noise(50, 70)
    b = a.copy()
    b[-1, -1, 0] ^= 255
    assert worst_places(a, b, 16, 5) == [(34, 54)]
    assert worst_places(a, a, 16, 5) == []


def test_places_of_16_bits_have_room():
    a = np.zeros((32, 32, 3), np.uint16)
    b = a.copy()
    b[20:, 20:] = 65535
    assert worst_places(a, b, 16, 1) == [(16, 16)]


def test_blocks_become_their_mean_or_root_mean_square():
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[:2, :2, 0] = [[10, 20], [30, 41]]
    pixels[3, 4] = 90
    mean = shrunk(lambda rows: pixels[rows], 4, 5, 2)
    assert mean.shape == (2, 3, 3)
    assert mean[0, 0].tolist() == [25, 0, 0]
    assert mean[1, 2].tolist() == [45, 45, 45]
    root = shrunk(lambda rows: pixels[rows], 4, 5, 2, keep="root mean square")
    assert root[0, 0].tolist() == [28, 0, 0]
    assert root[1, 2].tolist() == [64, 64, 64]
    assert np.array_equal(shrunk(lambda rows: pixels[rows], 4, 5, 1), pixels)
    assert shrunk(lambda rows: pixels[rows], 4, 5, 8).shape == (1, 1, 3)


def test_images_have_labels_above_them_and_wide_labels_make_room(noise):
    first, second = noise(40, 300), noise(30, 20)
    shown = labelled_row([Panel(first, ("a", "b")), Panel(second, ("a", "31.20 dB, 1,234 bytes"))])
    top = shown.shape[0] - 40
    assert top >= 2 * 14
    assert np.array_equal(shown[top:, :300], first)
    assert np.array_equal(shown[top : top + 30, 308:328], second)
    assert shown.shape[1] > 328
    for column in (slice(0, 300), slice(308, None)):
        above = shown[:top, column]
        assert (above[: top // 2] < 128).any()
        assert (above[top // 2 :] < 128).any()
        assert (above == 255).any()


def test_details_are_below_the_images_and_aligned_with_them(noise):
    hr = noise(96, 96)
    plain = hr.copy()
    plain[64:, 64:] ^= 255
    label = ("a name that is much wider than an image of 96 pixels", "")
    panels = [Panel(hr[:24, :24], label), Panel(plain, label), Panel(hr, label)]
    shown = comparison(panels, plain, crop=32, count=1)
    step = (shown.shape[1] + 8) // 3
    top = shown.shape[0] - 96
    assert np.array_equal(shown[top:, step : step + 96], plain[64:, 64:].repeat(3, 0).repeat(3, 1))
    assert np.array_equal(shown[top:, 2 * step :][:, :96], hr[64:, 64:].repeat(3, 0).repeat(3, 1))
    assert np.array_equal(shown[top - 8 - 96 : top - 8, 2 * step :][:, :96], hr)
