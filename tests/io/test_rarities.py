"""Files that are legal and rare, and damaged ones that decoders take for sound."""

import contextlib
import io
import os
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.errors import ImageError
from irncli.io.encoding import encode, fitted
from irncli.io.formats.jpeg import MAX_SCANS
from irncli.io.formats.png import SIGNATURE, framed
from irncli.io.image_file import ImageFile, decode
from irncli.io.libraries import jxl_is_here
from irncli.io.metadata import MAX_PROFILE, orientation_of
from irncli.io.picture import Metadata, Picture

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def png(width, height, depth, kind, rows, *before, after=()):
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = ((b"IHDR", header), *before, (b"IDAT", packed), *after, (b"IEND", b""))
    return SIGNATURE + b"".join(framed(name, body) for name, body in parts)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


@pytest.fixture
def jpeg(pixels):
    return saved(Image.fromarray(pixels), "JPEG", quality=90)


@pytest.mark.parametrize("kept", [0, 10, 31])
@pytest.mark.parametrize("depth", [8, 16])
def test_rows_that_are_not_there(kept, depth):
    row = bytes(48 * 3 * depth // 8)
    with pytest.raises(ImageError, match="end before the last row"):
        decode(png(48, 32, depth, 2, [row] * kept), deep=True)
    assert decode(png(48, 32, depth, 2, [row] * 32), deep=True).size == (48, 32)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 5), (5, 1), (17, 23)])
def test_interlaced_rows_are_counted(size):
    width, height = size
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)]  # fmt: skip
    parts = [values[top::down, left::across] for left, top, across, down in passes]
    rows = [b"\0" + row.tobytes() for part in parts if part.shape[1] for row in part]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)

    def file(rows):
        packed = zlib.compress(b"".join(rows))
        chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
        return SIGNATURE + b"".join(framed(name, body) for name, body in chunks)

    assert np.array_equal(decode(file(rows)).pixels, values)
    with pytest.raises(ImageError, match="end before the last row"):
        decode(file(rows[:-1]))


def test_a_few_bytes_do_not_become_a_hundred_megapixels():
    began = time.perf_counter()
    with pytest.raises(ImageError, match="end before the last row"):
        decode(png(1000, 100_000, 8, 2, [b"abc"]))
    with pytest.raises(ImageError, match="too long, expected at most"):
        decode(png(100_000_000, 1, 8, 2, [b"abc"]))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("middle", [b" " * 40 + b"+2 2", b"2_0 2", b"2 2 +2", b"#" * 40 + b"x"])
def test_no_header_takes_for_ever(middle):
    began = time.perf_counter()
    with contextlib.suppress(ImageError):
        decode(b"P6" + middle + b" 255\n" + bytes(120))
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_transparent_value_of_gray_of_few_bits(depth):
    values = (np.arange(16) % (1 << depth)).astype(np.uint8)
    bits = (values[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    row = np.packbits(bits.reshape(-1)).tobytes()
    clear = (1 << depth) - 1 if depth < 8 else 3
    picture = decode(png(16, 2, depth, 0, [row, row], (b"tRNS", struct.pack(">H", clear))))
    assert np.array_equal(picture.alpha[0] == 0, values == clear)
    assert set(np.unique(picture.alpha)) == {0, 255}


def test_xmp_behind_the_pixels_is_found():
    for text in (b"\0\0\0\0<a/>", b"\1\0\0\0" + zlib.compress(b"<a/>")):
        late = (b"iTXt", b"XML:com.adobe.xmp\0" + text)
        data = png(4, 1, 8, 2, [bytes(12)], after=(late,))
        assert ImageFile(data).header.xmp == decode(data).metadata.xmp == b"<a/>"


def test_a_palette_of_the_same_colours_is_the_same_picture():
    few = np.random.default_rng(0).integers(0, 4, (20, 20, 1), dtype=np.uint8) * 60
    for values in (np.concatenate((few, few // 2, few), axis=2), few[:, :, 0]):
        image = Image.fromarray(values)
        for other in (image.quantize(8), image.quantize(200)):
            assert np.array_equal(np.array(other.convert(image.mode)), values)
            assert (
                ImageFile(saved(other, "PNG")).content_sha256
                == ImageFile(saved(image, "PNG")).content_sha256
            )


def test_what_comes_behind_a_jpeg_are_no_scans(jpeg):
    trailer = b"\xff\xda" * (MAX_SCANS + 9)
    assert np.array_equal(decode(jpeg + trailer).pixels, decode(jpeg).pixels)
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="scans"):
        decode(jpeg[:-2] + scan * (MAX_SCANS + 1) + b"\xff\xd9")


def test_stray_bytes_between_segments_change_nothing(jpeg):
    at = jpeg.index(b"\xff\xda")
    assert (
        ImageFile(jpeg[:at] + b"\0\0" + jpeg[at:]).content_sha256 == ImageFile(jpeg).content_sha256
    )


def segment(marker, body):
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def test_what_no_other_file_could_hold_is_said(jpeg):
    extended = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(90))
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08" + b"\x1c\x02\x05\0\x03abc"
    comment = segment(0xFE, b"made by hand")
    for added, said in ((extended, "extended XMP"), (segment(0xED, iptc), "IPTC"),
                        (comment, "comment")):  # fmt: skip
        (note,) = decode(jpeg[:2] + added + jpeg[2:]).notes
        assert said in note
    assert decode(jpeg).notes == ()


@pytest.mark.parametrize("space", [b"RGB ", b"CMYK"])
def test_profiles_that_are_of_no_use(pixels, space):
    broken = ICC[:16] + space + ICC[20:]
    if space == b"RGB ":
        for icc in (ICC[:200], ICC + bytes(MAX_PROFILE)):
            picture = decode(saved(Image.fromarray(pixels), "PNG", icc_profile=icc))
            assert picture.metadata.icc is None
            assert "damaged or too large" in picture.notes[0]
        return
    cmyk = Image.fromarray(pixels).convert("CMYK")
    picture = decode(saved(cmyk, "TIFF", icc_profile=broken))
    assert "without its profile" in picture.notes[0]
    assert np.array_equal(picture.pixels, np.array(cmyk.convert("RGB")))


@pytest.mark.skipif(not jxl_is_here(), reason="pillow-jxl is not installed")
def test_jpeg_xl_without_a_profile_has_none(pixels):
    picture = decode(saved(Image.fromarray(pixels), "JXL", lossless=True))
    assert picture.metadata.icc is None
    again = decode(encode(picture, image_format="jxl", quality=100))
    assert np.abs(again.pixels.astype(int) - pixels).mean() < 3


def deep_tiff(values, extra=None, planar=False):
    """Little-endian, uncompressed, uint16 [H, W, C]."""
    height, width, channels = values.shape
    body = (values.transpose(2, 0, 1) if planar else values).astype("<u2").tobytes()
    strips = channels if planar else 1
    size = len(body) // strips
    entries = [(256, 4, [width]), (257, 4, [height]), (258, 3, [16] * channels), (259, 3, [1]),
               (262, 3, [2]), (273, 4, [0] * strips), (277, 3, [channels]), (278, 4, [height]),
               (279, 4, [size] * strips), (284, 3, [1 + planar])]  # fmt: skip
    entries += [(338, 3, [extra])] if extra is not None else []
    start = 8 + 2 + 12 * len(entries) + 4
    beyond, table = b"", b""
    where = start + sum(
        len(v) * (2 if t == 3 else 4) for _, t, v in entries if len(v) * (2 if t == 3 else 4) > 4
    )
    for tag, kind, numbers in sorted(entries):
        if tag == 273:
            numbers = [where + k * size for k in range(strips)]
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        table += struct.pack("<HHI", tag, kind, len(numbers))
        if len(packed) > 4:
            table += struct.pack("<I", start + len(beyond))
            beyond += packed
        else:
            table += packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    return head + table + bytes(4) + beyond + body


def test_alpha_in_a_tiff_of_16_bits():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 65536, (20, 30, 3))
    alpha = rng.integers(2000, 65536, (20, 30, 1))
    straight = np.concatenate((colours, alpha), axis=2)
    picture = decode(deep_tiff(straight, extra=2), deep=True)
    assert np.array_equal(picture.pixels, colours)
    assert np.array_equal(picture.alpha, alpha[:, :, 0])
    multiplied = np.concatenate(((colours * alpha / 65535).round(), alpha), axis=2)
    picture = decode(deep_tiff(multiplied, extra=1), deep=True)
    assert np.abs(picture.pixels.astype(int) - colours).max() <= 65535 / 2000 / 2 + 1
    assert np.array_equal(picture.alpha, alpha[:, :, 0])
    picture = decode(deep_tiff(straight, extra=0), deep=True)
    assert picture.alpha is None
    assert picture.notes == ("an extra channel that is not alpha was left out",)


def test_a_tiff_of_planes_is_read_rightly_or_refused():
    values = np.random.default_rng(0).integers(0, 65536, (20, 30, 3))
    assert np.array_equal(decode(deep_tiff(values), deep=True).pixels, values)
    with pytest.raises(ImageError, match="each colour in a separate plane"):
        decode(deep_tiff(values, planar=True), deep=True)


def test_exif_that_an_avif_cannot_hold_is_left_out_and_said(pixels):
    odd = Image.Exif()
    odd[0x0112], odd[0x011A] = 6, 300.0
    exif = bytearray(odd.tobytes())
    at = exif.index(struct.pack(">H", 0x011A) if b"MM" in exif[:10] else struct.pack("<H", 0x011A))
    exif[at : at + 2] = exif[at : at + 2].replace(b"\x1a", b"\x0d")
    picture, said = fitted(Picture(pixels, metadata=Metadata(exif=bytes(exif))), "avif")
    assert said == ["its EXIF was left out: it cannot be put in an AVIF"]
    assert decode(encode(picture, image_format="avif")).size == (48, 32)
    turned = Image.Exif()
    turned[0x0112] = 6
    picture, said = fitted(Picture(pixels, metadata=Metadata(exif=turned.tobytes())), "avif")
    assert "rewritten without the thumbnail" in said[0]
    assert orientation_of(decode(encode(picture, image_format="avif")).metadata.exif) == 6


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        (
            ((b"cICP", bytes((12, 13, 0, 1))),),
            "colours that are not those of sRGB (cICP) were left out: {} cannot store them",
        ),
        (((b"gAMA", bytes(4)),), "gamma was left out: {} cannot store it"),
        (((b"tEXt", b"a\0b"),), "text was left out: {} cannot store it"),
        (
            ((b"gAMA", bytes(4)), (b"tEXt", b"a\0b")),
            "text and gamma were left out: {} cannot store them",
        ),
    ],
)
def test_what_a_format_cannot_store_is_named(pixels, chunks, said):
    for kind, name in (("jpeg", "JPEG"), ("avif", "AVIF"), ("webp", "WebP")):
        _, lost = fitted(Picture(pixels, metadata=Metadata(chunks=chunks)), kind)
        assert lost == [said.format(name)]


def test_odd_bytes_make_no_file_hang_or_crash(jpeg):
    """Any ending, any beginning: an error of ours, or an image."""
    for data in (jpeg, cv2.imencode(".png", np.zeros((9, 9, 3), np.uint16))[1].tobytes()):
        for junk in (b"", b"\0", b"\xff" * 9, os.urandom(50)):
            for cut in (0, 2, 20, 100, len(data) - 3):
                with contextlib.suppress(ImageError):
                    decode(data[:cut] + junk)
