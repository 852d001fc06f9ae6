"""Images to files and back: what each format keeps, and that a file knows its own content."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from irncli.engine.metrics import psnr
from irncli.errors import ImageError, UnavailableError, UsageError
from irncli.io.encoding import encode, fitted, format_for_suffix, suffix_for_format
from irncli.io.formats import jxl
from irncli.io.image_file import ImageFile, decode
from irncli.io.libraries import jxl_is_here
from irncli.io.picture import Metadata, Picture
from irncli.io.tag import PLAIN, Tag, embed, extract

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
JXL = pytest.param(
    "jxl", marks=pytest.mark.skipif(not jxl_is_here(), reason="pillow-jxl-plugin is not here")
)
ALL = ["png", "jpeg", "webp", "avif", JXL]
MODERN = ["webp", "avif", JXL]
LOSSY = ["jpeg", *MODERN]


def exif_bytes(orientation=6):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    exif[0x010E] = "an image"
    return exif.tobytes()


def tiff(exif):
    return exif.removeprefix(b"Exif\0\0")


@pytest.fixture
def pixels(noise):
    return noise(20, 30)


@pytest.fixture
def smooth():
    """A coloured ramp, uint8 [48, 64, 3]: what lossy formats keep well."""
    y, x = np.mgrid[:48, :64]
    return np.stack([x * 3 + 20, y * 4 + 10, 200 - x - y], axis=2).astype(np.uint8)


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
    back = decode(encode(Picture(values, mask, gray), image_format="png"))
    assert np.array_equal(back.pixels, values)
    assert back.gray is gray
    assert back.size == (width, height)
    assert (back.alpha is None) is (mask is None)
    assert mask is None or np.array_equal(back.alpha, mask)


@pytest.mark.parametrize("format", ALL)
def test_metadata_travel_byte_for_byte(format, pixels):
    icc = None if format == "jxl" else ICC  # its plug-in takes none, and gives one of its own
    # AVIF has an orientation of its own, for which the one in EXIF is taken out.
    exif = exif_bytes(None if format == "avif" else 6)
    metadata = Metadata(icc=icc, exif=exif, xmp=b"<a/>", dpi=(300.0, 150.0))
    back = decode(encode(Picture(pixels, metadata=metadata), image_format=format)).metadata
    assert back.icc == icc or format == "jxl"
    assert back.exif is not None
    assert tiff(back.exif) == tiff(exif)
    assert back.xmp == b"<a/>"
    if format in ("png", "jpeg"):
        assert back.dpi == pytest.approx((300, 150), abs=0.1)
    else:
        assert back.dpi is None


def test_avif_keeps_orientation_and_what_exif_says(pixels):
    picture = Picture(pixels, metadata=Metadata(exif=exif_bytes(8)))
    back = decode(encode(picture, image_format="avif"))
    exif = Image.Exif()
    exif.load(back.metadata.exif)
    assert dict(exif) == {0x0112: 8, 0x010E: "an image"}
    assert back.size == (30, 20)


def test_exif_stays_the_same_however_often_it_is_copied(pixels):
    exif = exif_bytes()
    for format in ("png", "jpeg", "webp", "png", "jpeg", "webp"):
        picture = Picture(pixels, metadata=Metadata(exif=exif))
        exif = decode(encode(picture, image_format=format)).metadata.exif
    assert tiff(exif) == tiff(exif_bytes())


@pytest.mark.parametrize("kind", ["colour", "gray", "alpha"])
@pytest.mark.parametrize("format", ALL)
def test_the_tag_names_the_content_of_its_file(format, kind, pixels):
    picture = Picture(pixels, metadata=Metadata(exif=exif_bytes()))
    if kind == "gray":
        picture = replace(picture, pixels=pixels[:, :, :1].repeat(3, axis=2), gray=True)
    elif kind == "alpha" and format != "jpeg":
        picture = replace(picture, alpha=pixels[:, :, 0])
    seen = []

    def packet(content):
        seen.append(content)
        return embed(None, Tag(content_sha256=content, hr_size=(30, 20), **PLAIN))

    data = encode(picture, image_format=format, quality=40, xmp=packet)
    assert seen == [ImageFile(data).content_sha256]
    back = decode(data)
    tag = extract(back.metadata.xmp)
    assert tag is not None
    assert tag.content_sha256 == ImageFile(data).content_sha256
    assert back.pixels.shape == pixels.shape
    assert tiff(back.metadata.exif).count(b"an image") == 1


@pytest.mark.parametrize("format", ALL)
def test_a_packet_may_be_declined(format, pixels):
    picture = Picture(pixels, metadata=Metadata(xmp=b"<a/>"))
    data = encode(picture, image_format=format, xmp=lambda content: None)
    assert decode(data).metadata.xmp is None


@pytest.mark.parametrize("format", LOSSY)
def test_quality_buys_fidelity_with_bytes(format, photo):
    part = np.ascontiguousarray(photo[:128, :128])
    files = [encode(Picture(part), image_format=format, quality=q) for q in (10, 60, 95)]
    found = [psnr(decode(data).pixels, part) for data in files]
    assert found == sorted(found)
    assert found[2] > 34
    assert found[0] < found[2] - 5
    assert len(files[0]) < len(files[1]) < len(files[2])


@pytest.mark.parametrize("quality", [0, 101, -5])
@pytest.mark.parametrize("format", LOSSY)
def test_a_quality_out_of_range_is_refused(format, quality, pixels):
    with pytest.raises(UsageError, match=f"quality is {quality}, expected 1 to 100"):
        encode(Picture(pixels), image_format=format, quality=quality)


@pytest.mark.parametrize("format", MODERN)
def test_alpha_is_carried(format, smooth):
    mask = smooth[:, :, 0]
    back = decode(encode(Picture(smooth, mask), image_format=format, quality=90))
    # WebP codes alpha without loss, the others as they code colours.
    assert np.abs(back.alpha.astype(int) - mask).max() <= (0 if format == "webp" else 4)
    assert psnr(back.pixels, smooth) > 35


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("format", LOSSY)
def test_gray_comes_back_gray_where_the_format_knows_it(format, alpha, smooth):
    gray = smooth[:, :, :1].repeat(3, axis=2)
    mask = smooth[:, :, 1] if alpha and format != "jpeg" else None
    back = decode(encode(Picture(gray, mask, gray=True), image_format=format))
    assert back.gray is (format in ("jpeg", "jxl") or (format == "avif" and not alpha))
    assert np.ptp(back.pixels, axis=2).max() <= (1 if format == "webp" else 0)
    assert psnr(back.pixels, gray) > 35


def test_webp_is_lossy_at_its_best_quality(pixels):
    data = encode(Picture(pixels), image_format="webp", quality=100)
    assert b"VP8 " in data[:40]
    assert b"VP8L" not in data[:40]


def jpeg_frame(data):
    """Marker of the frame, and sampling factors of its components."""
    position = 2
    while data[position + 1] not in (0xC0, 0xC1, 0xC2):
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    components = data[position + 9]
    return data[position + 1], [data[position + 11 + 3 * i] for i in range(components)]


@pytest.mark.parametrize(
    ("options", "marker", "sampling"),
    [
        ({}, 0xC0, [0x11, 0x11, 0x11]),
        ({"subsampling": "4:2:0"}, 0xC0, [0x22, 0x11, 0x11]),
        ({"progressive": True}, 0xC2, [0x11, 0x11, 0x11]),
        ({"subsampling": "4:2:0", "progressive": True}, 0xC2, [0x22, 0x11, 0x11]),
    ],
)
def test_jpeg_is_of_the_kind_asked_for(options, marker, sampling, pixels):
    assert jpeg_frame(encode(Picture(pixels), image_format="jpeg", **options)) == (marker, sampling)


def test_jpeg_is_optimised(smooth):
    buffer = io.BytesIO()
    Image.fromarray(smooth).save(buffer, "JPEG", quality=95, subsampling=0)
    assert len(encode(Picture(smooth), image_format="jpeg")) < len(buffer.getvalue())


@pytest.mark.parametrize(
    ("gray", "subsampling", "bits"),
    [(False, "4:4:4", 0b000), (False, "4:2:0", 0b011), (True, "4:4:4", 0b111)],
)
def test_avif_is_of_the_kind_asked_for(gray, subsampling, bits, smooth):
    values = smooth[:, :, :1].repeat(3, axis=2) if gray else smooth
    data = encode(Picture(values, gray=gray), image_format="avif", subsampling=subsampling)
    flags = data[data.index(b"av1C") + 6]  # monochrome, halved across, halved down
    assert flags >> 2 & 0b111 == bits


def test_what_a_jpeg_cannot_hold_is_said(pixels):
    with pytest.raises(UsageError, match="transparency"):
        encode(Picture(pixels, pixels[:, :, 0]), image_format="jpeg")
    huge = Metadata(xmp=b"x" * 70_000)
    with pytest.raises(ImageError, match="70000"):
        encode(Picture(pixels, metadata=huge), image_format="jpeg")
    with pytest.raises(ImageError, match="EXIF of 70000 bytes"):
        encode(Picture(pixels, metadata=Metadata(exif=b"x" * 70_000)), image_format="jpeg")


@pytest.mark.parametrize("format", ["png", *MODERN])
def test_other_formats_hold_large_metadata(format, pixels):
    huge = Metadata(xmp=b"x" * 70_000)
    assert (
        decode(encode(Picture(pixels, metadata=huge), image_format=format)).metadata.xmp == huge.xmp
    )


def empty(width, height):
    """A black image that takes no memory."""
    return Picture(np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (height, width, 3)))


@pytest.mark.parametrize(
    ("format", "width", "height", "part"),
    [
        ("jpeg", 65_501, 1, "65501x1 is larger than a JPEG may be"),
        ("webp", 1, 16_384, "1x16384 is larger than a WebP may be"),
        ("avif", 32_769, 1, "32769x1 is larger than an AVIF may be"),
        ("avif", 20_000, 14_000, "larger than an AVIF may be .268435456 pixels"),
    ],
)
def test_a_picture_too_large_for_its_format_is_refused(format, width, height, part):
    with pytest.raises(ImageError, match=f"{part}.*use PNG"):
        encode(empty(width, height), image_format=format)


@pytest.mark.parametrize(
    ("format", "width"), [("jpeg", 65_500), ("webp", 16_383), ("avif", 32_768)]
)
def test_the_largest_picture_of_a_format_can_be_read_again(format, width):
    assert decode(encode(empty(width, 1), image_format=format)).size == (width, 1)


def test_jpeg_xl_without_its_plug_in_is_refused(pixels, monkeypatch):
    monkeypatch.setattr(jxl, "jxl_is_here", lambda: False)
    with pytest.raises(UnavailableError, match=r"irncli\[jxl\]"):
        encode(Picture(pixels), image_format="jxl")


def test_a_profile_that_jpeg_xl_would_lose_is_refused(pixels, monkeypatch):
    monkeypatch.setattr(jxl, "jxl_is_here", lambda: True)
    with pytest.raises(ImageError, match="colour profile"):
        encode(Picture(pixels, metadata=Metadata(icc=ICC)), image_format="jxl")


def test_suffixes_and_formats_belong_together():
    for format in ("png", "jpeg", "webp", "avif", "jxl"):
        assert format_for_suffix(suffix_for_format(format).upper()) == format
    assert suffix_for_format("jpeg") == ".jpg"
    assert format_for_suffix(".jpeg") == format_for_suffix(".jpe") == "jpeg"
    assert format_for_suffix(".gif") is None


def test_jpeg_keeps_full_colour_resolution():
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    back = decode(encode(Picture(stripes), image_format="jpeg", quality=98)).pixels
    assert np.abs(back.astype(int) - stripes).mean() < 6


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("format", ["png", "jpeg", "webp", JXL])
def test_exif_is_found_whatever_format_it_comes_from(pixels, format, prefix):
    exif = tiff(exif_bytes())
    data = encode(Picture(pixels, metadata=Metadata(exif=prefix + exif)), image_format=format)
    assert tiff(decode(data).metadata.exif) == exif
    assert data.count(b"Exif\0\0") == (format == "jpeg")


def test_a_jpeg_that_says_no_resolution_has_none(pixels):
    data = encode(Picture(pixels, metadata=Metadata(exif=exif_bytes())), image_format="jpeg")
    assert Image.open(io.BytesIO(data)).info["dpi"] == (72, 72)  # Pillow invents it
    assert decode(data).metadata.dpi is None
    for dpi in ((72.0, 72.0), (300.0, 150.0)):
        metadata = Metadata(exif=exif_bytes(), dpi=dpi)
        assert (
            decode(encode(Picture(pixels, metadata=metadata), image_format="jpeg")).metadata.dpi
            == dpi
        )
    exif = Image.Exif()
    exif[0x011A], exif[0x0128] = 72.0, 2
    data = encode(Picture(pixels, metadata=Metadata(exif=exif.tobytes())), image_format="jpeg")
    assert decode(data).metadata.dpi == (72, 72)


def test_a_resolution_that_a_jpeg_cannot_hold_is_said(pixels):
    picture = Picture(pixels, metadata=Metadata(dpi=(300.4, 72.009)))
    held, lost = fitted(picture, "jpeg")
    assert lost == [
        "the resolution of 300.4x72.009 DPI was rounded to 300x72: JPEG stores whole numbers"
    ]
    assert decode(encode(held, image_format="jpeg")).metadata.dpi == (300, 72)
    assert fitted(replace(picture, metadata=Metadata(dpi=(72.009, 72.009))), "jpeg")[1] == []


@pytest.mark.parametrize(
    ("format", "alpha", "held"),
    [("webp", False, False), ("avif", True, False), ("avif", False, True), ("jpeg", False, True)],
)
def test_a_profile_for_gray_stays_with_gray(pixels, format, alpha, held):
    icc = ICC[:16] + b"GRAY" + ICC[20:]
    gray = pixels[:, :, :1].repeat(3, axis=2)
    plane = np.full(gray.shape[:2], 128, np.uint8) if alpha else None
    fitting, lost = fitted(Picture(gray, plane, gray=True, metadata=Metadata(icc=icc)), format)
    assert (fitting.metadata.icc == icc, lost == []) == (held, held)
    assert decode(encode(fitting, image_format=format)).metadata.icc == (icc if held else None)


@pytest.mark.parametrize(
    ("format", "alpha"),
    [("jpeg", False), *((name, alpha) for name in ("png", "webp", "avif") for alpha in (0, 1))],
)
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("space", ["RGB", "GRAY"])
def test_no_file_holds_a_profile_for_other_pixels(pixels, space, gray, alpha, format):
    """As PNG demands for its colour types, and as every profile says in its header."""
    icc = ICC[:16] + space.encode().ljust(4) + ICC[20:]
    values = pixels[:, :, :1].repeat(3, axis=2) if gray else pixels
    plane = np.full(values.shape[:2], 128, np.uint8) if alpha else None
    held, lost = fitted(Picture(values, plane, gray=gray, metadata=Metadata(icc=icc)), format)
    with Image.open(io.BytesIO(encode(held, image_format=format))) as image:
        stored_gray = image.mode in ("L", "LA")
        fits = space == ("GRAY" if stored_gray else "RGB")
        assert image.info.get("icc_profile") == (icc if fits else None)
    assert len(lost) == (not fits)
    if not fits and not (space == "GRAY" and gray):
        kind = "gray" if stored_gray else "RGB"
        assert f"is one for {space} and was left out" in lost[0]
        assert lost[0].endswith(f"with {kind} pixels needs one for {kind}")


@pytest.mark.parametrize("space", ["RGB", "GRAY"])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_profile_of_a_png_of_16_bits_fits_too(pixels, gray, space, alpha):
    icc = ICC[:16] + space.encode().ljust(4) + ICC[20:]
    values = (pixels[:, :, :1].repeat(3, axis=2) if gray else pixels).astype(np.uint16)
    plane = np.full(values.shape[:2], 900, np.uint16) if alpha else None
    held, lost = fitted(Picture(values, plane, gray=gray, metadata=Metadata(icc=icc)), "png")
    fits = gray == (space == "GRAY")
    assert (held.metadata.icc == icc) == (lost == []) == fits
    back = decode(encode(held, image_format="png"), deep=True)
    assert (back.metadata.icc, back.notes) == (icc if fits else None, ())
