"""Metadata in the boxes of JPEG 2000, AVIF and HEIC files."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.io.encoding import encode
from irncli.io.formats.avif_heif import code_points
from irncli.io.formats.jpeg2000 import boxed_metadata
from irncli.io.formats.png import carried_chunks
from irncli.io.image_file import ImageFile, decode
from irncli.io.libraries import heif_is_here
from irncli.io.metadata import orientation_of

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
PQ = (b"cICP", bytes((9, 16, 0, 1)))


def box(kind, body):
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def saved(kind, **options):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg2000():
    """With a profile in place of the number of its colours, XMP, and EXIF that turns it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved("JPEG2000")
    at = data.index(b"colr\x01") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    colours = box(b"colr", b"\x02\0\0" + ICC)
    head = data.index(b"jp2h") - 4
    whole = int.from_bytes(data[head : head + 4], "big") - length + len(colours)
    body = data[head + 8 : at] + colours + data[at + length :]
    more = box(b"uuid", bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC") + XMP)
    more += box(b"uuid", b"JpgTiffExif->JP2" + exif.tobytes().removeprefix(b"Exif\0\0"))
    return data[:head] + more + whole.to_bytes(4, "big") + b"jp2h" + body


def test_metadata_of_jpeg_2000_go_along():
    data = jpeg2000()
    kept = decode(data).metadata
    assert (kept.icc, kept.xmp, orientation_of(kept.exif)) == (ICC, XMP, 6)
    assert {"colour profile", "EXIF", "XMP"} <= set(ImageFile(data).header.carries)
    plain = decode(saved("JPEG2000"))
    assert np.array_equal(decode(data).pixels, plain.pixels)
    assert (plain.metadata.icc, plain.metadata.xmp, plain.metadata.exif) == (None, None, None)


def test_boxes_that_are_cut_or_lie_hold_nothing():
    data = jpeg2000()
    for end in range(0, 900, 7):
        boxed_metadata(data[:end])
    at = data.index(ICC)
    for lie in (b"\xff" * 4, bytes(4)):
        assert "icc_profile" not in boxed_metadata(data[:at] + lie + data[at + 4 :])
        boxed_metadata(data[: at - 11] + lie + data[at - 7 :])


def renamed(data, primaries, transfer):
    at = data.index(b"colrnclx") + 8
    return data[:at] + bytes((0, primaries, 0, transfer)) + data[at + 4 :]


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_colours_that_are_not_those_of_srgb_go_along(kind):
    if kind == "HEIF" and not heif_is_here():
        pytest.skip("pillow-heif is not installed")
    data = saved(kind)
    assert decode(data).metadata.chunks == ()
    assert decode(renamed(data, 2, 1)).metadata.chunks == ()
    other = decode(renamed(data, 9, 16))
    assert other.metadata.chunks == (PQ,)
    assert carried_chunks(encode(other, image_format="png")) == (PQ,)
    assert "text or gamma" in ImageFile(renamed(data, 9, 16)).header.carries


def test_a_profile_counts_instead_of_code_points():
    data = saved("AVIF", icc_profile=ICC)
    assert decode(data).metadata.chunks == ()
    assert code_points(b"xxxxcolrnclx\0\x0c") == ()
    assert code_points(b"xxxxcolrnclx\x01\x0c\0\x0d\0\0\x80") == ()
