"""The tag: survives a round trip beside other people's properties, and is believed only if sane."""

import io
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from irncli.errors import TagError
from irncli.geometry import pack
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Metadata, Picture
from irncli.io.tag import Tag, embed, extract, remove
from tests.support.packets import OTHERS, TAG

hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
tags = st.builds(
    lambda restorer, **fields: Tag(**fields, restorer=restorer[0], restorer_sha256=restorer[1]),
    restorer=st.just(("", "")) | st.tuples(names, hashes),
    gray=st.booleans(),
    icc=st.binary(max_size=300),
    task=st.sampled_from(["rescale", "color", "plain"]),
    model=names,
    weights_sha256=hashes,
    scale=st.floats(1, 64),
    hr_size=st.tuples(st.integers(1, 10**5), st.integers(1, 10**5)),
    bits=st.sampled_from([8, 16]),
    content_sha256=hashes,
    temperature=st.floats(0, 100),
)


@given(tags)
def test_what_is_embedded_is_extracted(tag):
    assert extract(embed(None, tag)) == tag
    assert extract(embed(OTHERS, tag)) == tag
    assert extract(embed(embed(None, TAG), tag)) == tag


def test_others_properties_stay_and_ours_leave():
    packet = embed(OTHERS, TAG)
    for text in ("Café &amp; sea".encode(), b"dc:format", b"x-default"):
        assert text in packet
    left = remove(packet)
    assert b"irn" not in left
    assert "Café &amp; sea".encode() in left
    assert remove(embed(None, TAG)) is None
    assert remove(OTHERS) is OTHERS
    assert remove(None) is None


def test_a_packet_without_a_tag_has_none():
    assert extract(None) is None
    assert extract(OTHERS) is None
    assert extract(b"not xml") is None


@pytest.mark.parametrize("format", ["png", "jpeg"])
def test_the_tag_survives_the_file_and_a_copy_by_another_program(format):
    picture = Picture(np.zeros((4, 5, 3), np.uint8))
    data = encode(picture, image_format=format, xmp=lambda content: embed(None, TAG))
    assert extract(decode(data).metadata.xmp) == TAG
    image = Image.open(io.BytesIO(data))
    packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    again = Picture(picture.pixels, metadata=Metadata(xmp=packet))
    assert extract(decode(encode(again, image_format=format)).metadata.xmp) == TAG


MARKED = replace(TAG, hr_size=(400, 200), bicubic=pack(np.eye(4, 7, dtype=np.bool_)))
"""LR is 100x50: 7 blocks across and 4 down."""


def test_marked_blocks_survive_and_raise_the_version_of_the_tag():
    packet = embed(OTHERS, MARKED)
    assert b'irn:format="2"' in packet
    assert b'irn:format="1"' in embed(OTHERS, replace(MARKED, bicubic=b""))
    found = extract(packet)
    assert found == MARKED
    assert np.array_equal(found.blocks, np.eye(4, 7, dtype=np.bool_))
    assert found.as_record()["bicubic_share"] == round(4 / 28, 4)
    assert TAG.blocks is None
    tinted = replace(MARKED, task="color", scale=1, hr_size=(100, 50), tint=(1.5, -2.0, 0.25))
    assert extract(embed(None, tinted)) == tinted


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"hr_size": (700, 200)}, "4x11 blocks"),
        ({"hr_size": (30, 20)}, "1x1 blocks"),
        ({"bicubic": MARKED.bicubic[:-3]}, "bitmap"),
        ({"bicubic": MARKED.bicubic + b"x"}, "bitmap"),
        ({"bicubic": b"nothing"}, "bitmap"),
        ({"bicubic": pack(np.zeros((4, 7), np.bool_))}, "without blocks"),
        ({"bicubic": zlib.compress(b"\xff" * 4)}, "after its end"),
        ({"bicubic": b"x" * 20_000}, "20000 bytes"),
        ({"tint": (1.0, 2.0, 3.0)}, "disagree"),
        ({"task": "color"}, "disagree"),
        ({"task": "color", "tint": (1.0, float("nan"), 3.0)}, "tint"),
        ({"task": "color", "tint": (1.0, 300.0, 3.0)}, "tint"),
        ({"task": "plain"}, "plain"),
    ],
)
def test_marked_blocks_that_cannot_be_are_refused(fields, part):
    with pytest.raises(TagError, match=part):
        replace(MARKED, **fields)


def test_a_bitmap_that_is_a_bomb_is_refused_before_it_takes_memory():
    data = zlib.compress(bytes(8 << 20), 9)
    assert len(data) < 16_000
    tracemalloc.start()
    with pytest.raises(TagError, match="bitmap"):
        replace(MARKED, bicubic=data)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(("claimed", "held"), [("1", MARKED), ("2", TAG)])
def test_a_tag_whose_version_is_not_that_of_its_contents_is_refused(claimed, held):
    old, new = (f'irn:format="{version}"'.encode() for version in (held.format, claimed))
    packet = embed(None, held).replace(old, new)
    with pytest.raises(TagError, match="does not fit"):
        extract(packet)


def altered(**values):
    full = replace(TAG, restorer="crm-jpeg", restorer_sha256="c" * 64, icc=b"profile")
    packet = embed(None, full).decode()
    for key, value in values.items():
        old = f'irn:{key}="'
        if old not in packet:
            packet = packet.replace('irn:bits="', f'{old}" irn:bits="')
        start = packet.index(old) + len(old)
        packet = packet[:start] + value + packet[packet.index('"', start) :]
    return packet.encode()


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"format": "4"}, "update irn"),
        ({"format": "2"}, "format 2 does not fit"),
        ({"format": ""}, "update irn"),
        ({"task": "evil"}, "task"),
        ({"model": "../../etc/passwd"}, "not a valid name"),
        ({"weights_sha256": "xyz"}, "SHA-256"),
        ({"content_sha256": "A" * 64}, "SHA-256"),
        ({"scale": "nan"}, "scale"),
        ({"scale": "1e9"}, "scale"),
        ({"scale": "four"}, "damaged"),
        ({"hr_width": "0"}, "image of"),
        ({"hr_width": "-5"}, "image of"),
        ({"hr_width": "9" * 19}, "image of"),
        ({"hr_width": "9" * 10_000}, "image of"),
        ({"bits": "12"}, "bits"),
        ({"temperature": "inf"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": "-1"}, "temperature"),
        ({"restorer": "../crm"}, "not a valid name"),
        ({"restorer_sha256": "xyz"}, "SHA-256"),
        ({"restorer_sha256": ""}, "SHA-256"),
        ({"icc": "%%%"}, "damaged"),
        ({"bicubic": "%%%"}, "damaged"),
        ({"bicubic": "AAAA"}, "bitmap"),
        ({"tint": "1 2 3"}, "tint"),
        ({"tint": "1 2"}, "damaged"),
    ],
)
def test_a_tag_with_impossible_values_is_refused(values, part):
    with pytest.raises(TagError, match=part):
        extract(altered(**values))


def test_a_tag_of_a_newer_namespace_is_refused():
    with pytest.raises(TagError, match="update irn"):
        extract(embed(None, TAG).replace(b"urn:irn:tag:1", b"urn:irn:tag:2"))


def test_a_tag_that_lacks_a_key_is_refused():
    with pytest.raises(TagError, match="lacks scale"):
        extract(embed(None, TAG).replace(b"irn:scale=", b"irn:other="))


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "urn:irn:tag:1"><!ENTITY b "&a;&a;&a;">]>
<x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>"""


@pytest.mark.parametrize(
    "packet", [LAUGHS, b"<a urn:irn:tag:1", b"\xff\xfe urn:irn:tag:1", b"<a>urn:irn:tag:1" * 999]
)
def test_hostile_xml_is_refused(packet):
    for use in (extract, remove, lambda xmp: embed(xmp, TAG)):
        with pytest.raises(TagError):
            use(packet)


def test_a_profile_too_large_is_refused():
    with pytest.raises(TagError, match="profile"):
        replace(TAG, icc=bytes(5 << 20))


def test_the_record_has_the_documented_keys():
    assert list(TAG.as_record()) == [
        "format", "task", "model", "weights_sha256", "scale", "hr_size", "bits", "content_sha256",
        "sampling", "gray", "restorer", "restorer_sha256", "neutral", "bicubic_share",
    ]  # fmt: skip
