"""`irn decolor` and `irn colorize`: colours into gray images and back."""

import json

import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.io.image_file import ImageFile, decode
from irncli.io.tag import extract
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def tint(irn, tmp_path):
    """A colour model by name; its weights are random."""
    path = tmp_path / "tint.safetensors"
    path.write_bytes(
        serialise(shaken(SMALL["color"], strength=0.02), Card(name="tint", temperature=0.0))
    )
    assert irn("models", "import", path).status == 0
    return "tint"


@pytest.fixture
def gray(irn, picture, tint):
    """The image without its colours."""
    path = picture.with_name("gray.png")
    result = irn("decolor", picture, "--model", tint, "--guard", "off", "-o", path)
    assert (result.status, result.lines) == (0, [])
    return path


def opened(path):
    with Image.open(path) as image:
        return image.mode, image.size


def test_there_and_back(irn, picture, gray):
    assert opened(gray) == ("L", (61, 47))
    back = picture.with_name("back.png")
    result = irn("colorize", gray, "--strict", "--json", "-o", back)
    assert result.status == 0
    assert result.lines == [], "z = 0: no seed to speak of"
    assert opened(back) == ("RGB", (61, 47))
    record = json.loads(result.out)
    assert (record["model"], record["scale"], record["temperature"]) == ("tint", 1.0, 0)
    assert record["hr_size"] == record["lr_size"] == [61, 47]
    tag = extract(ImageFile(gray.read_bytes()).header.xmp)
    assert (tag.task, tag.model, tag.hr_size, tag.gray) == ("color", "tint", (61, 47), False)
    assert ImageFile(back.read_bytes()).header.xmp is None


def test_names_and_streams(irn, spawn, picture, gray, tint):
    assert irn("decolor", picture, "--model", tint, "--guard", "off").status == 0
    assert irn("colorize", picture.with_name("photo_gray.png")).status == 0
    back = picture.with_name("photo_gray_color.png")
    assert opened(back) == ("RGB", (61, 47))
    stream = spawn("decolor", "-", "--model", tint, "--guard", "off", stdin=picture.read_bytes())
    assert stream.out == gray.read_bytes()
    assert spawn("colorize", "-", stdin=stream.out).out == back.read_bytes()


def test_a_seed_is_drawn_only_where_z_is(irn, gray):
    out = gray.with_name("o.png")
    arguments = ("colorize", gray, "--temperature", 1, "--overwrite", "-o", out)
    (line,) = irn(*arguments).lines
    assert line.startswith("irn: seed ")
    first = out.read_bytes()
    assert irn(*arguments, "--seed", line.split()[-1]).lines == []
    assert out.read_bytes() == first
    irn(*arguments, "--seed", 5)
    assert out.read_bytes() != first


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "1"])
def test_what_is_gray_already_passes_through_exactly(irn, picture, tint, mode):
    source, gray, back = (picture.with_name(name) for name in ("s.png", "g.png", "b.png"))
    with Image.open(picture) as image:
        plain = image.convert("L").convert(mode)
    if mode == "LA":
        plain.putalpha(plain.getchannel("L").transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    plain.save(source)
    result = irn("decolor", source, "--model", tint, "-o", gray)
    assert result.status == 0
    assert "already gray" in result.err
    assert irn("colorize", gray, "--strict", "-o", back).lines == []
    before, after = (decode(path.read_bytes()) for path in (source, back))
    assert np.array_equal(before.pixels, after.pixels)
    assert after.gray
    if mode == "LA":
        assert np.array_equal(before.alpha, after.alpha)


def test_a_gray_picture_of_another_origin_is_coloured_with_a_warning(irn, picture, tint):
    source, out = picture.with_name("l.png"), picture.with_name("o.png")
    with Image.open(picture) as image:
        image.convert("L").save(source)
    result = irn("colorize", source, "--model", tint, "-o", out)
    assert result.status == 0
    assert "does not guess them" in result.err
    assert opened(out) == ("RGB", (61, 47))
    strict = irn("colorize", source, "--model", tint, "--strict", "--overwrite", "-o", out)
    assert strict.status == 65
    (line,) = strict.lines
    assert "--strict" in line


def test_commands_name_each_other(irn, picture, gray, tint):
    result = irn("upscale", gray)
    assert result.status == 65
    assert "irn colorize" in result.err
    small = picture.with_name("small.png")
    irn("downscale", picture, "--scale", 2, "-o", small)
    result = irn("colorize", small)
    assert result.status == 65
    assert "irn upscale" in result.err
    result = irn("colorize", picture, "--model", tint)
    assert result.status == 65
    assert "found colours" in result.err


@pytest.mark.parametrize("command", ["decolor", "colorize"])
def test_a_model_for_another_task_is_refused(irn, picture, gray, command):
    source = picture if command == "decolor" else gray
    result = irn(command, source, "--model", "irn-x2")
    assert result.status == 69
    assert "not a colour model" in result.err
    assert irn("downscale", picture, "--model", "tint").status == 69


def test_an_edited_gray_picture_is_restored_with_a_warning(irn, gray):
    picture = decode(gray.read_bytes())
    edited = Image.fromarray(255 - picture.pixels[:, :, 0])
    from PIL import PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", picture.metadata.xmp.decode())
    edited.save(gray, pnginfo=text)
    result = irn("colorize", gray)
    assert result.status == 0
    assert "changed since" in result.err
    assert irn("colorize", gray, "--strict", "--overwrite").status == 65


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_metadata_and_alpha_travel(irn, picture, tint, suffix):
    """The profile of the colours has no place in a gray file: it waits in the tag."""
    exif = Image.Exif()
    exif[0x0112] = 6
    source, gray, back = (picture.with_name(n) for n in ("s.png", f"g{suffix}", "b.png"))
    with Image.open(picture) as image:
        if suffix == ".png":
            image.putalpha(image.getchannel("R"))
        image.save(source, icc_profile=ICC, exif=exif, dpi=(300, 300))
    assert irn("decolor", source, "--model", tint, "-o", gray).status == 0
    assert decode(gray.read_bytes()).metadata.icc is None
    assert irn("colorize", gray, "--strict", "-o", back).status == 0
    before, after = (decode(path.read_bytes()) for path in (source, back))
    assert after.metadata.icc == before.metadata.icc == ICC
    assert after.metadata.exif == before.metadata.exif
    assert after.metadata.dpi == pytest.approx(before.metadata.dpi, abs=0.1)
    if suffix == ".png":
        assert np.array_equal(before.alpha, after.alpha)
