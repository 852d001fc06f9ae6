"""What a file holds besides its image is left out and said, and its XMP no longer tells of it."""

import io
import time

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from irncli.io.encoding import encode
from irncli.io.formats.extras import iso_extras
from irncli.io.formats.jpeg import insert_xmp
from irncli.io.image_file import decode
from irncli.io.libraries import heif_is_here, jxl_is_here
from irncli.io.picture import Picture
from irncli.io.pillow import from_pillow
from irncli.io.xmp import checked_xmp

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
)
TAIL = "</rdf:RDF></x:xmpmeta>"
SPACES = {
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
    "OpCamera": "http://ns.oplus.com/photos/1.0/camera/",
    "GDepth": "http://ns.google.com/photos/1.0/depthmap/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
DIRECTORY = (
    '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
    'Item:Semantic="GainMap" Item:Length="9"/></rdf:li></rdf:Seq></Container:Directory>'
)
GAIN_MAP = "its HDR gain map was left out"


def packet(attributes="", inside=""):
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    about = f'<rdf:Description rdf:about=""{spaces} {attributes}>{inside}</rdf:Description>'
    return f"{HEAD}{about}{TAIL}".encode()


ULTRA = packet('hdrgm:Version="1.0" dc:source="a friend"', DIRECTORY)
MOTION = packet(
    'GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="4096" GCamera:BurstID="7" '
    'OpCamera:VideoLength="9"'
)


def said(*names):
    return (
        f"the XMP properties of {' and '.join(names)} were left out: they describe parts of the "
        "file that irn does not keep"
    )


def saved(image, format="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def video(size=4096):
    return (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom").ljust(size, b"\0")


@pytest.fixture
def pixels(noise):
    return noise(20, 30)


@pytest.fixture
def image(pixels):
    return Image.fromarray(pixels)


@pytest.fixture
def jpeg(image):
    return saved(image)


@pytest.fixture
def gain_map(image):
    return insert_xmp(saved(image.convert("L")), packet('hdrgm:GainMapMax="2"'))


def test_a_gain_map_and_its_properties_are_left_out(jpeg, gain_map):
    alone = decode(insert_xmp(jpeg, packet('dc:source="a friend"')))
    assert alone.notes == ()
    for between in (b"", bytes(1000)):
        picture = decode(insert_xmp(jpeg, ULTRA) + between + gain_map)
        assert picture.notes == (GAIN_MAP, said("hdrgm", "Container"))
        assert np.array_equal(picture.pixels, alone.pixels)
        for name in (b"hdr-gain-map", b"container", b"GainMap"):
            assert name not in picture.metadata.xmp
        assert b'dc:source="a friend"' in picture.metadata.xmp


def test_a_gain_map_is_known_by_its_own_marks_too(jpeg):
    for mark in (b"urn:iso:std:iso:ts:21496:-1\0", b"http://ns.apple.com/HDRGainMap/1.0/"):
        body = mark + bytes(4)
        segment = b"\xff\xe2" + (len(body) + 2).to_bytes(2, "big") + body
        assert decode(jpeg + jpeg[:2] + segment + jpeg[2:]).notes == (GAIN_MAP,)


def test_a_gain_map_among_the_images_of_an_mpo(image):
    apple = packet().replace(b"<x:xmpmeta", b'<x:xmpmeta xmlns:a="http://ns.apple.com/HDRGainMap/"')
    other = image.copy()
    data = saved(image, "MPO", save_all=True, append_images=[other], xmp=b"")
    assert decode(data).notes == ("2 images in one file: the first was taken",)
    at = data.index(b"\xff\xd8", 2)
    marked = data[:at] + insert_xmp(data[at:], apple)
    assert decode(marked).notes == ("2 images in one file: the first was taken", GAIN_MAP)


@pytest.mark.parametrize("before", [b"", bytes(100), b"\0\0\x30\x0a\x13\0\0\0MotionPhoto_Data"])
def test_a_video_and_its_properties_are_left_out(jpeg, gain_map, before):
    note = "a video of 4096 bytes behind the image was left out"
    picture = decode(insert_xmp(jpeg, MOTION) + before + video())
    assert picture.notes == (note, said("GCamera", "OpCamera"))
    assert b"MotionPhoto" not in picture.metadata.xmp
    assert b"MicroVideo" not in picture.metadata.xmp
    assert b'BurstID="7"' in picture.metadata.xmp
    assert decode(jpeg + gain_map + before + video()).notes == (GAIN_MAP, note)


def test_other_images_and_other_data_are_counted(jpeg):
    assert decode(jpeg + jpeg).notes == ("1 other image in the file was left out",)
    assert decode(jpeg + bytes(9) + jpeg * 2 + b"abc").notes == (
        "2 other images in the file were left out",
        "3 bytes of other data behind the image were left out",
    )
    for padding in (b"", bytes(999), b"\r\n"):
        assert decode(jpeg + padding).notes == ()


def test_thousands_of_images_take_no_time(jpeg):
    began = time.perf_counter()
    decode(jpeg + b"\xff\xd8\xff\xd9" * 2_000_000)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("deep", [False, True])
def test_what_is_behind_other_images_is_said(pixels, format, deep):
    values = pixels.astype(np.uint16) * 257 if deep and format == "png" else pixels
    data = encode(Picture(values), image_format=format)
    assert decode(data + bytes(8), deep=True).notes == ()
    (note,) = decode(data + b"secret", deep=True).notes
    assert note == "6 bytes of other data behind the image were left out"


def test_a_sequence_of_netpbm_images_is_said():
    note = "the images after the first one in the file were left out"
    for one in (
        b"P6 # a comment\n5 3\n255\n" + b"P6 5" * 11 + b"z",
        b"P5\n5 3 255\n" + bytes(15),
        b"P5\n5 3 1023\n" + bytes(30),
        b"P4\n9 3\n" + bytes(6),
    ):
        assert note not in decode(one).notes
        assert note in decode(one + one).notes
        assert note in decode(one + b"\n" + one).notes


def test_what_a_tiff_holds_besides_is_said(image):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[254], info[37724] = 1, b"layers"
    info.tagtype[37724] = 7
    info[330] = 8
    info.tagtype[330] = 4
    assert decode(saved(image, "TIFF", tiffinfo=info)).notes == (
        "1 other image in the file was left out",
        "what was read is a small version of an image in the file",
        "its Photoshop layers were left out",
    )
    assert decode(saved(image, "TIFF")).notes == ()


def auxiliary(urn):
    return b"auxC\0\0\0\0" + urn + b"\0"


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (auxiliary(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"), []),
        (auxiliary(b"urn:mpeg:hevc:2015:auxid:1"), []),
        (auxiliary(b"urn:mpeg:hevc:2015:auxid:2"), ["its depth map was left out"]),
        (auxiliary(b"urn:com:apple:photo:2020:aux:hdrgainmap"), [GAIN_MAP]),
        (b"infe\2\0\0\0\0\3\0\0tmap\0", [GAIN_MAP]),
        (
            auxiliary(b"urn:com:apple:photo:2018:aux:portraiteffectsmatte") * 2,
            ["1 kind of auxiliary images was left out"],
        ),
        (
            b"\0\0\0\x08free\0\0\0\x0cmpvdabcd",
            ["a video of 4 bytes in the file was left out"],
        ),
    ],
)
def test_what_heic_and_avif_hold_besides_is_named(data, notes):
    assert iso_extras(data) == notes


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_a_video_in_a_heic_or_avif_is_said(image, format):
    if format == "HEIF" and not heif_is_here():
        pytest.skip("pillow-heif is not installed")
    data = saved(image.convert("RGBA"), format)
    assert decode(data).notes == ()
    assert decode(data + b"\0\0\x10\x08mpvd" + video()).notes == (
        "a video of 4096 bytes in the file was left out",
    )


@pytest.mark.skipif(not jxl_is_here(), reason="pillow-jxl is not installed")
def test_a_gain_map_in_a_jpeg_xl_is_said(image):
    data = saved(image, "JXL", use_container=True, quality=90)
    assert decode(data).notes == ()
    assert decode(data + b"\0\0\0\x0cjhgmabcd").notes == (GAIN_MAP,)


def test_xmp_without_such_properties_stays_byte_for_byte():
    for xmp in (packet('dc:source="x"').replace(b"hdr-gain-map", b"h"), b"<a/>", b"not XML", None):
        notes = []
        assert checked_xmp(xmp, notes) is xmp
        assert notes == []
    notes, plain = [], packet('dc:source="x" GCamera:BurstID="7"')
    assert checked_xmp(plain, notes) is plain
    assert notes == []


def test_xmp_of_which_nothing_is_left_is_left_out():
    notes = []
    assert checked_xmp(packet('hdrgm:Version="1.0"'), notes) is None
    assert notes == [said("hdrgm")]
    broken = packet('hdrgm:Version="1.0"')[:-9]
    notes.clear()
    assert checked_xmp(broken, notes) is None
    assert notes[0].startswith("its XMP was left out: the XMP of this file cannot be read")


def test_a_depth_map_in_the_packet_stays_and_one_elsewhere_does_not():
    notes = []
    whole = packet('GDepth:Format="RangeLinear" GDepth:Data="AAAA"')
    assert checked_xmp(whole, notes) is whole
    part = packet('GDepth:Format="RangeLinear" xmpNote:HasExtendedXMP="0123" dc:source="x"')
    left = checked_xmp(part, notes)
    assert notes == [said("GDepth")]
    assert b"HasExtendedXMP" not in left
    assert b"RangeLinear" not in left
    assert b'dc:source="x"' in left


def test_images_of_pillow_tell_no_lies_either(jpeg, gain_map):
    with Image.open(io.BytesIO(insert_xmp(jpeg, ULTRA) + gain_map)) as image:
        picture = from_pillow(image)
    assert picture.notes == (said("hdrgm", "Container"),)
    assert b"hdrgm" not in picture.metadata.xmp


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("ultrahdr.jpg", (GAIN_MAP, said("hdrgm", "Container"))),
        ("motion.jpg", ("a video of 4096 bytes behind the image was left out", said("GCamera"))),
    ],
)
def test_cases_that_hold_more(shared, name, notes):
    picture = decode((shared / "cases" / name).read_bytes())
    assert (picture.notes, picture.metadata.xmp) == (notes, None)
