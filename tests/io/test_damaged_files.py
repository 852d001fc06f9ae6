"""Whatever the bytes are, reading them gives a result or an error of ours."""

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from irncli.errors import ImageError, TagError
from irncli.io.formats.jpeg import coded_sha256, insert_xmp
from irncli.io.formats.jxl import find_xmp, header_of
from irncli.io.image_file import ImageFile, decode
from irncli.io.tag import NAMESPACE, embed, extract, remove
from tests.support.mutations import fuzz, mutated
from tests.support.packets import OTHERS
from tests.support.packets import TAG as PLAIN_TAG

TAG = replace(PLAIN_TAG, restorer="crm-jpeg", restorer_sha256="c" * 64, icc=b"profile")
TAGGED = embed(OTHERS, TAG)
WORDS = [
    b"<", b"/>", b"&", b"&#0;", b"&#xD800;", b"<![CDATA[", b"<!--", b"<!DOCTYPE x>",
    b'xmlns:ns0="u"', b'xmlns=""', b'xmlns:rdf="u"', b'xmlns:irn="u"',
    NAMESPACE.encode(), b"irn:scale", b"\xff\xfe",
    b'<?xml version="1.0" encoding="utf-16"?>', b'<?xml version="1.0" encoding="no-such"?>',
    b"1e999",
]  # fmt: skip


def identity(data, **options):
    return ImageFile(data, **options).content_sha256


def read_and_rewritten(packet):
    """The laws of any packet."""
    try:
        extract(packet)
    except TagError as error:
        assert "\n" not in str(error)
    try:
        assert extract(embed(packet, TAG)) == TAG
        left = remove(packet)
    except TagError as error:
        assert "\n" not in str(error)
    else:
        # A tag of a newer format is not ours to remove.
        newer = b"urn:irn:tag:" in (left or b"") and NAMESPACE.encode() not in left
        assert newer or extract(left) is None


@fuzz(3000)
@given(mutated(TAGGED, WORDS))
@example(b"<a/>")
@example(b'<a xmlns:rdf="urn:x" xmlns:irn="urn:y"><rdf:b irn:c="1"/></a>')
@example(TAGGED.replace(b"irn:", b"rdf:", 1))
def test_a_damaged_packet_is_read_or_refused(packet):
    read_and_rewritten(packet)


@fuzz(1000)
@given(st.binary(max_size=200).map(lambda data: data + NAMESPACE.encode()))
def test_any_bytes_are_a_packet_or_refused(packet):
    read_and_rewritten(packet)


NAMES = st.sampled_from(
    ["a", "xml:lang", "rdf:RDF", "rdf:Description", "rdf:about", "x:xmpmeta", "dc:format", "p:b"]
    + [f"irn:{name}" for name in ("format", "task", "scale", "hr_width", "icc", "model", "other")]
)
TEXTS = st.sampled_from(["", "1", "2", "4.0", "-1", "nan", "rescale", "a&amp;b", "%%%", "\u00e9"])
SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "irn": NAMESPACE,
    "x": "adobe:ns:meta/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "p": "urn:p",
}


def element(children):
    """An element with any attributes, text and children; what is declared, well-formed or not."""
    return st.builds(
        lambda name, attributes, text, inside, spaces: (
            f"<{name}"
            + "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
            + "".join(f' {key}="{value}"' for key, value in attributes.items())
            + f">{text}{''.join(inside)}{text}</{name}>"
        ),
        NAMES,
        st.dictionaries(NAMES, TEXTS, max_size=4),
        TEXTS,
        children,
        st.dictionaries(
            st.sampled_from([*SPACES]), st.sampled_from([*SPACES.values()]), max_size=2
        ),
    )


def packet_of(inside):
    """With all prefixes declared at its root."""
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
    return f"<x:xmpmeta{spaces}><rdf:RDF>{inside}</rdf:RDF></x:xmpmeta>".encode()


TREES = st.recursive(
    element(st.just([])), lambda inside: element(st.lists(inside, max_size=3)), max_leaves=8
)


@fuzz(1200)
@given(TREES.map(packet_of))
def test_any_tree_is_a_packet_or_refused(packet):
    read_and_rewritten(packet)


NS = f'xmlns:irn="{NAMESPACE}"'.encode()


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE a [<!ATTLIST b c CDATA "' + b"A" * 500_000 + b'">]><a ' + NS + b">"
        + b"<b/>" * 1000 + b"</a>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a ' + NS + b"/>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a ' + NS + b">&x;</a>",
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://localhost/">%x;]><a ' + NS + b"/>",
        b"<a " + NS + b">" + b"<b>" * 100_000 + b"</b>" * 100_000 + b"</a>",
        b"<a " + NS + b">" + b"".join(b'<b xmlns:p%d="u"/>' % i for i in range(50_000)) + b"</a>",
        b"<a " + NS + b">" + b"<b/>" * 3_000_000 + b"</a>",
        b"<a " + NS + b"><b" + b"".join(b' a%d=""' % i for i in range(1_050_000)) + b"/></a>",
        b"<a " + NS + b">" + bytes(17 << 20) + b"</a>",
    ],
    ids=["attlist", "dtd", "external", "parameter", "deep", "prefixes", "many", "wide", "large"],
)  # fmt: skip
def test_a_packet_that_would_take_memory_or_time_is_refused(packet):
    began = time.process_time()
    with pytest.raises(TagError) as caught:
        extract(packet)
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 20


def test_a_packet_changes_nothing_for_the_next():
    clean = embed(None, TAG)
    embed(b'<a xmlns:rdf="urn:x" xmlns:irn="urn:y" xmlns:x="urn:z"><irn:b rdf:c="1"/></a>', TAG)
    assert embed(None, TAG) == clean


def file_of(format, mode="RGB", **options):
    values = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).convert(mode).save(buffer, format, **options)
    return buffer.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6
EXTRAS = {"exif": EXIF.tobytes(), "icc_profile": b"profile" * 20, "dpi": (72, 72)}
PICTURES = {
    "PNG": file_of("PNG", **EXTRAS),
    "palette": file_of("PNG", "P"),
    "JPEG": insert_xmp(file_of("JPEG", **EXTRAS), TAGGED),
    "progressive": file_of("JPEG", progressive=True),
    "CMYK": file_of("JPEG", "CMYK"),
    "GIF": file_of("GIF", "P"),
    "TIFF": file_of("TIFF", **EXTRAS),
    "deflated": file_of("TIFF", compression="tiff_adobe_deflate"),
    "WEBP": file_of("WEBP", exif=EXIF.tobytes()),
    "BMP": file_of("BMP"),
    "ICO": file_of("ICO", sizes=[(8, 8)]),
    "JPEG2000": file_of("JPEG2000"),
}
MARKERS = [
    b"\xff\xd8",
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xc0",
    b"IHDR",
    b"IDAT",
    b"acTL",
    b"\x7f\xff" * 2,
]


@pytest.mark.parametrize("name", PICTURES)
def test_a_damaged_picture_is_decoded_or_refused(name):
    data = PICTURES[name]
    decode(data)

    @fuzz(150)
    @given(mutated(data, MARKERS))
    def check(damaged):
        for read in (decode, ImageFile, identity):
            try:
                read(damaged, max_pixels=100_000)
            except ImageError as error:
                assert "\n" not in str(error)

    check()


@fuzz(300)
@given(mutated(PICTURES["JPEG"], MARKERS))
def test_segments_are_walked_or_refused(damaged):
    for read in (coded_sha256, lambda data: insert_xmp(data, b"packet")):
        try:
            read(damaged)
        except ImageError as error:
            assert "\n" not in str(error)


JXL = b"\x00\x00\x00\x0cJXL \r\n\x87\n\x00\x00\x00\x0exml <a></a>\x00\x00\x00\x1cjxlp" + bytes(4)


@fuzz(300)
@given(mutated(JXL + b"\xff\x0a" + bytes(range(14)), [b"jxlc", b"jxlp", b"xml ", b"\xff\x0a"]))
def test_boxes_are_walked_or_refused(damaged):
    for read in (find_xmp, header_of):
        try:
            read(damaged)
        except ImageError as error:
            assert "\n" not in str(error)
