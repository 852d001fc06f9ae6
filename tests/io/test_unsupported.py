"""Files of a known format that are not read, or only in part: the message says what they are."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from irncli.errors import ImageError
from irncli.io.encoding import encode
from irncli.io.formats.png import chunks, framed, with_chunks
from irncli.io.image_file import ImageFile, decode
from irncli.io.picture import Picture
from irncli.io.pillow import from_pillow


@pytest.fixture
def pixels(noise):
    return noise(20, 30)


def saved(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def tiff(values, kind, photometric=None):
    """An uncompressed TIFF of any type of values, [H, W] or [H, W, C], with SampleFormat `kind`."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    bits = 8 * values.dtype.itemsize
    if photometric is None:
        photometric = 2 if channels == 3 else 1
    body = values.astype(values.dtype.newbyteorder("<")).tobytes()
    many = channels > 2
    entries = [(256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [1]),
               (262, 3, [photometric]), (273, 4, [0]), (277, 3, [channels]), (278, 4, [height]),
               (279, 4, [len(body)]), (339, 3, [kind] * channels)]  # fmt: skip
    beyond = 8 + 2 + 12 * len(entries) + 4
    start = beyond + many * 2 * 2 * channels
    table, lists = b"", b""
    for tag, type_, numbers in entries:
        numbers = [start] if tag == 273 else numbers
        packed = struct.pack(f"<{len(numbers)}{'H' if type_ == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            lists, packed = lists + packed, struct.pack("<I", beyond + len(lists))
        table += struct.pack("<HHI", tag, type_, len(numbers)) + packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + table + bytes(4) + lists + body


UNSIGNED, SIGNED, FLOAT, COMPLEX = 1, 2, 3, 6
READ = [("u1", UNSIGNED), ("u2", UNSIGNED)]
REFUSED = [
    ("u4", UNSIGNED, "32-bit unsigned integers"),
    ("i1", SIGNED, "8-bit signed integers"),
    ("i2", SIGNED, "16-bit signed integers"),
    ("i4", SIGNED, "32-bit signed integers"),
    ("f2", FLOAT, "16-bit floating-point numbers"),
    ("f4", FLOAT, "32-bit floating-point numbers"),
    ("f8", FLOAT, "64-bit floating-point numbers"),
    ("c8", COMPLEX, "64-bit complex floating-point numbers"),
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("type_", "kind", "name"), REFUSED)
def test_the_type_of_a_tiff_decides_and_not_its_values(type_, kind, name, channels):
    """Small values, large ones, and negative ones: one answer."""
    shape = (6, 5) if channels == 1 else (6, 5, 3)
    said = set()
    for value in (0, 1, 100, 127):
        with pytest.raises(ImageError) as caught:
            decode(tiff(np.full(shape, value, type_), kind), deep=True)
        said.add(str(caught.value))
    for extreme in ([-3, 5] if kind == SIGNED else []) + ([10**6] if type_[1] == "4" else []):
        with pytest.raises(ImageError) as caught:
            decode(tiff(np.full(shape, extreme, type_), kind), deep=True)
        said.add(str(caught.value))
    assert said == {
        f"a TIFF of {name}, expected unsigned integers of 8 or 16 bits: convert it first"
    }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("type_", "kind"), READ)
def test_unsigned_integers_of_a_tiff_are_read_as_they_are(type_, kind, channels):
    shape = (6, 5) if channels == 1 else (6, 5, 3)
    for top in (1, 100, np.iinfo(type_).max):
        values = np.random.default_rng(0).integers(0, top, shape, dtype=type_)
        found = decode(tiff(values, kind), deep=True).pixels
        assert np.array_equal(found[:, :, 0] if channels == 1 else found, values)


def test_a_tiff_of_unusual_channels_says_which():
    data = tiff(np.zeros((6, 5, 5), np.uint8), UNSIGNED, photometric=5)
    with pytest.raises(ImageError, match=r"5 channels of 8 bits, photometric interpretation 5 and"):
        decode(data)


@pytest.mark.parametrize("value", [0, 200, 70_000, -1])
def test_32_bit_images_of_pillow_are_refused_whatever_they_hold(value):
    with pytest.raises(ImageError, match="32-bit integer pixels"):
        from_pillow(Image.fromarray(np.full((4, 5), value, np.int32)))


def test_16_bit_images_of_pillow_are_read():
    values = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000
    assert np.array_equal(from_pillow(Image.fromarray(values)).pixels[:, :, 0], values)
    pgm = b"P5 5 4 65535\n" + values.astype(">u2").tobytes()
    assert np.array_equal(decode(pgm, deep=True).pixels[:, :, 0], values)
    assert np.array_equal(from_pillow(Image.open(io.BytesIO(pgm))).pixels[:, :, 0], values)


def test_a_bitmap_of_an_unusual_depth_is_not_called_damaged():
    data = bytearray(saved(Image.new("RGB", (4, 4)), "BMP"))
    data[28] = 2
    with pytest.raises(ImageError, match=r"^an image of a kind that irn does not read: Unsupp"):
        decode(bytes(data))


def frame(data):
    """Where the frame of a baseline JPEG begins, behind its marker and length."""
    return data.index(b"\xff\xc0") + 4


def test_a_jpeg_of_12_bits_says_so(pixels):
    data = bytearray(saved(Image.fromarray(pixels), "JPEG"))
    at = frame(data)
    data[at] = 12
    for marker in (0xC0, 0xC1, 0xC2):  # baseline, extended, progressive
        data[at - 3] = marker
        with pytest.raises(ImageError, match=r"^a JPEG with 12 bits per channel, expected 8: conv"):
            decode(bytes(data))


def test_jpegs_of_other_codings_say_so(pixels):
    sound = saved(Image.fromarray(pixels), "JPEG")
    two = bytearray(sound)
    two[frame(two) + 5] = 2
    with pytest.raises(ImageError, match="a JPEG with 2 channels, expected 1, 3 or 4"):
        decode(bytes(two))
    layered = sound.replace(b"\xff\xc0", b"\xff\xc5", 1)
    with pytest.raises(ImageError, match="a hierarchical JPEG"):
        decode(layered)


def spoiled(data, *kinds):
    """The PNG with wrong checksums of these chunks."""
    parts = [data[:8]]
    for kind, body in chunks(data):
        part = framed(kind, body)
        parts.append(part[:-1] + bytes([part[-1] ^ 1]) if kind in kinds else part)
    return b"".join(parts)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ([b"tEXt"], "its chunk tEXt (text) has a wrong checksum, so it was left out: the file is "
         "damaged"),
        ([b"gAMA"], "its chunk gAMA (gamma) has a wrong"),
        ([b"iCCP"], "its chunk iCCP (colour profile) has a wrong"),
        ([b"prVt"], "its chunk prVt has a wrong"),
        ([b"gAMA", b"tEXt"], "its chunks gAMA (gamma) and tEXt (text) have a wrong checksum, so "
         "they were left out"),
    ],
)  # fmt: skip
def test_a_wrong_checksum_of_what_the_pixels_do_not_need_is_said(pixels, kinds, said, bits):
    values = pixels if bits == 8 else pixels.astype(np.uint16) * 257
    added = (
        (b"tEXt", b"Author\0someone"), (b"gAMA", (45455).to_bytes(4, "big")), (b"prVt", b"abc"),
        (b"iCCP", b"x\0\0" + zlib.compress(b"abc")),
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"b")),
    )  # fmt: skip
    added = tuple(chunk for chunk in added if chunk[0] != b"iCCP" or b"iCCP" in kinds)
    sound = with_chunks(encode(Picture(values), image_format="png"), added)
    file = ImageFile(spoiled(sound, *kinds))
    picture = file.decode(deep=True)
    assert np.array_equal(picture.pixels, values)
    assert picture.notes[0].startswith(said)
    assert len(picture.notes) == 1
    kept = [kind for kind, _ in picture.metadata.chunks]
    assert kept == [k for k, _ in added if k in (b"tEXt", b"gAMA", b"zTXt") and k not in kinds]
    if b"iCCP" not in kinds:
        assert decode(sound, deep=True).notes == ()


def test_a_wrong_checksum_of_what_the_pixels_need_is_refused(pixels):
    image = Image.fromarray(pixels).quantize(16)
    for kind in (b"IHDR", b"PLTE"):
        with pytest.raises(ImageError, match=f"a damaged PNG: its chunk {kind.decode()} has"):
            decode(spoiled(saved(image), kind))


CASES = {
    "u32.tif": "32-bit unsigned integers",
    "u32_overflow.tif": "32-bit unsigned integers",
    "i16.tif": "16-bit signed integers",
    "i16_neg.tif": "16-bit signed integers",
    "float.tif": "32-bit floating-point numbers",
    "twelve.jpg": "12 bits per channel",
}


@pytest.mark.shared
@pytest.mark.parametrize("name", CASES)
def test_cases_that_are_refused_by_name(shared, name):
    with pytest.raises(ImageError, match=CASES[name]):
        decode((shared / "cases" / name).read_bytes(), deep=True)


@pytest.mark.shared
def test_the_case_of_a_wrong_checksum(shared):
    picture = decode((shared / "cases" / "badcrc_anc.png").read_bytes())
    assert picture.size == (96, 72)
    assert "tEXt (text) has a wrong checksum" in picture.notes[0]
