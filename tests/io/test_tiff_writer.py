"""TIFF as irn writes it: every value and all metadata survive, and other programs read it."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.io.encoding import encode, fitted
from irncli.io.image_file import ImageFile, decode
from irncli.io.picture import Metadata, Picture

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'


def picture(shape, bits, *, gray=False, alpha=False):
    generator = np.random.default_rng(bits)
    kind = np.uint8 if bits == 8 else np.uint16
    top = np.iinfo(kind).max
    pixels = generator.integers(0, top, (*shape, 3), kind, endpoint=True)
    if gray:
        pixels = np.repeat(pixels[:, :, :1], 3, axis=2)
    mask = generator.integers(0, top, shape, kind, endpoint=True) if alpha else None
    return Picture(pixels, alpha=mask, gray=gray)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (900, 700)])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_every_value_survives(shape, bits, gray, alpha):
    image = picture(shape, bits, gray=gray, alpha=alpha)
    back = decode(encode(image, image_format="tiff"), deep=True)
    assert np.array_equal(back.pixels, image.pixels)
    assert back.pixels.dtype == image.pixels.dtype
    assert (back.alpha is None) == (not alpha)
    assert not alpha or np.array_equal(back.alpha, image.alpha)
    assert back.gray == (gray and not (alpha and bits == 16))
    assert back.notes == ()


@pytest.mark.parametrize("bits", [8, 16])
def test_opencv_reads_the_same(bits):
    image = picture((40, 30), bits)
    data = np.frombuffer(encode(image, image_format="tiff"), np.uint8)
    found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert np.array_equal(found[:, :, ::-1], image.pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_metadata_survive(bits):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x829A] = 0.01
    exif.get_ifd(0x8825)[1] = "N"
    metadata = Metadata(icc=ICC, exif=exif.tobytes(), xmp=XMP, dpi=(300.5, 72.0))
    image = replace(picture((9, 8), bits), metadata=metadata)
    kept, lost = fitted(image, "tiff")
    assert lost == []
    back = decode(encode(kept, image_format="tiff"), deep=True)
    assert (back.metadata.icc, back.metadata.xmp) == (ICC, XMP)
    assert back.metadata.dpi == pytest.approx((300.5, 72.0))
    found = Image.Exif()
    found.load(back.metadata.exif)
    assert found[0x010F] == "a maker"
    assert float(found.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)
    assert found.get_ifd(0x8825)[1] == "N"


def test_an_orientation_is_kept_for_programs_to_apply():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = replace(picture((4, 6), 8), metadata=Metadata(exif=exif.tobytes()))
    with Image.open(io.BytesIO(encode(image, image_format="tiff"))) as opened:
        assert opened.tag_v2[0x0112] == 6
        assert np.array_equal(np.array(opened), np.rot90(image.pixels, -1))


def test_the_packet_that_is_asked_for_is_stored():
    image = replace(picture((4, 6), 8), metadata=Metadata(xmp=b"<old/>"))
    seen = []
    data = encode(image, image_format="tiff", xmp=lambda sha: seen.append(sha) or XMP)
    file = ImageFile(data)
    assert file.header.xmp == XMP
    assert seen == [file.content_sha256]


def test_it_is_smaller_than_its_values(photo):
    assert len(encode(Picture(photo), image_format="tiff")) < 0.7 * photo.nbytes
