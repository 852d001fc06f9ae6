"""Images of 16 bits: all 65,536 levels, alpha, metadata and identity survive a PNG."""

import contextlib
import io
import struct
import tempfile
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from irncli.errors import ImageError, StorageError, UsageError
from irncli.io.encoding import encode, fitted
from irncli.io.formats.avif_heif import Avif, Heif
from irncli.io.formats.png import chunks, with_chunks
from irncli.io.image_file import ImageFile, decode
from irncli.io.libraries import heif_is_here
from irncli.io.picture import Metadata, Picture
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
    back = decode(encode(Picture(pixels, mask, gray), image_format="png"), deep=True)
    assert (back.bits, back.gray) == (16, gray)
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) is (not alpha)
    assert not alpha or np.array_equal(back.alpha, mask)
    assert back.notes == ()


def test_decoders_have_nothing_to_say(deep, capfd):
    gray = Picture(deep[:, :, :1].repeat(3, axis=2), deep[:, :, 1], gray=True)
    data = with_chunks(
        encode(gray, image_format="png"), ((b"iCCP", b"x\0\0" + zlib.compress(ICC)), (b"gAMA", b""))
    )
    with contextlib.suppress(ImageError):
        decode(data, deep=True)
    assert capfd.readouterr() == ("", "")


def test_no_room_for_temporary_files(deep, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    data = encode(Picture(deep), image_format="png")
    with pytest.raises(StorageError, match=r"temporary file: No such file or directory; .*TMPDIR"):
        decode(data, deep=True)


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
    back = decode(encode(Picture(deep), image_format="png"))
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
    back = decode(encode(Picture(deep, metadata=metadata), image_format="png"), deep=True).metadata
    assert (back.icc, back.xmp, back.chunks) == (ICC, b"<a/>", (GAMMA, TEXT, SQUEEZED))
    assert back.exif.removeprefix(b"Exif\0\0") == exif.tobytes().removeprefix(b"Exif\0\0")
    assert back.dpi == pytest.approx((300, 150), abs=0.1)


def test_the_tag_names_deep_content(deep):
    def packet(content):
        return embed(None, Tag(content_sha256=content, hr_size=(256, 256), **PLAIN))

    data = encode(Picture(deep), image_format="png", xmp=packet)
    assert extract(decode(data).metadata.xmp).content_sha256 == ImageFile(data).content_sha256
    changed = deep.copy()
    changed[5, 5, 1] ^= 1  # below what 8 bits hold
    assert (
        ImageFile(encode(Picture(changed), image_format="png")).content_sha256
        != ImageFile(data).content_sha256
    )


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_other_formats_take_eight_bits_and_it_is_said(format, deep):
    with pytest.raises(UsageError, match="16 bits"):
        encode(Picture(deep), image_format=format)
    picture = Picture(deep, metadata=Metadata(dpi=(72.0, 72.0), chunks=(GAMMA,)))
    held, lost = fitted(picture, format)
    assert held.bits == 8
    assert held.metadata.chunks == ()
    assert len(lost) == (2 if format == "jpeg" else 3)
    encode(held, image_format=format)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_truncated_deep_picture_is_refused(deep, share):
    data = encode(Picture(deep), image_format="png")
    with pytest.raises(ImageError):
        decode(data[: int(share * len(data))], deep=True)


def test_a_colour_that_stands_for_transparency():
    values = np.arange(48, dtype=np.uint16).reshape(4, 4, 3) * 1000
    data = with_chunks(
        encode(Picture(values), image_format="png"),
        ((b"tRNS", values[1, 2].astype(">u2").tobytes()),),
    )
    clear = decode(data, deep=True).alpha == 0
    assert clear[1, 2]
    assert clear.sum() == 1


@pytest.mark.parametrize("deep_pixels", [False, True])
def test_gamma_and_text_travel_byte_for_byte(deep_pixels):
    values = np.zeros((3, 4, 3), np.uint16 if deep_pixels else np.uint8)
    data = with_chunks(encode(Picture(values), image_format="png"), (GAMMA, TEXT, SQUEEZED))
    first = decode(data, deep=True)
    again = encode(first, image_format="png")
    assert first.metadata.chunks == (GAMMA, TEXT, SQUEEZED)
    kept = [chunk for chunk in chunks(again) if chunk[0] in (b"gAMA", b"tEXt", b"zTXt")]
    assert kept == [GAMMA, TEXT, SQUEEZED]
    assert Image.open(io.BytesIO(again)).info["Author"] == "someone"


def test_xmp_is_not_carried_twice():
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<a/>")
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG", pnginfo=text)
    again = encode(decode(buffer.getvalue()), image_format="png")
    assert again.count(b"XML:com.adobe.xmp") == 1


def jpeg2000(values, bits, suffix):
    """A lossless file: OpenCV writes 16 bits only, so those of `bits` are made of them.

    Values are stored around zero, which lies at half of what `bits` hold.
    """
    shifted = (values.astype(int) - (1 << bits - 1) + (1 << 15)).astype(np.uint16)
    if values.ndim == 3:
        shifted = np.ascontiguousarray(shifted[:, :, [2, 1, 0, 3][: values.shape[2]]])
    data = bytearray(cv2.imencode(".jp2", shifted)[1])
    start = data.index(b"\xff\x4f\xff\x51")
    for at in range(start + 42, start + 42 + 3 * data[start + 41], 3):
        data[at] = bits - 1
    data[data.index(b"ihdr") + 14] = bits - 1
    return bytes(data[start:] if suffix == "j2k" else data)


@pytest.fixture
def ramp():
    """From black to white in every channel, uint16 [40, 64, 4]; of another depth, divide."""
    levels = np.linspace(0, 65535, 40 * 64).round().astype(np.uint16).reshape(40, 64)
    return np.stack([levels, levels[::-1], levels[:, ::-1], levels.T.reshape(40, 64)], axis=2)


@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", [9, 10, 12, 15, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_2000_is_read_at_its_depth(ramp, channels, bits, suffix):
    most = (1 << bits) - 1
    values = (ramp * (most / 65535)).round().astype(np.uint16)
    kept = values[:, :, 0] if channels == 1 else values[:, :, :channels]
    data = jpeg2000(kept, bits, suffix)
    back = decode(data, deep=True)
    assert (back.bits, back.gray, back.notes) == (16, channels == 1, ())
    wanted = (values.astype(int) * 65535 + most // 2) // most
    colours = wanted[:, :, :1] if channels == 1 else wanted[:, :, :3]
    assert np.array_equal(back.pixels, np.broadcast_to(colours, back.pixels.shape))
    assert channels != 4 or np.array_equal(back.alpha, wanted[:, :, 3])
    assert ImageFile(data).header.bits == bits
    assert decode(data).notes == (f"{bits} bits per channel were reduced to 8",)


def test_jpeg_2000_that_would_be_read_wrongly_is_refused(ramp):
    """Pillow makes white of 12 bits black; OpenCV mistakes luma and differences of 12 bits."""
    data = jpeg2000(ramp[:, :, :3] >> 4, 12, "jp2")
    at = data.index(b"colr\x01")
    luma = data[: at + 10] + b"\x12" + data[at + 11 :]
    second = data.index(b"\xff\x4f\xff\x51") + 45
    mixed = data[:second] + b"\x0a" + data[second + 1 :]
    for wrong in (luma, mixed):
        with pytest.raises(ImageError, match="12 bits and mode RGB that cannot be read correctly"):
            decode(wrong)


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_is_read_at_its_depth(ramp, bits):
    written = cv2.imencode(
        ".avif",
        np.ascontiguousarray(ramp[:, :, 2::-1] >> (16 - bits)),
        [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100],
    )
    data = written[1].tobytes()
    back = decode(data, deep=True)
    assert back.bits == 16
    assert np.abs(back.pixels.astype(int) - ramp[:, :, :3]).max() < 700
    assert len(np.unique(back.pixels)) > 500
    assert ImageFile(data).header.bits == bits


@pytest.mark.skipif(not heif_is_here(), reason="pillow-heif is not here")
def test_heic_is_read_at_its_depth(ramp):
    import pillow_heif

    file = pillow_heif.from_bytes("RGB;16", (64, 40), ramp[:, :, :3].tobytes())
    buffer = io.BytesIO()
    file.save(buffer, quality=-1, chroma=444, matrix_coefficients=0)
    back = decode(buffer.getvalue(), deep=True)
    assert back.bits == 16
    assert np.abs(back.pixels.astype(int) - ramp[:, :, :3]).max() <= 64
    assert back.pixels.max() == 65535
    assert ImageFile(buffer.getvalue()).header.bits == 10


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_what_no_library_reads_at_its_depth_is_reduced_and_said(format, monkeypatch):
    if format == "HEIF" and not heif_is_here():
        pytest.skip("pillow-heif is not here")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 9)).save(buffer, format)
    kind = {"AVIF": Avif, "HEIF": Heif}[format]
    monkeypatch.setattr(kind, "bits", lambda *_: 12)  # while its pixels have 8
    back = decode(buffer.getvalue(), deep=True)
    assert (back.bits, back.notes) == (8, ("12 bits per channel were reduced to 8",))


def gray_tiff(bits, photometric, strip, width):
    tags = (
        (256, 3, width), (257, 3, 1), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
        (273, 4, 14 + 9 * 12), (277, 3, 1), (278, 3, 1), (279, 4, len(strip)),
    )  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0\x08\0\0\0\x09\0" + entries + bytes(4) + strip


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (gray_tiff(12, 1, bytes.fromhex("000001fff800"), 4), [0, 16, 65535, 32776]),
        (gray_tiff(16, 0, np.array([0, 1, 65535], "<u2").tobytes(), 3), [65535, 65534, 0]),
    ],
    ids=["twelve bits", "white is zero"],
)
def test_gray_tiff_of_other_kinds(data, values):
    assert decode(data, deep=True).pixels[0, :, 1].tolist() == values


def test_sixteen_bits_of_other_formats_are_said():
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2)).save(buffer, "SGI", bpc=1)
    data = bytearray(buffer.getvalue())
    assert decode(bytes(data)).notes == ()
    data[3] = 2
    assert decode(bytes(data) + bytes(18), deep=True).notes == (
        "16 bits per channel were reduced to 8",
    )
