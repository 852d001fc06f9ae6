"""Pictures of 16 bits: all 65,536 levels, alpha, metadata and identity survive a PNG."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from irncli.errors import ImageError, UsageError
from irncli.io.encoding import encode, fitted
from irncli.io.images import Metadata, Picture, content_sha256, decode
from irncli.io.png import chunks, with_chunks
from irncli.io.tag import PLAIN, Tag, embed, extract
from irncli.pixels import to_bits

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GAMMA = (b"gAMA", (45455).to_bytes(4, "big"))
TEXT = (b"tEXt", b"Author\0someone")
SQUEEZED = (b"zTXt", b"Comment\0\0" + zlib.compress(b"a long story"))


@pytest.fixture
def deep():
    """Every level once in red, backwards in green, in another order in blue: [256, 256, 3]."""
    levels = np.arange(65536, dtype=np.uint16)
    channels = [levels, levels[::-1], (levels * 257 + 7).astype(np.uint16)]
    return np.stack(channels, axis=1).reshape(256, 256, 3)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_all_levels_survive(deep, gray, alpha):
    pixels = deep[:, :, :1].repeat(3, axis=2) if gray else deep
    mask = deep[:, :, 1] if alpha else None
    back = decode(encode(Picture(pixels, mask, gray), format="png"), deep=True)
    assert back.bits == 16
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) is (not alpha)
    assert not alpha or np.array_equal(back.alpha, mask)
    assert back.notes == ()


def test_tiff_is_read_at_its_depth(deep):
    import imageio.v3 as iio

    data = iio.imwrite("<bytes>", deep, extension=".tiff", plugin="opencv")
    assert Image.open(io.BytesIO(data)).mode == "RGB"  # Pillow sees 8 bits
    assert np.array_equal(decode(data, deep=True).pixels, deep)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_gray_tiff_is_read_at_its_depth(deep, order):
    buffer = io.BytesIO()
    Image.fromarray(deep[:, :, 0].astype(order)).save(buffer, "TIFF")
    back = decode(buffer.getvalue(), deep=True)
    assert back.gray
    assert np.array_equal(back.pixels[:, :, 2], deep[:, :, 0])


def test_without_need_of_depth_it_is_reduced_and_said(deep):
    back = decode(encode(Picture(deep), format="png"))
    assert back.bits == 8
    assert np.array_equal(back.pixels, to_bits(deep, 8))
    assert "16 bits" in back.notes[0]


@given(st.integers(0, 65535))
def test_reduced_values_are_the_nearest(value):
    found = int(to_bits(np.full((1, 1), value, np.uint16), 8)[0, 0])
    assert abs(found - value / 257) <= 0.5


@given(st.integers(0, 255))
def test_eight_bits_come_back_from_sixteen(value):
    one = np.full((1, 1), value, np.uint8)
    assert np.array_equal(to_bits(to_bits(one, 16), 8), one)


def test_metadata_travel_beside_deep_pixels(deep):
    exif = Image.Exif()
    exif[0x0112] = 6
    metadata = Metadata(
        icc=ICC,
        exif=exif.tobytes(),
        xmp=b"<a/>",
        dpi=(300.0, 150.0),
        chunks=(GAMMA, TEXT, SQUEEZED),
    )
    back = decode(encode(Picture(deep, metadata=metadata), format="png"), deep=True).metadata
    assert (back.icc, back.xmp, back.chunks) == (ICC, b"<a/>", (GAMMA, TEXT, SQUEEZED))
    assert back.exif.removeprefix(b"Exif\0\0") == exif.tobytes().removeprefix(b"Exif\0\0")
    assert back.dpi == pytest.approx((300, 150), abs=0.1)


def test_the_tag_names_deep_content(deep):
    def packet(content):
        return embed(None, Tag(content_sha256=content, hr_size=(256, 256), **PLAIN))

    data = encode(Picture(deep), format="png", xmp=packet)
    assert extract(decode(data).metadata.xmp).content_sha256 == content_sha256(data)
    changed = deep.copy()
    changed[5, 5, 1] ^= 1  # below what 8 bits hold
    assert content_sha256(encode(Picture(changed), format="png")) != content_sha256(data)


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_other_formats_take_eight_bits_and_it_is_said(format, deep):
    with pytest.raises(UsageError, match="16 bits"):
        encode(Picture(deep), format=format)
    picture = Picture(deep, metadata=Metadata(dpi=(72.0, 72.0), chunks=(GAMMA,)))
    held, lost = fitted(picture, format)
    assert held.bits == 8
    assert held.metadata.chunks == ()
    assert len(lost) == (2 if format == "jpeg" else 3)
    encode(held, format=format)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_truncated_deep_picture_is_refused(deep, share):
    data = encode(Picture(deep), format="png")
    with pytest.raises(ImageError):
        decode(data[: int(share * len(data))], deep=True)


def test_a_colour_that_stands_for_transparency():
    values = np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 1000
    data = with_chunks(
        encode(Picture(values), format="png"),
        ((b"tRNS", values[1, 2].astype(">u2").tobytes()),),
    )
    clear = decode(data, deep=True).alpha == 0
    assert clear[1, 2]
    assert clear.sum() == 1


@pytest.mark.parametrize("deep_pixels", [False, True])
def test_gamma_and_text_travel_byte_for_byte(deep_pixels):
    values = np.zeros((3, 4, 3), np.uint16 if deep_pixels else np.uint8)
    data = with_chunks(encode(Picture(values), format="png"), (GAMMA, TEXT, SQUEEZED))
    first = decode(data, deep=True)
    again = encode(first, format="png")
    assert first.metadata.chunks == (GAMMA, TEXT, SQUEEZED)
    kept = [chunk for chunk in chunks(again) if chunk[0] in (b"gAMA", b"tEXt", b"zTXt")]
    assert kept == [GAMMA, TEXT, SQUEEZED]
    assert Image.open(io.BytesIO(again)).info["Author"] == "someone"


def test_xmp_is_not_carried_twice():
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<a/>")
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG", pnginfo=text)
    again = encode(decode(buffer.getvalue()), format="png")
    assert again.count(b"XML:com.adobe.xmp") == 1
