"""Files made to do harm: each gets an image or one line, and memory and time stay bounded."""

import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib

import pytest
import torch
from PIL import Image

from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.zoo import checkpoint
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.pictures import size
from tests.support.places import ROOT

LIMIT = 1_000_000
MEGABYTES = 700


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network that takes no time."""
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-e-x4"]), Card(name="small")))
    return path


SHIM = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(done.returncode)
"""
"""Between this process and the one that is measured, which would else begin with its memory."""


@pytest.fixture
def measured(tmp_path):
    """Run a command line as a process: status, standard output and error, peak megabytes."""

    command = [sys.executable, "-W", "always", "-m", "irncli"]

    def call(*arguments):
        peak = tmp_path / "peak"
        done = subprocess.run(
            [sys.executable, "-S", "-c", SHIM, peak, *command, *map(str, arguments)],
            capture_output=True,
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "xdg")},
            check=False,
        )
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        megabytes = int(peak.read_text()) / unit
        return done.returncode, done.stdout.decode(), done.stderr.decode(), megabytes

    return call


def all_files(folder):
    """What lies in a folder, hidden or not, in all its depth."""
    return sorted(str(path) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def hostile(shared, tmp_path):
    """The hostile files, each under a name of its own."""
    folder = tmp_path / "in"
    folder.mkdir()
    found = [path for path in sorted((shared / "hostile").rglob("*")) if path.is_file()]
    if not found:
        pytest.skip("no hostile files among the shared data")
    for index, path in enumerate(found):
        shutil.copyfile(path, folder / f"{index:04}-{path.name}")
    return sorted(folder.iterdir())


@pytest.mark.slow
@pytest.mark.shared
def test_hostile_pictures_are_made_small_or_refused(hostile, measured, model, tmp_path):
    folder = tmp_path / "out"
    status, out, err, megabytes = measured(
        "downscale", *hostile, "--scale", 4, "--model", model, "--max-pixels", LIMIT, "--json",
        "--guard", "off", "--output-dir", folder,
    )  # fmt: skip
    assert status == 1
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["input"] for record in records] == list(map(str, hostile))
    done = [record for record in records if record["status"] == 0]
    for record in done:
        width, height = record["hr_size"]
        assert size(record["output"]) == (-(-width // 4), -(-height // 4)), record
    assert all_files(folder) == sorted(record["output"] for record in done)
    for record in records:
        if record["status"]:
            assert record["status"] == 65, record
            assert "\n" not in record["error"]
    assert len(done) > 200
    *lines, uninstalled, last = err.splitlines()
    assert "is not installed" in uninstalled
    assert last == f"irn: {len(records) - len(done)} of {len(records)} failed"
    for line in lines:
        assert re.match(r"irn: .*\d{4}-[^:]+: (warning: )?\S", line), line
    assert megabytes < MEGABYTES


@pytest.mark.slow
@pytest.mark.shared
def test_hostile_pictures_have_no_tag(hostile, irn):
    outcome = irn("info", *hostile)
    assert outcome.status == 1
    assert outcome.out == b""
    *lines, last = outcome.lines
    assert last == f"irn: {len(hostile)} of {len(hostile)} failed"
    for path, line in zip(hostile, lines, strict=True):
        assert line.startswith(f"irn: {path}: ")


@pytest.mark.shared
def test_one_hostile_file_has_one_line(hostile, measured):
    for path in hostile[:: len(hostile) // 3]:
        status, out, err, _ = measured("info", path)
        assert (status, out, err.count("\n")) == (65, "", 1), err


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, *extra, depth=8, kind=2, rows=b"\0"):
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def black(side):
    """A whole PNG, of a few kilobytes: one bit a pixel."""
    return png(side, side, depth=1, kind=0, rows=bytes(side * (1 + side // 8)))


def tiff(*tags):
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4 + 300)


def plain_tiff(width, height, *more):
    at = 14 + 12 * (9 + len(more))
    return tiff(
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, at), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 256), *more,
    )  # fmt: skip


def gif(screen, frame):
    head = b"GIF89a" + struct.pack("<HHBBB", screen, screen, 0, 0, 0)
    return head + b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0) + b"\2\1\0\0;"


def bmp(side, bits, packed):
    sizes = struct.pack("<IiiHHIIiiII", 40, side, side, 1, bits, packed, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 62, 0, 0, 54) + sizes + bytes(1100)


def saved(format, **options):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, format, **options)
    return bytearray(buffer.getvalue())


def altered(data, mark, skip, value):
    start = data.index(mark) + skip
    data[start : start + len(value)] = value
    return bytes(data)


def webp(side):
    """An animation of one small frame on a large canvas."""

    def part(kind, data):
        return kind + struct.pack("<I", len(data)) + data

    def three(value):
        return struct.pack("<I", value)[:3]

    still = bytes(saved("WEBP", lossless=True)[12:])
    frame = bytes(6) + three(15) * 2 + three(100) + b"\0" + still
    canvas = b"\x02\0\0\0" + three(side - 1) * 2
    body = b"WEBP" + part(b"VP8X", canvas) + part(b"ANIM", bytes(6)) + part(b"ANMF", frame)
    return part(b"RIFF", body)


def icon(picture):
    """Says 16x16 of the image in it."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(picture), 22) + picture


def icns(picture):
    """Says 128x128 of the image in it."""
    return struct.pack(">4sI4sI", b"icns", 16 + len(picture), b"ic07", 8 + len(picture)) + picture


def iptc(picture):
    """Says 16x16 of the image in it."""

    def field(record, number, data):
        return b"\x1c" + bytes([record, number]) + struct.pack(">H", len(data)) + data

    parts = [picture[start : start + 9999] for start in range(0, len(picture), 9999)]
    side = struct.pack(">H", 16)
    return (
        field(3, 60, b"\1\0") + field(3, 20, side) + field(3, 30, side) + field(3, 120, b"\5")
        + b"".join(field(8, 10, part) for part in parts) + field(9, 10, b"")
    )  # fmt: skip


HUGE = struct.pack(">II", 60_000, 60_000)
CLAIMS = {
    "png": lambda: png(60_000, 60_000),
    "whole.png": lambda: black(26_000),
    "screen.gif": lambda: gif(65_535, 1),
    "frame.gif": lambda: gif(1, 65_000),
    "tif": lambda: plain_tiff(60_000, 60_000),
    "webp": lambda: webp(16_384),
    "bmp": lambda: bmp(60_000, 24, 0),
    "packed.bmp": lambda: bmp(60_000, 8, 1),
    "jpg": lambda: altered(saved("JPEG"), b"\xff\xc0", 5, b"\xff\xdc" * 2),
    "progressive.jpg": lambda: altered(
        saved("JPEG", progressive=True), b"\xff\xc2", 5, b"\xff\xdc" * 2
    ),
    "jp2": lambda: altered(saved("JPEG2000"), b"ihdr", 4, HUGE),
    "j2k": lambda: altered(saved("JPEG2000", no_jp2=True), b"\xff\x4f\xff\x51", 8, HUGE),
    "ppm": lambda: b"P6 60000 60000 255\n" + bytes(99),
    "tga": lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 10, *[0] * 5, 65_000, 65_000, 24, 0),
}
INSIDE = {
    "ico": lambda: icon(black(26_000)),
    "icns": lambda: icns(black(26_000)),
    "iptc": lambda: iptc(black(1_200)),
}
LIES = {
    "dib.ico": lambda: icon(bmp(30_000, 32, 0)[14:]),
    "canvas.webp": lambda: webp(60_000),
    "siz.jp2": lambda: altered(saved("JPEG2000"), b"\xff\x4f\xff\x51", 8, HUGE),
    "tile.tif": lambda: tiff(
        (256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (277, 3, 1, 1), (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 99),
    ),
    "strip.tif": lambda: tiff(
        (256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 2**31), (279, 4, 1, 2**31 - 1),
    ),
    "profile.png": lambda: good(chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(100_000_000)))),
    "texts.png": lambda: good(
        *[chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(bytes(15_000_000), 1)) for i in range(9)]
    ),
    "xmp20.png": lambda: xmp_png(b"urn:irn:tag:1" + bytes(20_000_000)),
    "xmp100.png": lambda: xmp_png(b"urn:irn:tag:1" + bytes(100_000_000)),
}  # fmt: skip


def good(*extra):
    return png(16, 16, *extra, rows=(b"\0" + bytes(range(48))) * 16)


def xmp_png(packet):
    return good(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(packet)))


def written(folder, makers):
    folder.mkdir()
    for index, (name, make) in enumerate(makers.items()):
        (folder / f"{index:02}.{name}").write_bytes(make())
    return sorted(folder.iterdir())


def test_claims_of_a_huge_size_are_refused_before_memory_is_taken(measured, model, tmp_path):
    files = written(tmp_path / "in", CLAIMS)
    for command in (["info"], ["downscale", "--scale", 4, "--model", model]):
        status, _, err, megabytes = measured(
            command[0], *files, *command[1:], "--max-pixels", LIMIT
        )
        *lines, last = err.splitlines()
        assert status == 1
        assert last == f"irn: {len(files)} of {len(files)} failed"
        for path, line in zip(files, lines, strict=True):
            assert line.startswith(f"irn: {path}: "), err
            assert f"more than --max-pixels {LIMIT}" in line
        assert megabytes < MEGABYTES
    assert all_files(tmp_path / "in") == list(map(str, files))


def test_files_whose_inside_is_larger_than_their_header_says_are_refused(measured, model, tmp_path):
    files = written(tmp_path / "in", LIES)
    status, out, err, megabytes = measured(
        "downscale", *files, "--scale", 4, "--model", model, "--max-pixels", LIMIT, "--json"
    )
    assert status == 1
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["status"] for record in records] == [65] * len(files), err
    assert err.count("\n") == len(files) + 1
    assert megabytes < MEGABYTES


@pytest.mark.parametrize(
    "name",
    INSIDE,
)
def test_a_picture_in_a_picture_is_held_to_the_limit(measured, model, tmp_path, name):
    (path,) = written(tmp_path / "in", {name: INSIDE[name]})
    out = tmp_path / "out.png"
    status, _, err, megabytes = measured(
        "downscale", path, "--scale", 4, "--model", model, "--max-pixels", LIMIT, "-o", out
    )
    assert (status, err.count("\n")) == (65, 1), err
    assert megabytes < MEGABYTES


def test_postscript_in_a_picture_starts_nothing(irn, model, tmp_path, monkeypatch):
    from PIL import EpsImagePlugin

    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **more: started.append(given))
    path = tmp_path / "a.iim"
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    path.write_bytes(iptc(program))
    outcome = irn("downscale", path, "--scale", 4, "--model", model)
    assert started == []
    assert outcome.status == 65


ODD = {
    **{f"text-{key}.png": good(chunk(b"tEXt", key.encode() + b"\0hello"))
       for key in ("icc_profile", "exif", "xmp", "dpi", "transparency", "photoshop", "gamma")},
    **{f"{tag}-{kind}-{count}.tif": plain_tiff(16, 16, (tag, kind, count, value))
       for tag in (700, 34675, 34665, 33723, 34377, 320)
       for kind, count, value in ((1, 1, 7), (3, 1, 9), (3, 2, 65537), (2, 1, 65), (12, 1, 0))},
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ODD,
)
def test_metadata_of_another_type_than_theirs_harm_nothing(irn, model, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(ODD[name])
    outcome = irn("info", path)
    assert (outcome.status, len(outcome.lines)) == (65, 1)
    out = tmp_path / "out.png"
    outcome = irn("downscale", path, "--scale", 4, "--model", model, "-o", out)
    assert outcome.status in (0, 65)
    assert len(outcome.lines) <= 2
    assert out.exists() is (outcome.status == 0)


@pytest.fixture(scope="module")
def tagged(model, tmp_path_factory):
    """A small image with a tag."""
    from irncli.cli.app import run

    folder = tmp_path_factory.mktemp("tagged")
    source, out = folder / "photo.png", folder / "small.png"
    Image.radial_gradient("L").convert("RGB").resize((61, 47)).save(source)
    arguments = ("downscale", source, "--scale", 2, "--guard", "off", "-o", out, "-q")
    assert run(list(map(str, arguments))) == 0
    return out


@pytest.fixture
def lying(tagged, tmp_path):
    """The same with other values in its tag."""

    def make(**values):
        picture = decode(tagged.read_bytes())
        packet = picture.metadata.xmp.decode()
        for key, value in values.items():
            packet, count = re.subn(f'irn:{key}="[^"]*"', f'irn:{key}="{value}"', packet)
            if not count:
                packet = packet.replace("irn:task=", f'irn:{key}="{value}" irn:task=')
        path = tmp_path / "small.png"
        path.write_bytes(encode(picture, image_format="png", xmp=lambda content: packet.encode()))
        return path

    return make


def refused(outcome, *statuses):
    assert outcome.status in statuses, outcome.err
    assert len(outcome.lines) == 1
    assert outcome.lines[0].startswith("irn: ")


@pytest.mark.parametrize(
    "values",
    [
        {"hr_width": 10**9, "hr_height": 10**9},
        {"hr_width": -61},
        {"hr_height": "nan"},
        {"hr_width": "6e1"},
        {"hr_width": "0x3d"},
        {"scale": "-2.0"},
        {"scale": "inf"},
        {"scale": "-nan"},
        {"scale": "1e-300"},
        {"temperature": "-inf"},
        {"temperature": "1e308"},
        {"model": "../weights/irn-x2"},
        {"model": "/etc/passwd"},
        {"model": "irn-x2/../irn-x2"},
        {"restorer": "../../crm", "restorer_sha256": "c" * 64},
        {"restorer": "/etc/passwd", "restorer_sha256": "c" * 64},
    ],
    ids=str,
)
def test_a_lying_tag_is_refused(irn, lying, values):
    path = lying(**values)
    refused(irn("info", path), 65)
    refused(irn("upscale", path, "--seed", 0), 65)
    assert os.listdir(path.parent) == ["small.png"]


def test_a_size_that_the_picture_does_not_have_is_not_believed(irn, lying):
    path = lying(hr_width=10**9, hr_height=10)
    refused(irn("upscale", path, "--seed", 0, "--strict"), 65)
    outcome = irn("upscale", path, "--seed", 0)
    assert outcome.status == 0
    assert "resized since" in outcome.err
    assert size(path.with_name("small_restored.png")) == (62, 48)


def test_a_scale_that_the_model_does_not_have_is_refused(irn, lying):
    refused(irn("upscale", lying(scale="64.0"), "--seed", 0), 69)


def test_a_scale_of_one_is_refused(irn, lying):
    refused(irn("upscale", lying(scale="1.0"), "--seed", 0), 65)


@pytest.mark.parametrize("key", ["model", "restorer"])
def test_a_tag_opens_nothing_but_the_models_there_are(irn, lying, monkeypatch, key):
    weights = "weights_sha256" if key == "model" else "restorer_sha256"
    path = lying(**{key: "stranger.safetensors", weights: "c" * 64})
    shutil.copyfile(ROOT / "weights" / "irn-x2.safetensors", path.parent / "stranger.safetensors")
    monkeypatch.chdir(path.parent)
    opened = []
    real = checkpoint.safe_open
    monkeypatch.setattr(
        checkpoint, "safe_open", lambda path, **more: opened.append(path.name) or real(path, **more)
    )
    monkeypatch.setattr(torch, "load", lambda path, **more: opened.append("pth"))
    refused(irn("upscale", path, "--seed", 0), 69)
    assert opened == ["irn-x2.safetensors"] * (key == "restorer")


NS = b'xmlns:irn="urn:irn:tag:1" '


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE a [<!ENTITY a "' + b"ha" * 99 + b'">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 99) for i in range(9))
        + b"]><a " + NS + b">&j;</a>",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a ' + NS + b'irn:model="&x;"/>',
        b'<!DOCTYPE a [<!ATTLIST b c CDATA "' + b"A" * 4_000_000 + b'">]><a ' + NS + b">"
        + b"<b/>" * 1000 + b"</a>",
        b"<a " + NS + b">" + b"<b/>" * 4_000_000 + b"</a>",
    ],
    ids=["laughs", "external", "attlist", "many"],
)  # fmt: skip
def test_a_packet_that_would_take_memory_is_refused_and_dropped(measured, model, tmp_path, packet):
    path, out = tmp_path / "small.png", tmp_path / "out.png"
    path.write_bytes(xmp_png(packet))
    status, _, err, megabytes = measured("info", path)
    assert (status, err.count("\n")) == (65, 1), err
    assert megabytes < MEGABYTES
    if b"ATTLIST" in packet:
        status, _, err, megabytes = measured("upscale", path, "--seed", 0)
        assert (status, err.count("\n")) == (65, 1), err
        assert megabytes < MEGABYTES
        status, _, err, megabytes = measured(
            "downscale", path, "--scale", 4, "--model", model, "--guard", "off", "-o", out
        )
        assert status == 0
        assert "XMP was dropped" in err
        assert err.count("\n") == 3  # what was written, and that its model is not installed
        assert megabytes < MEGABYTES
