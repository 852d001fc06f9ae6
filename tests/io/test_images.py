"""Bytes to pictures and back: nothing lost, nothing believed."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from irncli.errors import ImageError, IrnError, UsageError
from irncli.io.images import Metadata, Picture, content_sha256, decode, encode, probe

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_bytes(orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "a picture"
    return exif.tobytes()


def saved(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def pixels(noise):
    return noise(20, 30)


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    gray=st.booleans(),
    alpha=st.booleans(),
    seed=st.integers(0, 99),
)
def test_png_keeps_every_value(height, width, gray, alpha, seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 256, (height, width, 1 if gray else 3), dtype=np.uint8)
    values = values.repeat(3, axis=2) if gray else values
    mask = generator.integers(0, 255, (height, width), dtype=np.uint8) if alpha else None
    back = decode(encode(Picture(values, mask, gray), format="png"))
    assert np.array_equal(back.pixels, values)
    assert back.gray is gray
    assert back.size == (width, height)
    assert (back.alpha is None) is (mask is None)
    assert mask is None or np.array_equal(back.alpha, mask)


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_metadata_travel_byte_for_byte(format, pixels):
    metadata = Metadata(icc=ICC, exif=exif_bytes(), xmp=b"<a/>", dpi=(300.0, 150.0))
    back = decode(encode(Picture(pixels, metadata=metadata), format=format)).metadata
    assert back.icc == ICC
    assert back.exif is not None
    assert back.exif.removeprefix(b"Exif\0\0") == metadata.exif.removeprefix(b"Exif\0\0")
    assert back.xmp == b"<a/>"
    assert back.dpi == pytest.approx((300, 150), abs=0.1)


def test_exif_stays_the_same_however_often_it_is_copied(pixels):
    exif = exif_bytes()
    for format in ("png", "jpeg", "png", "jpeg"):
        picture = Picture(pixels, metadata=Metadata(exif=exif))
        exif = decode(encode(picture, format=format)).metadata.exif
    assert exif.removeprefix(b"Exif\0\0") == exif_bytes().removeprefix(b"Exif\0\0")


def test_orientation_is_kept_and_pixels_are_not_turned(pixels):
    picture = decode(saved(Image.fromarray(pixels), exif=exif_bytes(8)))
    assert np.array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("mode", ["P", "1", "L", "LA", "RGBA", "CMYK", "I;16"])
def test_other_pixel_types_are_converted_and_said(mode, pixels):
    image = Image.fromarray(pixels)
    if mode == "I;16":
        image = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    elif mode == "LA":
        image = image.convert("L").convert("LA")
    else:
        image = image.convert(mode)
    picture = decode(saved(image, "TIFF" if mode == "CMYK" else "PNG"))
    assert picture.pixels.shape == (20, 30, 3)
    assert picture.gray is (mode in ("1", "L", "LA", "I;16"))
    assert bool(picture.notes) is (mode in ("P", "CMYK", "I;16"))
    if mode == "I;16":
        assert np.array_equal(picture.pixels[:, :, 0], pixels[:, :, 0])


def deep_png(width=4, height=2):
    """A PNG of 16 bits a channel, written by hand: Pillow cannot."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([128, 7]) * (3 * width) for _ in range(height))
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_sixteen_bits_a_channel_are_reduced_and_said():
    picture = decode(deep_png())
    assert picture.pixels[0, 0].tolist() == [128] * 3
    assert "16 bits" in picture.notes[0]


def test_full_transparency_is_no_transparency(pixels):
    assert decode(saved(Image.fromarray(pixels).convert("RGBA"))).alpha is None


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "0 bytes"),
        (b"hello", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
        (b"\x89PNG\r\n\x1a\n", "."),
        (b"\xff\xd8\xff\xe0", "."),
        (b"%PDF-1.4", "not an image"),
    ],
)
def test_what_is_no_image_is_refused(data, part):
    for read in (decode, probe, content_sha256):
        with pytest.raises(ImageError, match=part):
            read(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_picture_is_refused(format, share, pixels):
    data = saved(Image.fromarray(pixels), format)
    with pytest.raises(ImageError):
        decode(data[: int(share * len(data))])


def test_several_frames_are_refused(pixels):
    frames = [Image.fromarray(pixels), Image.fromarray(255 - pixels)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="2 frames"):
        decode(data)


def bomb():
    """A PNG header that promises 10^10 pixels."""
    data = bytearray(deep_png())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_bomb_is_refused_before_memory_is_taken(pixels):
    for read in (decode, probe, content_sha256):
        with pytest.raises(ImageError, match="--max-pixels"):
            read(bomb())
    with pytest.raises(ImageError, match="600 pixels, more than --max-pixels 599"):
        decode(saved(Image.fromarray(pixels)), max_pixels=599)
    assert decode(saved(Image.fromarray(pixels)), max_pixels=600)


def test_limits_of_pillow_are_left_as_they_were(pixels):
    before = Image.MAX_IMAGE_PIXELS
    decode(saved(Image.fromarray(pixels)))
    assert before == Image.MAX_IMAGE_PIXELS


def test_content_of_a_png_is_its_pixels(pixels):
    image = Image.fromarray(pixels)
    first = content_sha256(saved(image, compress_level=1))
    assert first == content_sha256(saved(image, compress_level=9, exif=exif_bytes()))
    assert first == content_sha256(saved(image, "BMP"))
    changed = pixels.copy()
    changed[3, 4, 1] ^= 1
    assert first != content_sha256(saved(Image.fromarray(changed)))


def test_content_of_a_jpeg_is_its_coded_data(pixels):
    data = saved(Image.fromarray(pixels), "JPEG", quality=90)
    with_metadata = saved(
        Image.fromarray(pixels), "JPEG", quality=90, exif=exif_bytes(), comment=b"hello"
    )
    assert content_sha256(data) == content_sha256(with_metadata)
    again = saved(Image.open(io.BytesIO(data)), "JPEG", quality=80)
    assert content_sha256(data) != content_sha256(again)


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_the_packet_is_given_the_hash_of_what_is_written(format, pixels):
    seen = []

    def packet(content):
        seen.append(content)
        return b"<p/>"

    data = encode(Picture(pixels), format=format, xmp=packet)
    assert seen == [content_sha256(data)]
    assert decode(data).metadata.xmp == b"<p/>"


def test_what_a_jpeg_cannot_hold_is_said(pixels):
    with pytest.raises(UsageError, match="transparency"):
        encode(Picture(pixels, pixels[:, :, 0]), format="jpeg")
    with pytest.raises(UsageError, match="quality"):
        encode(Picture(pixels), format="jpeg", quality=0)
    huge = Metadata(xmp=b"x" * 70_000)
    with pytest.raises(ImageError, match="70000"):
        encode(Picture(pixels, metadata=huge), format="jpeg")
    assert decode(encode(Picture(pixels, metadata=huge), format="png")).metadata.xmp == huge.xmp


def test_jpeg_keeps_full_colour_resolution(pixels):
    smooth = np.zeros((32, 32, 3), np.uint8)
    smooth[:, ::2, 0] = 255
    back = decode(encode(Picture(smooth), format="jpeg", quality=98)).pixels
    assert np.abs(back.astype(int) - smooth).mean() < 6


@pytest.mark.slow
@pytest.mark.shared
def test_hostile_files_are_decoded_or_refused(shared):
    read = refused = 0
    for path in sorted((shared / "hostile").rglob("*")):
        if not path.is_file():
            continue
        try:
            picture = decode(path.read_bytes(), max_pixels=40_000_000)
        except IrnError as error:
            assert "\n" not in str(error), path
            refused += 1
        else:
            assert picture.pixels.dtype == np.uint8, path
            encode(Picture(picture.pixels, picture.alpha, picture.gray), format="png")
            read += 1
    assert read > 200
    assert refused > 50
