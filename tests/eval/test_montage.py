"""Images of comparisons."""

import numpy as np
import pytest

from irncli.eval import montage
from irncli.eval.montage import shrunk, side_by_side, worst_places


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
