"""The page reads small images as the command does: pixels, tags, hashes, and what it refuses."""

import base64
import hashlib
import io
import json
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from irncli.errors import IrnError
from irncli.geometry import pack
from irncli.io.encoding import encode
from irncli.io.formats.jpeg import insert_xmp
from irncli.io.formats.png import SIGNATURE, framed
from irncli.io.image_file import ImageFile
from irncli.io.picture import Metadata
from irncli.io.tag import embed, extract
from tests.support.packets import OTHERS
from tests.support.page_core import TAG, PageError, drawing, noise, saved, tagged

PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip


def assert_as_the_command(core, data):
    """The page finds the pixels and the hash that the command finds; return what it found."""
    small, file = core.read(data), ImageFile(data)
    picture = file.decode(deep=True)
    height, width, _ = picture.pixels.shape
    assert (small["width"], small["height"]) == (width, height)
    assert small["bits"] == picture.bits
    assert small["channels"] == (1 if picture.gray else 3)
    pixels = small["pixels"].reshape(height, width, -1)
    assert np.array_equal(np.broadcast_to(pixels, picture.pixels.shape), picture.pixels)
    assert (small["alpha"] is None) == (picture.alpha is None)
    if picture.alpha is not None:
        assert np.array_equal(small["alpha"].reshape(height, width), picture.alpha)
    assert small["intact"] == file.holds(file.tag.content_sha256)
    return small


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_png_files_of_the_command(core, bits, gray, alpha):
    pixels = noise(bits=bits)
    if gray:
        pixels = pixels[:, :, :1].repeat(3, axis=2)
    plane = noise(bits=bits, seed=1)[:, :, 0] if alpha else None
    small = assert_as_the_command(core, tagged(drawing(pixels=pixels, gray=gray, alpha=plane)))
    assert small["intact"]
    assert small["warnings"] == []


PACKET = embed(None, TAG)


def with_packet(body):
    """A PNG of these chunks, with the tag of another image."""
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET
    parts = ((b"iTXt", text), *body, (b"IEND", b""))
    return b"".join(framed(kind, content) for kind, content in parts)


def raw_png(samples, depth, kind, *, interlaced=False, extra=()):
    """A PNG written here: samples [H, W, channels] of this depth, optionally interlaced."""
    height, width, channels = samples.shape
    rows = []
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        for row in samples[top::down, left::across]:
            bits = np.unpackbits(row.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
            if len(row):
                rows.append(b"\0" + np.packbits(bits[:, 16 - depth :]).tobytes())
    assert channels == {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    data = zlib.compress(b"".join(rows))
    halves = ((b"IDAT", data[:20]), (b"IDAT", data[20:]))
    return SIGNATURE + framed(b"IHDR", header) + with_packet((*extra, *halves))


def samples_of(depth, channels, height=11, width=13):
    return np.random.default_rng(depth).integers(0, 1 << depth, (height, width, channels))


PALETTE = np.random.default_rng(9).integers(0, 256, 3 * 16, np.uint8).tobytes()
KEY = struct.pack(">3H", *samples_of(8, 3)[4, 5])


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(
    ("depth", "kind", "extra"),
    [
        (1, 0, ()),
        (2, 0, ()),
        (4, 0, ((b"tRNS", b"\0\7"),)),
        (8, 0, ()),
        (16, 0, ()),
        (8, 2, ((b"tRNS", KEY),)),
        (16, 2, ()),
        (1, 3, ((b"PLTE", PALETTE),)),
        (2, 3, ((b"PLTE", PALETTE[:9] * 4),)),
        (4, 3, ((b"PLTE", PALETTE), (b"tRNS", b"\0\x80\xff"))),
        (4, 3, ((b"PLTE", np.arange(16, dtype=np.uint8).repeat(3).tobytes()),)),
        (8, 4, ()),
        (16, 4, ()),
        (8, 6, ()),
        (16, 6, ()),
    ],
)
def test_png_files_of_other_programs(core, depth, kind, extra, interlaced):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    data = raw_png(samples_of(depth, channels), depth, kind, interlaced=interlaced, extra=extra)
    assert_as_the_command(core, data)


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"compress_level": 1}])
def test_a_tagged_file_that_another_program_saved_again_is_intact(core, options):
    pixels = (noise() // 128 * 255)[:, :, :]
    with Image.open(io.BytesIO(tagged(drawing(pixels=pixels)))) as image:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", image.info["xmp"].decode(), zip=True)
        again = image.convert("RGBA") if options else image.convert("P", palette=1, colors=8)
        data = saved(again, pnginfo=text, **options)
    assert assert_as_the_command(core, data)["intact"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gray": True},
        {"subsampling": "4:2:0"},
        {"progressive": True},
        {"orientation": 6},
    ],
)
def test_jpeg_files(core, options, jpeg_metadata):
    picture = drawing(gray=options.pop("gray", False))
    smooth = np.asarray(Image.fromarray(noise()).resize((70, 50)))
    if picture.gray:
        smooth = smooth[:, :, :1].repeat(3, axis=2)
    if options.pop("orientation", None):
        picture = replace(picture, metadata=jpeg_metadata)
    picture = replace(picture, pixels=smooth)
    small = assert_as_the_command(core, tagged_jpeg(picture, **options))
    assert small["intact"]
    assert small["source"] == "jpeg"


def test_a_browser_that_alters_pixels_restores_no_jpeg(core):
    """Protection against tracking, in some browsers, changes what a canvas gives back."""
    data = tagged_jpeg(drawing())
    script = """
      const { prototype } = OffscreenCanvasRenderingContext2D;
      const { getImageData } = prototype;
      prototype.getImageData = function (...box) {
        const found = getImageData.apply(this, box);
        found.data[41] ^= 1;
        return found;
      };
      try {
        return await core.readSmallImage(given[0]);
      } finally {
        prototype.getImageData = getImageData;
      }
    """
    with pytest.raises(PageError, match="this browser changes the pixels"):
        core(script, data)
    assert core.read(data)["intact"]


def test_a_jpeg_that_stores_rgb(core):
    """The segment of Adobe says so, and is not metadata."""
    data = saved(Image.fromarray(noise()), "JPEG", keep_rgb=True, quality=95)
    assert b"Adobe" in data
    small = assert_as_the_command(core, insert_xmp(data, PACKET))
    assert np.abs(small["pixels"].astype(int) - noise().ravel()).max() < 30


def test_a_profile_in_parts_needs_all_of_them(core, jpeg_metadata):
    data = tagged_jpeg(drawing(metadata=jpeg_metadata))
    first = data.index(b"ICC_PROFILE") - 4
    second = data.index(b"ICC_PROFILE", first + 20) - 4
    assert core.read(data)["metadata"]["icc"].tobytes() == jpeg_metadata.icc
    assert core.read(data[:first] + data[second:])["metadata"]["icc"] is None


def tagged_jpeg(picture, **options):
    return tagged(picture, "jpeg", encoder=options)


@pytest.fixture
def jpeg_metadata():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    # A profile that would change the colours, and that takes several segments.
    profile = bytearray(200_000)
    profile[:4], profile[16:20] = struct.pack(">I", len(profile)), b"RGB "
    return Metadata(exif=exif.tobytes(), icc=bytes(profile), xmp=OTHERS, dpi=(300, 150))


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_metadata(core, jpeg_metadata, image_format):
    chunks = ((b"gAMA", struct.pack(">I", 45455)), (b"tEXt", b"Title\0a"))
    metadata = replace(jpeg_metadata, chunks=chunks if image_format == "png" else ())
    small = core.read(tagged(drawing(metadata=metadata), image_format))
    found = small["metadata"]
    assert found["exif"].tobytes() == metadata.exif.removeprefix(b"Exif\0\0")
    assert found["icc"].tobytes() == metadata.icc
    assert found["density"] == pytest.approx([300, 150], abs=0.02)
    assert "urn:irn" not in found["xmp"]
    assert "Caf\u00e9 &amp; sea" in found["xmp"]
    kept = tuple((each["kind"].encode(), each["body"].tobytes()) for each in found["chunks"])
    assert kept == metadata.chunks


def test_a_file_without_other_metadata_has_none(core):
    for image_format in ("png", "jpeg"):
        found = core.read(tagged(drawing(), image_format))["metadata"]
        assert found == {"exif": None, "icc": None, "xmp": None, "density": None, "chunks": []}


def test_unusable_metadata_are_left_out_with_a_warning(core):
    data = saved(Image.fromarray(noise()), exif=b"Exif\0\0nonsense", icc_profile=bytes(200))
    data = data[:33] + framed(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + PACKET) + data[33:]
    small = core.read(data)
    assert small["metadata"]["exif"] is small["metadata"]["icc"] is None
    assert "its EXIF cannot be read and was left out" in small["warnings"]
    assert "its colour profile is one for \0\0\0\0 and was left out" in small["warnings"]


def test_the_profile_of_the_tag_is_that_of_the_image(core, jpeg_metadata):
    gray = drawing(pixels=noise()[:, :, :1].repeat(3, axis=2), gray=True)
    fields = {"task": "color", "scale": 1, "hr_size": gray.size, "icc": jpeg_metadata.icc[:-4]}
    assert core.read(tagged(gray, **fields))["metadata"]["icc"] is None  # its length is wrong
    fields["icc"] = jpeg_metadata.icc
    assert core.read(tagged(gray, **fields))["metadata"]["icc"].tobytes() == jpeg_metadata.icc


def refusal(core, data):
    with pytest.raises(PageError) as caught:
        core.read(data)
    kind, _, message = str(caught.value).partition(": ")
    assert kind == "ImageError"
    return message


def test_what_is_no_small_image_is_refused(core):
    assert refusal(core, b"") == "0 bytes, expected an image"
    assert "not a PNG or JPEG" in refusal(core, b"GIF89a")
    for data in (saved(Image.fromarray(noise())), saved(Image.fromarray(noise()), "JPEG")):
        stripped = "no irn tag: irn did not make this file, or it was stripped"
        assert refusal(core, data).startswith(stripped)


def altered(**values):
    """The packet of a tag, with these values whatever they are; None takes a property away."""
    packet = PACKET.decode()
    for key, value in values.items():
        start = packet.find(f' irn:{key}="')
        if start >= 0:
            packet = packet[:start] + packet[packet.index('"', start + len(key) + 7) + 1 :]
        if value is not None:
            packet = packet.replace(" irn:bits=", f' irn:{key}="{value}" irn:bits=')
    return packet.encode()


MARKED = pack(np.array([[True]]))
WRONG = [
    {"format": "2"},
    {"task": "evil"},
    {"model": "../../etc/passwd"},
    {"weights_sha256": "xyz"},
    {"content_sha256": "A" * 64},
    {"scale": "70.5"},
    {"hr_width": "0"},
    {"hr_width": "-5"},
    {"bits": "12"},
    {"temperature": "100.5"},
    {"frames": "0"},
    {"scale": None},
    {"content_sha256": None},
    {"bicubic": "AAAA"},
    {"tint": "1 2 3"},
    {"task": "color", "format": "2", "bicubic": "eJxrAAAAgQCB"},
]


@pytest.mark.parametrize("values", WRONG, ids=json.dumps)
def test_an_unusable_tag_is_refused_in_the_words_of_the_command(core, values):
    packet = altered(**values)
    with pytest.raises(IrnError) as caught:
        extract(packet)
    with pytest.raises(PageError) as found:
        core("return core.readTag(given[0]);", packet)
    # What is wrong with a bitmap, browsers do not say.
    assert str(found.value).startswith(f"ImageError: {caught.value}".partition("it cannot")[0])


@pytest.mark.parametrize(
    ("packet", "part"),
    [
        (altered(format="4"), "format 4, this page reads format 3 at most"),
        (PACKET.replace(b"urn:irn:tag:1", b"urn:irn:tag:2"), "newer format"),
        (altered(scale="four"), "damaged: four is not a number"),
        (altered(scale="1"), "scale 1"),
        (altered(icc="%%%"), "damaged"),
        (altered(tint="1 2"), "damaged"),
        (b'<!DOCTYPE l [<!ENTITY a "urn:irn:tag:1">]><x>&a;</x>', "document type"),
        (b"<a urn:irn:tag:1", "not well-formed"),
        (b"\xff\xfe urn:irn:tag:1", "not UTF-8"),
    ],
)
def test_a_packet_that_cannot_be_used_is_refused(core, packet, part):
    with pytest.raises(PageError, match=f"ImageError.*{part}"):
        core("return core.readTag(given[0]);", packet)


def test_a_packet_that_is_too_large_is_refused(core):
    with pytest.raises(PageError, match="XMP of 16777228 bytes, expected at most 16777216"):
        core("return core.propertiesOf(new Uint8Array((16 << 20) + 12), 'urn:irn:tag:1');")


def blocks(rows, columns):
    marked = np.zeros((rows, columns), np.bool_)
    marked[1, 2] = marked[rows - 1, 0] = True
    return marked


def test_marked_blocks_are_those_of_the_tag(core):
    picture = drawing(pixels=noise(40, 70))
    small = core.read(tagged(picture, bicubic=pack(blocks(3, 5))))
    found = small["tag"]["bicubic"]
    grid = found["marked"].reshape(found["rows"], found["columns"])
    assert np.array_equal(grid, blocks(3, 5))
    assert core.read(tagged(picture))["tag"]["bicubic"] is None


@pytest.mark.parametrize(
    ("bitmap", "part"),
    [
        (zlib.compress(b"\xff"), "after its end"),
        (zlib.compress(bytes(1)), "without blocks"),
        (zlib.compress(bytes(2)), "does not hold 1 bits for 1x1 blocks"),
        (zlib.compress(bytes(8 << 20), 9), "does not hold"),
        (MARKED[:-1], "does not hold"),
        (MARKED + b"x", "does not hold"),
    ],
)
def test_a_damaged_bitmap_is_refused(core, bitmap, part):
    text = base64.b64encode(bitmap).decode()
    with pytest.raises(PageError, match=part):
        core("return core.readTag(given[0]);", altered(format="2", bicubic=text))


def test_what_the_page_does_not_restore_is_refused(core):
    restored = tagged(drawing(), restorer="irn-jpeg-x2", restorer_sha256="c" * 64)
    assert "needs the restoration module 'irn-jpeg-x2'" in refusal(core, restored)
    assert refusal(core, tagged(drawing(), frames=3)).startswith("3 frames, expected one")
    data = tagged(drawing())
    animated = data[:33] + framed(b"acTL", struct.pack(">II", 2, 0)) + data[33:]
    assert refusal(core, animated).startswith("2 frames, expected one")


def test_too_many_pixels_are_refused_before_they_are_decoded(core):
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    png = SIGNATURE + framed(b"IHDR", header) + with_packet(())
    assert "20000x20000 is 400000000 pixels, more than the 100000000" in refusal(core, png)
    jpeg = tagged(drawing(), "jpeg")
    at = jpeg.index(b"\xff\xc0") + 5
    assert "65535x65535" in refusal(core, jpeg[:at] + b"\xff" * 4 + jpeg[at + 4 :])
    huge = tagged(drawing(pixels=noise(200, 300)), scale=64, hr_size=(300 * 64, 200 * 64))
    assert "19200x12800" in refusal(core, huge)


def test_compressed_data_are_read_no_further_than_needed(core):
    packer = zlib.compressobj(9)
    head = packer.compress(b"irn") + packer.flush(zlib.Z_FULL_FLUSH)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    found = core(
        """
        const bomb = core.concat([given[0], ...Array(20_000).fill(given[1])]);
        const start = performance.now();
        const { bytes, complete } = await core.inflate(bomb, 1000);
        return [bytes.length, complete, (performance.now() - start) / 1000];
        """,
        head,
        megabyte,
    )
    assert found[:2] == [1000, False]
    assert found[2] < 1  # all of it would take half a minute


def test_damaged_chunks(core):
    data = tagged(drawing(metadata=Metadata(chunks=((b"tEXt", b"Title\0a"),))))
    at = data.index(b"Title")
    title = data[:at] + b"t" + data[at + 1 :]
    sentence = "its chunk tEXt (text) has a wrong checksum, so it was left out: the file is damaged"
    small = core.read(title)
    assert small["warnings"] == [sentence] == list(ImageFile(title).damage)
    assert small["metadata"]["chunks"] == []
    at = data.index(b"XML:com")
    untagged = data[:at] + b"x" + data[at + 1 :]
    assert refusal(core, untagged).startswith(f"no irn tag: {sentence.replace('tEXt', 'iTXt')}")
    header = data[:20] + b"\1" + data[21:]
    assert refusal(core, header) == "a damaged PNG: its chunk IHDR has a wrong checksum"


def test_pixels_that_end_early_are_refused(core):
    data = raw_png(samples_of(8, 3), 8, 2)
    short = raw_png(samples_of(8, 3, height=10), 8, 2)
    header = framed(b"IHDR", data[16:29])
    ended = refusal(core, data[:8] + header + short[8 + len(header) :])
    assert ended == "damaged image: its pixels end before the last row"


TRY_ALL = """
const found = {};
for (const end of %s) {
  let said;
  try {
    await core.readSmallImage(given[0].slice(0, end));
    said = "read";
  } catch (error) {
    said = error.name === "ImageError" ? "refused" : `${error.name}: ${error.message}`;
  }
  found[said] = (found[said] ?? 0) + 1;
}
return found;
"""


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_truncated_files_are_refused(core, image_format, jpeg_metadata):
    metadata = replace(jpeg_metadata, icc=None)
    data = tagged(drawing(metadata=metadata), image_format)
    # The last chunk of a PNG, of 12 bytes, holds nothing that is missed.
    last = len(data) - (13 if image_format == "png" else 1)
    ends = [*range(0, last, 23), last]
    assert core(TRY_ALL % ends, data) == {"refused": len(ends)}


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
def test_changed_files_are_read_or_refused(core, image_format):
    data = tagged(drawing(metadata=Metadata(xmp=OTHERS)), image_format)
    generator = np.random.default_rng(5)
    script = TRY_ALL.replace("given[0].slice(0, end)", "given[end]")
    files = []
    for _ in range(150):
        changed = bytearray(data)
        for at in generator.integers(2, len(data), 3):
            changed[at] = generator.integers(0, 256)
        files.append(bytes(changed))
    found = core(script % list(range(150)), *files)
    assert found.keys() <= {"read", "refused"}


def test_changed_pixels_are_said(core):
    assert core.read(tagged(drawing()))["intact"]
    changed = core.read(with_content(drawing(), "0" * 64))
    said = "the pixels were changed since irn wrote them: fine detail cannot be restored"
    assert changed["warnings"] == [said]
    assert not changed["intact"]
    plain = core.read(with_content(drawing(), "0" * 64, task="plain", scale=1, hr_size=(17, 13)))
    assert plain["warnings"] == ["the pixels were changed since irn wrote them"]


def with_content(picture, content_sha256, **fields):
    tag = replace(TAG, content_sha256=content_sha256, **{"hr_size": (34, 26), **fields})
    metadata = replace(picture.metadata, xmp=embed(None, tag))
    return encode(replace(picture, metadata=metadata), image_format="png")


def test_a_resized_image_is_restored_by_its_scale(core):
    small = core.read(with_content(drawing(), "0" * 64, scale=2.5, hr_size=(40, 99)))
    assert small["hrSize"] == [42, 32]
    assert "the image was resized since: restoring to 42x32" in small["warnings"]
    fits = core.read(with_content(drawing(), "0" * 64, scale=2.5, hr_size=(42, 31)))
    assert fits["hrSize"] == [42, 31]


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 1000])
def test_sha256(core, length):
    data = bytes(range(256)) * 4
    found = core(f"return core.sha256([given[0].subarray(0, {length // 3}), "
                 f"given[0].subarray({length // 3}, {length})]);", data)  # fmt: skip
    assert found == hashlib.sha256(data[:length]).hexdigest()
