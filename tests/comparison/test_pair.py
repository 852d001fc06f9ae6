"""Two images made alike."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from irncli.comparison.pair import paired, scale_between
from irncli.engine.rescaler import bicubic
from irncli.errors import DataError
from irncli.geometry import lr_size
from irncli.io.image_file import decode
from irncli.io.picture import Metadata, Picture

RGB = b"\0" * 16 + b"RGB " + b"\0" * 108


def pair_of(a, b):
    return paired(("a", a), ("b", b))


def test_pictures_of_one_kind_stay_as_they_are(noise):
    a, b = noise(20, 30), noise(20, 30)
    pair = pair_of(Picture(a), Picture(b))
    assert np.array_equal(pair.a.pixels, a)
    assert np.array_equal(pair.b.pixels, b)
    assert (pair.size, pair.bits, pair.scale, pair.notes) == ((30, 20), 8, None, ())
    assert pair.a.alpha is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(noise, orientation):
    stored = Image.fromarray(noise(20, 30))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    expected = np.array(ImageOps.exif_transpose(Image.open(file)))
    pair = pair_of(decode(file.getvalue()), Picture(expected))
    assert np.array_equal(pair.a.pixels, expected)
    assert len(pair.notes) == (orientation > 1)


def test_if_one_has_16_bits_both_get_them(noise):
    flat = noise(12, 12)
    deep = flat.astype(np.uint16) * 257
    deep[0, 0, 0] ^= 1
    for pair in (pair_of(Picture(flat), Picture(deep)), pair_of(Picture(deep), Picture(flat))):
        assert pair.bits == 16
        assert (pair.a.pixels != pair.b.pixels).sum() == 1
        assert "compared at 16" in pair.notes[0]
        assert {pair.a.bits, pair.b.bits} == {8, 16}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_transparent_pictures_lie_on_white(kind):
    white = np.iinfo(kind).max
    pixels = np.zeros((1, 3, 3), kind)
    alpha = np.array([[0, white // 5, white]], kind)
    pair = pair_of(Picture(pixels, alpha), Picture(pixels))
    assert pair.a.pixels[0, :, 0].tolist() == [white, white - white // 5, 0]
    assert pair.a.pixels.dtype == kind
    assert np.array_equal(pair.a.alpha, alpha)
    assert (pair.b.alpha == white).all()
    assert "A has alpha" in pair.notes[0]


def test_opaque_alpha_is_none(noise):
    pixels = noise(4, 4)
    pair = pair_of(Picture(pixels, np.full((4, 4), 255, np.uint8)), Picture(pixels))
    assert pair.a.alpha is None
    assert pair.notes == ()


def test_gray_is_said(noise):
    gray = noise(4, 4)[:, :, :1].repeat(3, axis=2)
    assert "A is gray" in pair_of(Picture(gray, gray=True), Picture(noise(4, 4))).notes[0]
    assert "B is gray" in pair_of(Picture(noise(4, 4)), Picture(gray, gray=True)).notes[0]
    both = pair_of(Picture(gray, gray=True), Picture(gray, gray=True))
    assert both.notes[0].startswith("both are gray")


def test_profiles(noise):
    pixels = noise(4, 4)
    with_one = Picture(pixels, metadata=Metadata(icc=RGB))
    assert pair_of(with_one, with_one).profile == RGB
    differing = pair_of(with_one, Picture(pixels))
    assert differing.profile is None
    assert "profiles differ" in differing.notes[0]
    gray = Picture(pixels, metadata=Metadata(icc=RGB.replace(b"RGB ", b"GRAY")))
    assert pair_of(gray, gray).profile is None


@given(
    st.integers(2, 400), st.integers(2, 400),
    st.sampled_from([1.5, 2.0, 2.5, 3.0, 4.0, 8.0]),
)  # fmt: skip
def test_the_scale_of_an_lr_picture_is_found(width, height, scale):
    small = lr_size((width, height), scale)
    found = scale_between((width, height), small)
    assert found is not None
    assert lr_size((width, height), found) == small
    if min(small) > 40:
        assert found == scale


@pytest.mark.parametrize("small", [(99, 99), (50, 60), (100, 50), (101, 50), (1, 1)])
def test_other_sizes_have_no_scale(small):
    assert scale_between((100, 100), small) is None


@pytest.mark.parametrize("order", [1, -1])
def test_a_small_picture_is_made_larger_and_cropped(photo, order):
    large = photo[:46, :61]
    padded = np.pad(large, ((0, 2), (0, 3), (0, 0)), mode="edge")
    small = bicubic(padded, 12, 16)
    pictures = [Picture(large), Picture(small, np.full((12, 16), 200, np.uint8))][::order]
    pair = pair_of(*pictures)
    sides = [pair.a, pair.b][::order]
    assert pair.scale == 4
    assert (sides[0].size, sides[1].size) == ((61, 46), (16, 12))
    on_white = (small.astype(int) * 200 + 255 * 55 + 127) // 255
    expected = bicubic(on_white.astype(np.uint8), 48, 64)[:46, :61]
    assert np.array_equal(sides[1].pixels, expected)
    assert (sides[1].alpha == 200).all()
    assert np.array_equal(sides[0].pixels, large)
    letter = "B" if order == 1 else "A"
    assert f"{letter} was enlarged x4 bicubically, to the size of the other" in pair.notes


def test_a_fractional_scale_is_stretched(photo):
    large = photo[:50, :75]
    small = bicubic(large, 20, 30)
    pair = pair_of(Picture(large), Picture(small))
    assert pair.scale == 2.5
    assert np.array_equal(pair.b.pixels, bicubic(small, 50, 75))


def test_sizes_that_have_nothing_in_common_are_refused(noise):
    with pytest.raises(DataError, match=r"A is 30x20, B is 29x20: .*crop or resize") as caught:
        pair_of(Picture(noise(20, 30)), Picture(noise(20, 29)))
    assert caught.value.status == 65
