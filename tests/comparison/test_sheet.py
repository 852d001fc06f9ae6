"""The sheet: A, B, their difference, and the details, each where the layout says."""

import io

import numpy as np
import pytest
from PIL import Image

from irncli.comparison.numbers import measure
from irncli.comparison.pair import paired
from irncli.comparison.sheet import Layout, sheet
from irncli.comparison.views import COLOURS, Views, amplified, detail_side
from irncli.io.picture import Metadata, Picture


def made(a, b, crops=3, gain=None, metadata=None, names=("a.png", "b.png")):
    pictures = (Picture(pixels, metadata=metadata or Metadata()) for pixels in (a, b))
    pair = paired(*zip(names, pictures, strict=True))
    data = sheet(pair, measure(pair), crops=crops, gain=gain)
    image = Image.open(io.BytesIO(data))
    return np.array(image), Layout.of(pair, crops), image


@pytest.fixture
def two(photo):
    """A photograph, and the same with two squares of noise in it, one weaker."""
    a = photo[:300, :450]
    b = a.copy()
    generator = np.random.default_rng(1)
    b[40:80, 300:340] = generator.integers(0, 256, (40, 40, 3))
    b[200:240, 60:100] = np.clip(
        b[200:240, 60:100] + generator.integers(-40, 41, (40, 40, 3)), 0, 255
    )
    return a, b


def test_the_columns_are_a_b_and_the_difference(two):
    a, b = two
    shown, layout, _ = made(a, b, crops=0, gain=4)
    height, width = a.shape[:2]
    expected = (a, b, np.minimum(255, 4 * np.abs(a.astype(int) - b)))
    for column, pixels in enumerate(expected):
        top, left = layout.on_panel(column, 0, 0)
        assert np.array_equal(shown[top : top + height, left : left + width], pixels)
    assert shown.shape[1] == layout.width
    assert (shown[:, -10:] == shown[0, 0]).all()  # free at the edge


def test_the_details_are_those_of_the_largest_difference(two):
    a, b = two
    shown, layout, _ = made(a, b, gain=2)
    pair = paired(("a", Picture(a)), ("b", Picture(b)))
    views = Views.of(pair, measure(pair), crops=3, side=layout.side, gain=2)
    first, second = views.places[:2]
    assert first.x < 320 < first.x + first.side
    assert first.y < 60 < first.y + first.side
    assert any(p.x < 80 < p.x + p.side and p.y < 220 < p.y + p.side for p in views.places[1:])
    for place in (first, second):
        part = np.s_[place.y : place.y + place.side, place.x : place.x + place.side]
        expected = (a[part], b[part], np.minimum(255, 2 * np.abs(a[part].astype(int) - b[part])))
        for column, pixels in enumerate(expected):
            top, left = layout.detail(column, place.number)
            size = layout.side * layout.times
            seen = shown[top : top + size, left : left + size]
            assert np.array_equal(seen[:: layout.times, :: layout.times], pixels)
            assert np.array_equal(seen[layout.times - 1 :: layout.times, :: layout.times], pixels)
            colour = list(bytes.fromhex(COLOURS[place.number - 1][1:]))
            assert (
                shown[top - 1, left].tolist() == shown[top + size, left + size].tolist() == colour
            )
            y, x = layout.on_panel(column, place.y, place.x)
            assert shown[y - 1, x].tolist() == colour


def test_text_is_written_above_each_column(two):
    shown, layout, _ = made(*two)
    paper = shown[0, 0]
    for column in range(3):
        top, left = layout.on_panel(column, 0, 0)
        title = shown[top - layout.line : top - layout.text // 3, left : left + 60]
        assert (title != paper).any()
    assert (
        shown[layout.line : 2 * layout.line, layout.left(0) : layout.left(0) + 60] != paper
    ).any()


@pytest.mark.parametrize(("size", "shrink", "repeat"), [((50, 40), 1, 7), ((3000, 200), 3, 1)])
def test_large_pictures_are_shrunk_and_small_ones_repeated(noise, size, shrink, repeat):
    a, b = (noise(*size[::-1]) for _ in range(2))
    b[0, 0] ^= 1
    shown, layout, _ = made(a, b, crops=1)
    assert (layout.shrink, layout.repeat) == (shrink, repeat)
    top, left = layout.on_panel(0, 0, 0)
    block = a[:shrink, :shrink].mean(axis=(0, 1)).round()
    assert np.array_equal(shown[top, left], block)
    assert layout.panel == (-(-size[0] // shrink) * repeat, -(-size[1] // shrink) * repeat)
    size = layout.side * layout.times
    assert shown.shape[0] > layout.detail(0, 1)[0] + size


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2), (5000, 1), (12, 12), (700, 700)])
@pytest.mark.parametrize("crops", [0, 1, 7])
def test_any_size_has_a_sheet(size, crops):
    a = np.zeros((size[1], size[0], 3), np.uint8)
    shown, layout, _ = made(a, a + 9, crops)
    assert shown.shape[1] == layout.width
    assert layout.side <= min(size)
    if crops == 0:  # frames around the smallest details hide them
        top, left = layout.on_panel(2, 0, 0)
        assert shown[top, left].tolist() == [9 * 16] * 3


def test_equal_pictures_have_no_details(noise):
    a = noise(60, 80)
    shown, layout, _ = made(a, a)
    top, left = layout.on_panel(2, 0, 0)
    assert (shown[top : top + layout.panel[1], left : left + layout.panel[0]] == 0).all()
    assert shown.shape[0] == layout.height(0)


def test_a_profile_that_both_have_is_kept(noise):
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    *_, image = made(noise(20, 20), noise(20, 20), metadata=Metadata(icc=profile))
    assert image.info["icc_profile"] == profile
    *_, image = made(noise(20, 20), noise(20, 20))
    assert "icc_profile" not in image.info


def test_long_names_do_not_run_over(noise):
    name = "x" * 300
    shown, layout, _ = made(noise(20, 20), noise(20, 20), names=(name, name))
    paper = shown[0, 0]
    top = layout.on_panel(0, 0, 0)[0] - layout.line
    gap = slice(layout.left(0) + layout.column + 1, layout.left(1) - 1)
    assert (shown[top : top + layout.line - 4, gap] == paper).all()


def test_differences_are_amplified_at_both_depths():
    for kind in (np.uint8, np.uint16):
        white = np.iinfo(kind).max
        a = np.array([0, white // 5, white], kind)
        assert amplified(a, np.zeros_like(a), 2).tolist() == [0, 102, 255]
        assert amplified(np.zeros_like(a), a, 1).tolist() == [0, 51, 255]


def test_details_are_a_third_of_small_pictures_and_no_more_than_there_is():
    assert [detail_side(size) for size in ((900, 700), (90, 120), (20, 30), (9, 5))] == [
        64,
        30,
        16,
        5,
    ]
