"""Several frames: made small and restored one by one, with their timing; one picked by --frame."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import irncli
from irncli.errors import TagError
from irncli.io.formats.png import SIGNATURE, chunks, framed
from irncli.io.image_file import ImageFile
from irncli.io.tag import Tag, embed, extract
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken

TIMES = [40, 50, 60, 1000]
OPTIONS = {
    "clip.gif": {"duration": TIMES, "loop": 3},
    "clip.png": {"duration": TIMES, "loop": 0},
    "clip.webp": {"duration": TIMES, "loop": 2, "lossless": True},
    "pages.tif": {},
}
PLAYS = {"clip.gif": 4, "clip.png": 0, "clip.webp": 2, "pages.tif": 0}
"""A GIF says how often it is repeated, the others how often it is played."""


@pytest.fixture
def folder(irn, tmp_path, monkeypatch, photo):
    """Files of four frames, with and without transparency, and tiny models that are installed."""
    monkeypatch.chdir(tmp_path)
    pictures = []
    for number in range(4):
        pixels = photo[200:221, 150:183].copy()
        pixels[3 + number : 9 + number, 5 + 2 * number : 12 + 2 * number] = (255, 0, 40 * number)
        pictures.append(Image.fromarray(pixels))
    for name, options in OPTIONS.items():
        pictures[0].save(name, save_all=True, append_images=pictures[1:], **options)
    clear = [each.convert("RGBA") for each in pictures]
    clear[2].putalpha(Image.linear_gradient("L").resize((33, 21)))
    clear[0].save("clear.png", save_all=True, append_images=clear[1:], duration=100 / 3, loop=1)
    for name, kind in (("tiny", "irn-x2"), ("tint", "color")):
        network = shaken(SMALL[kind], strength=0.02)
        (tmp_path / f"{name}.safetensors").write_bytes(serialise(network, Card(name=name)))
        assert irn("models", "import", f"{name}.safetensors").status == 0
    return tmp_path


def opened(name):
    return ImageFile(Path(name).read_bytes())


def frames_of(name):
    """RGB and alpha of each frame, as Pillow shows them."""
    with Image.open(name) as image:
        found = []
        for number in range(image.n_frames):
            image.seek(number)
            found.append(np.array(image.convert("RGBA")))
        return found


def same(some, others):
    return len(some) == len(others) and all(map(np.array_equal, some, others))


@pytest.mark.parametrize(
    ("name", "small"),
    [
        ("clip.gif", "small.png"), ("clip.png", "small.webp"), ("clip.webp", "small.png"),
        ("pages.tif", "small.webp"), ("clear.png", "small.png"), ("clear.png", "small.webp"),
    ],
)  # fmt: skip
def test_there_and_back_frame_by_frame(irn, folder, name, small):
    result = irn("downscale", name, "--model", "tiny", "-o", small)
    assert (result.status, len(result.done)) == (0, 1)
    assert "33x21 to 17x11 by tiny, 4 frames, " in result.err
    file = opened(small)
    assert (file.tag.format, file.tag.frames, file.frames) == (3, 4, 4)
    back = irn("upscale", small, "--seed", 1, "--strict", "-o", "back.png")
    assert (back.status, back.lines) == (0, [])
    restored = opened("back.png")
    times = {"clear.png": [100 / 3] * 4, "pages.tif": [1000] * 4}.get(name, TIMES)
    for made in (file, restored):
        assert made.animation.milliseconds == pytest.approx(
            [round(each) for each in times] if small == "small.webp" else times, abs=0.01
        )
        assert made.animation.plays == PLAYS.get(name, 1)
        assert made.animation.alpha == (name == "clear.png")
    assert (restored.tag, restored.frames) == (None, 4)
    assert (restored.header.width, restored.header.height) == (33, 21)
    # What Pillow shows are the frames that were written, and each is that of the frame alone.
    small_frames, back_frames = frames_of(small), frames_of("back.png")
    irn("downscale", name, "--model", "tiny", "--frame", 2, "-o", "one.png")
    assert opened("one.png").tag.format < 3
    assert np.array_equal(frames_of("one.png")[0], small_frames[2])
    for alone in (["one.png"], [small, "--frame", 2]):
        irn("upscale", *alone, "--seed", 1, "--strict", "-o", "two.png", "--overwrite")
        assert np.array_equal(frames_of("two.png")[0], back_frames[2])


def test_colours_of_frames(irn, folder):
    assert irn("decolor", "clip.png", "--model", "tint", "-o", "gray.webp").status == 0
    assert opened("gray.webp").tag.frames == 4
    result = irn("colorize", "gray.webp", "--strict", "--temperature", 0, "-o", "back.png")
    assert (result.status, result.lines) == (0, [])
    assert len(frames_of("back.png")) == 4
    # Only if all frames are gray, none is run through the network.
    grays = [Image.fromarray(each[:, :, 0]) for each in frames_of("clip.png")]
    grays[0].save("grays.png", save_all=True, append_images=grays[1:])
    assert irn("decolor", "grays.png", "--model", "tint", "-o", "kept.png").status == 0
    irn("colorize", "kept.png", "-o", "kept_back.png")
    assert same(frames_of("kept_back.png"), frames_of("grays.png"))
    mixed = [grays[0].convert("RGB"), Image.fromarray(frames_of("clip.png")[1][:, :, :3])]
    mixed[0].save("mixed.png", save_all=True, append_images=mixed[1:])
    assert irn("decolor", "mixed.png", "--model", "tint", "-o", "mixed_gray.png").status == 0
    result = irn("colorize", "mixed_gray.png", "--strict", "--seed", 0, "-o", "mixed_back.png")
    assert (result.status, result.lines) == (0, [])
    assert len(frames_of("mixed_back.png")) == 2


def test_gray_and_metadata_and_background(irn, folder):
    exif = Image.Exif()
    exif[315] = "An Artist"
    pages = [Image.fromarray(each[:, :, 0]) for each in frames_of("clip.png")]
    pages[0].save(
        "gray.png", save_all=True, append_images=pages[1:], exif=exif, dpi=(300, 300), duration=70
    )
    irn("downscale", "gray.png", "--model", "tiny", "-o", "small.png")
    irn("upscale", "small.png", "--seed", 0, "-o", "back.png")
    with Image.open("back.png") as image:
        assert (image.mode, image.n_frames, image.info["duration"]) == ("L", 4, 70)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.getexif()[315] == "An Artist"
    irn("downscale", "clear.png", "--model", "tiny", "--background", "white", "-o", "w.png")
    assert not opened("w.png").animation.alpha
    irn("downscale", "gray.png", "--model", "tiny", "--strip", "-o", "bare.webp")
    assert "EXIF" not in opened("bare.webp").header.carries


def test_restored_frames_may_be_a_lossy_webp(irn, folder):
    irn("downscale", "clear.png", "--model", "tiny", "-o", "small.png")
    for quality in (50, 100):
        options = ("--seed", 0, "--quality", quality, "-o", f"{quality}.webp")
        assert irn("upscale", "small.png", *options).status == 0
    irn("upscale", "small.png", "--seed", 0, "-o", "back.png")
    exact = frames_of("back.png")
    for quality, most in ((50, 30), (100, 12)):
        frames = frames_of(f"{quality}.webp")
        pairs = [(a.astype(int), b) for a, b in zip(exact, frames, strict=True)]
        errors = [np.abs(a - b)[a[:, :, 3] > 0].mean() for a, b in pairs]
        assert max(errors) < most
        assert all((a[:, :, 3] == b[:, :, 3]).all() for a, b in zip(exact, frames, strict=True))
    assert Path("50.webp").stat().st_size < Path("100.webp").stat().st_size


REFUSED = {
    "-o x.jpg": (2, "4 frames do not fit JPEG: write PNG or WebP, such as -o x.png, or pick one"),
    "--frame 4": (2, "--frame 4: found 4 frames, expected 0 to 3"),
    "--bits 16": (2, "--bits 16 with 4 frames"),
    "--max-pixels 2000": (65, "4 frames of 33x21 are 2772 pixels, more than --max-pixels 2000"),
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_is_not_possible_has_one_line(irn, folder, options):
    before = sorted(folder.iterdir())
    result = irn("downscale", "clip.png", "--model", "tiny", *options.split())
    status, text = REFUSED[options]
    assert (result.status, len(result.lines)) == (status, 1)
    assert text in result.err
    assert sorted(folder.iterdir()) == before


def test_one_image_is_made_by_compress_and_other_formats(irn, folder):
    result = irn("compress", "clip.png")
    assert result.status == 2
    assert "4 frames, expected one image: pick one with --frame N (0 to 3)" in result.err
    taken = irn("compress", "clip.png", "--frame", 1, "--model", "tiny", "--no-report")
    assert taken.status == 0
    assert irn("downscale", "clip.png", "--model", "tiny", "--frame", 0, "-o", "x.jpg").status == 0
    irn("downscale", "clip.png", "--model", "tiny", "-o", "small.png")
    result = irn("upscale", "small.png", "--seed", 0, "-o", "back.tif")
    assert (result.status, "4 frames do not fit TIFF" in result.err) == (2, True)
    result = irn("upscale", "small.png", "--seed", 0, "--max-pixels", 2700, "-o", "back.png")
    assert (result.status, "the 4 restored frames would be 33x21 each" in result.err) == (65, True)
    # A still image has the frame 0 only.
    assert irn("downscale", "x.jpg", "--model", "tiny", "--frame", 0, "-o", "y.png").status == 0
    result = irn("downscale", "x.jpg", "--model", "tiny", "--frame", 1)
    assert "--frame 1: found 1 frame, expected 0" in result.err


def test_records_and_dry_runs_count_frames(irn, folder):
    words = ("downscale", "clip.png", "--model", "tiny", "-o", "small.png", "--json")
    dry = json.loads(irn(*words, "--dry-run").out)
    record = json.loads(irn(*words).out)
    assert (dry["frames"], record["frames"]) == (4, 4)
    assert "frames" not in json.loads(irn(*words, "--overwrite", "--frame", 1).out)
    one = json.loads(irn(*words, "--overwrite", "--frame", 1, "--dry-run").out)
    assert dry["forecast"]["seconds"] >= one["forecast"]["seconds"]
    # A picked frame is another result than all of them.
    again = irn(*words, "--skip-existing")
    assert (again.status, "was not made from this file" in again.err) == (73, True)
    assert json.loads(irn("info", "small.png", "--json").out)["format"] in (1, 2)


@pytest.mark.parametrize("name", OPTIONS)
def test_damaged_animations_are_refused_and_nothing_is_written(irn, folder, name):
    data = Path(name).read_bytes()
    for stop in (len(data) * 2 // 3, len(data) - 30):
        Path("cut").write_bytes(data[:stop])
        result = irn("downscale", "cut", "--model", "tiny", "-o", "x.png")
        assert (result.status, len(result.lines)) == (65, 1)
        assert not Path("x.png").exists()


def test_a_frame_of_an_apng_that_ends_early(irn, folder):
    parts = list(chunks(Path("clip.png").read_bytes()))
    at = max(number for number, (kind, _) in enumerate(parts) if kind == b"fdAT")
    parts[at] = (b"fdAT", parts[at][1][: len(parts[at][1]) // 2])
    Path("cut.png").write_bytes(SIGNATURE + b"".join(framed(*part) for part in parts))
    result = irn("downscale", "cut.png", "--model", "tiny", "-o", "x.png")
    assert (result.status, len(result.lines)) == (65, 1)
    assert "frame 3" in result.err


def test_pages_of_several_sizes_are_refused(irn, folder):
    page = Image.fromarray(frames_of("clip.png")[0][:, :, :3])
    page.save("sizes.tif", save_all=True, append_images=[page.resize((20, 10))])
    result = irn("downscale", "sizes.tif", "--model", "tiny", "-o", "x.png")
    assert result.status == 65
    assert "frame 1 is 20x10, frame 0 is 33x21: pick one with --frame N (0 to 1)" in result.err
    words = ("downscale", "sizes.tif", "--model", "tiny", "--frame", 1, "-o", "x.png")
    assert irn(*words).status == 0
    assert opened("x.png").tag.hr_size == (20, 10)


def test_frames_that_were_changed_are_told(irn, folder):
    irn("downscale", "clip.png", "--model", "tiny", "-o", "small.png")
    with Image.open("small.png") as image:
        xmp = image.info["XML:com.adobe.xmp"]
    packet = xmp.encode() if isinstance(xmp, str) else xmp
    frames = [Image.fromarray(each[:, :, :3]) for each in frames_of("small.png")]
    # One frame alone with the tag of all of them, and one frame too few.
    for count in (1, 3):
        frames[0].save("few.webp", save_all=True, append_images=frames[1:count], lossless=True,
                       xmp=packet)  # fmt: skip
        result = irn("upscale", "few.webp", "--seed", 0, "--overwrite", "-o", "back.png")
        assert result.status == 0
        assert "the pixels were changed since irn wrote them" in result.err
        assert opened("back.png").frames == count
        assert irn("upscale", "few.webp", "--strict", "-o", "no.png").status == 65
    # Recompression changes nothing, and neither does opaque alpha.
    opaque = [each.convert("RGBA") for each in frames]
    opaque[0].save("again.webp", save_all=True, append_images=opaque[1:], lossless=True,
                   exact=True, xmp=packet, duration=TIMES)  # fmt: skip
    assert irn("upscale", "again.webp", "--seed", 0, "--strict", "-o", "same.png").status == 0


def test_marks_of_frames_survive_and_are_checked():
    plain = Tag(
        task="rescale", model="m", weights_sha256="0" * 64, scale=2.0, hr_size=(64, 32), bits=8,
        content_sha256="1" * 64, temperature=1.0,
    )  # fmt: skip
    from irncli.geometry import grid_shape, pack

    marked = replace(plain, bicubic=pack(np.ones(grid_shape((32, 16)), bool)))
    tag = Tag.of_frames([plain, marked, replace(plain, neutral=True)])
    found = extract(embed(None, tag))
    assert found == tag
    assert [found.of_frame(number) for number in range(3)] == [
        plain, marked, replace(plain, neutral=True),
    ]  # fmt: skip
    assert found.of_frame(None) == found.of_frame(7) == plain
    assert Tag.of_frames([plain, plain]).marks == ()
    assert (found.format, found.as_record()["frames"]) == (3, 3)
    assert found.as_record()["bicubic_share"] == pytest.approx(1 / 3, abs=1e-4)
    for mark in ("n", "n|!|", "|AAAA|", "||1,2"):
        with pytest.raises(TagError):
            replace(tag, marks=("-", mark, "-")).of_frame(1)
    with pytest.raises(TagError):
        replace(tag, marks=("-",))
    packet = embed(None, tag).replace(b'irn:frames="3"', b'irn:frames="-3"')
    with pytest.raises(TagError):
        extract(packet)


def test_frames_whose_extent_is_huge_take_no_memory(irn, folder):
    head = b"GIF89a" + struct.pack("<HHBBB", 4, 4, 0x80, 0, 0) + bytes(6)
    pixel = b"\2\2\x44\1\0"
    control = b"!\xf9\4\x08\5\0\0\0"  # the background follows
    frame = b"," + struct.pack("<HHHHB", 0, 0, 4, 4, 0) + pixel
    huge = b"," + struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0) + pixel
    Path("huge.gif").write_bytes(head + frame + control + huge + control + frame + b";")
    result = irn("downscale", "huge.gif", "--model", "tiny", "--max-pixels", 1000, "-o", "x.png")
    assert (result.status, len(result.lines)) == (65, 1)


def test_the_python_interface_has_the_frames(folder):
    with pytest.warns(UserWarning, match="palette"):
        result = irncli.downscale("clip.gif", "small.png", model="tiny", guard=False)
    assert (opened("small.png").frames, result.lr_size) == (4, (17, 11))
    irncli.downscale("clip.png", "one.png", model="tiny", frame=1, guard=False)
    assert opened("one.png").frames == 1
    with pytest.raises(irncli.UsageError, match="4 frames"):
        irncli.restore("small.png", seed=0)
    one = irncli.restore("small.png", seed=0, frame=3, array=True)
    assert one.shape == (21, 33, 3)
