"""Bytes to images and back: nothing lost, nothing believed."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from irncli.errors import ImageError, IrnError
from irncli.io.encoding import encode, fitted
from irncli.io.formats import avif_heif, format_of
from irncli.io.image_file import ImageFile, decode
from irncli.io.libraries import heif_is_here
from irncli.io.metadata import stripped
from irncli.io.picture import Metadata, Picture


def identity(data, **options):
    return ImageFile(data, **options).content_sha256


def exif_bytes(orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "an image"
    return exif.tobytes()


def saved(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def pixels(noise):
    return noise(20, 30)


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
    assert bool(picture.notes) is (mode in ("P", "1", "CMYK", "I;16"))
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


def test_alpha_stays_where_all_is_opaque(pixels):
    picture = decode(saved(Image.fromarray(pixels).convert("RGBA")))
    assert picture.opaque
    assert np.array_equal(picture.alpha, np.full((20, 30), 255))


def test_lab_is_converted_by_its_definition(pixels):
    """a = b = 0 is gray, and L its lightness."""
    lightness = np.linspace(0, 255, 30).astype(np.uint8)
    plane = Image.fromarray(np.broadcast_to(lightness, (20, 30)).copy())
    middle = Image.new("L", (30, 20), 128)
    lab = Image.merge("LAB", (plane, middle, middle))
    picture = decode(saved(lab, "TIFF"))
    # CIE lightness of the sRGB values 0, 119 and 255 is 0, 50 and 100.
    found = picture.pixels[0, [0, 15, 29]].astype(int)
    assert np.abs(found - [[0], [120], [255]]).max() <= 4
    assert any("LAB" in note for note in picture.notes)


@pytest.mark.parametrize("space", [b"CMYK", b"GRAY", b"Lab ", b""])
def test_a_profile_for_other_colours_is_left_out_and_said(space, pixels):
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    icc[16:20] = space.ljust(4)
    picture = decode(saved(Image.fromarray(pixels), icc_profile=bytes(icc)))
    assert picture.metadata.icc is None
    assert any("profile" in note for note in picture.notes)


def test_a_tiff_is_turned_upright_and_its_tags_become_exif(pixels):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[0x0112], info[0x010F] = 6, "a maker"
    info[0x8769] = {0x829A: 0.5}
    picture = decode(saved(Image.fromarray(pixels), "TIFF", tiffinfo=info))
    assert np.array_equal(picture.pixels, np.rot90(pixels, -1))
    read = Image.Exif()
    read.load(picture.metadata.exif)
    assert read[0x010F] == "a maker"
    assert 0x0112 not in read
    assert read.get_ifd(0x8769)[0x829A] == pytest.approx(0.5)
    assert picture.metadata.dpi is None


@pytest.mark.skipif(not heif_is_here(), reason="pillow-heif is not here")
def test_heic_comes_upright_with_its_metadata():
    y, x = np.mgrid[:40, :60]
    pixels = np.stack([x * 4, y * 6, 200 - x - y], axis=2).astype(np.uint8)
    data = saved(Image.fromarray(pixels), "HEIF", exif=exif_bytes(6), xmp=b"<a/>", quality=100)
    picture = decode(data)
    assert picture.size == (40, 60)
    assert np.abs(picture.pixels.astype(int) - np.rot90(pixels, -1)).mean() < 3
    assert picture.metadata.xmp == b"<a/>"
    read = Image.Exif()
    read.load(picture.metadata.exif)
    assert read[0x010E] == "an image"
    assert read.get(0x0112, 1) == 1


def test_heic_without_its_plugin_says_what_to_install(monkeypatch):
    monkeypatch.setattr(avif_heif, "heif_is_here", lambda: False)
    with pytest.raises(ImageError, match=r"irncli\[heic\]"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def test_a_jpeg_of_endless_scans_is_refused(pixels):
    data = saved(Image.fromarray(pixels), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    scans = data[:at] + data[at:-2] * 300 + data[-2:]
    with pytest.raises(ImageError, match="scans"):
        decode(scans)
    assert decode(data)


@pytest.mark.parametrize("key", ["exif", "icc_profile", "xmp", "dpi"])
def test_text_is_not_taken_for_metadata(key, pixels):
    text = PngImagePlugin.PngInfo()
    text.add_text(key, "hello")
    picture = decode(saved(Image.fromarray(pixels), pnginfo=text))
    for format in ("png", "jpeg", "webp", "avif"):
        encode(fitted(picture, format)[0], image_format=format)


def test_exif_that_is_none_is_refused_in_words(pixels):
    picture = Picture(pixels, metadata=Metadata(exif=b"hello"))
    with pytest.raises(ImageError, match="--strip"):
        encode(picture, image_format="avif")


def test_more_than_eight_bits_are_said_where_they_are_lost():
    ppm = b"P6 # a comment\n2 1\n# another\n1023\n" + bytes(12)
    assert "10 bits" in decode(ppm).notes[0]
    assert decode(b"P6\n2 1\n255\n" + bytes(6)).notes == ()
    avif = bytearray(saved(Image.new("RGB", (8, 8)), "AVIF"))
    assert decode(bytes(avif)).notes == ()
    with Image.open(io.BytesIO(avif)) as image:
        at = avif.index(b"av1C") + 6
        for flags, bits in ((0x00, 8), (0x40, 10), (0x60, 12)):
            avif[at] = flags
            assert format_of(image).bits(image, bytes(avif)) == bits


def test_floating_point_is_refused(pixels):
    image = Image.fromarray(pixels[:, :, 0].astype(np.float32))
    with pytest.raises(ImageError, match="floating-point"):
        decode(saved(image, "TIFF"))


def test_a_second_picture_in_the_file_is_said(pixels):
    image = Image.fromarray(pixels)
    data = saved(image, "MPO", save_all=True, append_images=[image])
    assert "2 images" in decode(data).notes[0]


def test_stripping_keeps_how_the_picture_is_shown(pixels):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "someone")
    data = saved(
        Image.fromarray(pixels), exif=exif_bytes(8), icc_profile=icc, dpi=(72, 72), pnginfo=text
    )
    left = stripped(decode(data).metadata)
    assert (left.icc, left.xmp, left.dpi, left.chunks) == (icc, None, None, ())
    read = Image.Exif()
    read.load(left.exif)
    assert dict(read) == {0x0112: 8}
    assert stripped(Metadata(exif=exif_bytes(1))).exif is None


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "0 bytes"),
        (b"hello", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
        (b"\x89PNG\r\n\x1a\n", "."),
        (b"\xff\xd8\xff\xe0", "."),
        (b"%PDF-1.4", "a PDF, not an image"),
        (b"8BPS\0\1", "Photoshop"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video"),
        (b"PK\x03\x04", "ZIP"),
        (b"GIF89a", "a GIF that cannot be read"),
        (b"II*\0", "a TIFF that cannot be read"),
        (b"RIFF\0\0\0\0WEBP", "a WebP that cannot be read"),
    ],
)
def test_what_is_no_image_is_refused(data, part):
    for read in (decode, ImageFile, identity):
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
    for read in (decode, ImageFile, identity):
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
    first = ImageFile(saved(image, compress_level=1)).content_sha256
    assert first == ImageFile(saved(image, compress_level=9, exif=exif_bytes())).content_sha256
    assert first == ImageFile(saved(image, "BMP")).content_sha256
    changed = pixels.copy()
    changed[3, 4, 1] ^= 1
    assert first != ImageFile(saved(Image.fromarray(changed))).content_sha256


def test_content_of_a_jpeg_is_its_coded_data(pixels):
    data = saved(Image.fromarray(pixels), "JPEG", quality=90)
    with_metadata = saved(
        Image.fromarray(pixels), "JPEG", quality=90, exif=exif_bytes(), comment=b"hello"
    )
    assert ImageFile(data).content_sha256 == ImageFile(with_metadata).content_sha256
    again = saved(Image.open(io.BytesIO(data)), "JPEG", quality=80)
    assert ImageFile(data).content_sha256 != ImageFile(again).content_sha256


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
def test_an_opaque_alpha_and_stored_gray_are_no_change(pixels, gray, bits):
    values = (pixels[:, :, :1].repeat(3, axis=2) if gray else pixels).astype(f"u{bits // 8}")
    opaque = np.full((20, 30), 2**bits - 1, values.dtype)
    kinds = [
        encode(Picture(values, alpha, stored_gray), image_format="png")
        for alpha in (None, opaque)
        for stored_gray in {False, gray}
    ]
    assert len(kinds) == (4 if gray else 2)
    changed, clear = values.copy(), opaque.copy()
    changed[3, 4], clear[3, 4] = changed[3, 4] ^ 1, opaque[3, 4] - 1
    others = [
        encode(picture, image_format="png")
        for picture in (Picture(changed), Picture(values, clear), Picture(values.swapaxes(0, 1)))
    ]
    for data in kinds:
        file = ImageFile(data)
        assert all(file.holds(identity(other)) for other in kinds)
        assert not any(file.holds(identity(other)) for other in others)
    assert not any(ImageFile(other).holds(identity(kinds[0])) for other in others)


def test_few_colours_with_an_opaque_alpha_are_no_change():
    values = np.random.default_rng(0).integers(0, 2, (20, 20, 1), dtype=np.uint8) * 255
    first = identity(saved(Image.fromarray(values[:, :, 0])))
    image = Image.fromarray(values.repeat(3, axis=2))
    for other in (image, image.convert("RGBA"), image.convert("1"), image.quantize(4)):
        assert ImageFile(saved(other)).holds(first)
    assert ImageFile(saved(image.quantize(4), transparency=b"\xff" * 2)).holds(first)


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
            encode(Picture(picture.pixels, picture.alpha, picture.gray), image_format="png")
            read += 1
    assert read > 200
    assert refused > 50
