"""JPEG XL: what is read of it without its plug-in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from irncli.errors import ImageError
from irncli.io.encoding import encode
from irncli.io.formats import jxl
from irncli.io.formats.jxl import Header, find_xmp, header_of, is_jxl
from irncli.io.image_file import ImageFile, decode
from irncli.io.libraries import jxl_is_here
from irncli.io.picture import Picture

with_plugin = pytest.mark.skipif(not jxl_is_here(), reason="pillow-jxl-plugin is not here")
SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"


def stream(width, height):
    """A codestream as far as its size, which is written out in full."""
    bits, used = 0, 0
    for value, count in ((0, 1), (3, 2), (height - 1, 30), (0, 3), (3, 2), (width - 1, 30)):
        bits |= value << used
        used += count
    return b"\xff\x0a" + bits.to_bytes(9, "little") + b"pixels"


def sides(data):
    header = header_of(data)
    return header.width, header.height


def box(kind, content, *, wide=False):
    size = len(content) + (16 if wide else 8)
    if wide:
        return b"\0\0\0\x01" + kind + size.to_bytes(8, "big") + content
    return size.to_bytes(4, "big") + kind + content


@given(st.integers(1, 2**30), st.integers(1, 2**30), st.booleans())
def test_the_size_is_read_with_and_without_a_container(width, height, wide):
    bare = stream(width, height)
    whole = SIGNATURE + box(b"xml ", b"<a/>") + box(b"jxlc", bare, wide=wide)
    # The first part may end anywhere, and other boxes come in between.
    first, last = box(b"jxlp", bytes(4) + bare[:5]), box(b"jxlp", b"\x80\0\0\x01" + bare[5:])
    parts = SIGNATURE + first + box(b"Exif", bytes(20)) + last
    for data in (bare, whole, parts):
        assert is_jxl(data)
        assert sides(data) == (width, height)
    assert find_xmp(whole) == b"<a/>"
    assert find_xmp(parts) is find_xmp(bare) is None


def test_a_last_box_may_be_open():
    data = SIGNATURE + b"\0\0\0\0xml <a/>"
    assert find_xmp(data) == b"<a/>"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x0a",
        b"\xff\x0a" + bytes(8),
        SIGNATURE,
        SIGNATURE + box(b"jxlc", b"\xff\x0a"),
        SIGNATURE + box(b"jxlc", stream(5, 5))[:-4],
        SIGNATURE + b"\0\0\0\x03jxlc" + stream(5, 5),
        SIGNATURE + b"\0\0\0\x01jxlc" + bytes(8),
        b"ABCDJXL and what not",
    ],
)
def test_a_damaged_file_is_refused(data):
    assert is_jxl(data)
    with pytest.raises(ImageError, match="JPEG XL"):
        header_of(data)


def test_without_the_plug_in_it_is_named(monkeypatch):
    monkeypatch.setattr(jxl, "jxl_is_here", lambda: False)
    with pytest.raises(ImageError, match=r"irncli\[jxl\]"):
        decode(stream(5, 5))


def test_a_bomb_is_refused_before_the_plug_in_sees_it(monkeypatch):
    monkeypatch.setattr(jxl, "jxl_is_here", lambda: True)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was opened"))
    for read in (decode, ImageFile):
        with pytest.raises(ImageError, match=r"100000x100000 is .* more than --max-pixels"):
            read(stream(100_000, 100_000))


@with_plugin
@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (30, 20), (64, 64), (256, 8), (120, 100), (3000, 7), (48, 27)]
)
def test_the_size_is_that_of_the_plug_in(width, height):
    data = encode(Picture(np.zeros((height, width, 3), np.uint8)), image_format="jxl")
    assert sides(data) == decode(data).size == (width, height)


# Of 2x2 pixels, by libjxl: white of 12 bits a channel; two frames.
TWELVE = bytes.fromhex("ff0a08101850b4080804010030004b188b15c269411f80fe0f00")
ANIMATION = bytes.fromhex("ff0a08104113008809080401001c004b188b15820300080405001c004b188b15820300")


def test_depth_and_frames_are_read():
    assert header_of(TWELVE) == Header(2, 2, bits=12)
    assert header_of(ANIMATION) == Header(2, 2, animated=True)


@with_plugin
def test_a_reduction_to_eight_bits_is_said():
    picture = decode(TWELVE, deep=True)
    assert (picture.pixels == 255).all()
    assert picture.notes == ("12 bits per channel were reduced to 8",)
    assert ImageFile(TWELVE).header.bits == 12


@with_plugin
def test_an_animation_is_refused():
    with pytest.raises(ImageError, match="animation, expected one image"):
        decode(ANIMATION)


@with_plugin
def test_damage_anywhere_is_an_error_of_ours(noise):
    data = encode(Picture(noise(40, 50)), image_format="jxl", quality=30)
    for place in range(0, len(data), max(1, len(data) // 100)):
        flipped = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        for damaged in (data[:place], flipped):
            try:
                decode(damaged)
            except ImageError as error:
                assert "\n" not in str(error)
