"""irn downscale and irn upscale on files: there and back."""

import io
import json
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from irncli.engine.metrics import psnr
from irncli.engine.rescaler import bicubic
from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile, decode
from irncli.io.tag import Tag, embed, extract
from tests.support.pictures import size

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def pixels(path):
    return decode(path.read_bytes()).pixels


@pytest.mark.parametrize(
    ("scale", "low_size"),
    [("2", (31, 24)), ("4", (16, 12)), ("2.5", (25, 19)), ("1.5", (41, 32)), ("3", (21, 16))],
)
def test_there_and_back_in_exact_size_and_better_than_bicubic(irn, picture, scale, low_size):
    low, back = picture.with_name("low.png"), picture.with_name("back.png")
    assert irn("downscale", picture, "--scale", scale, "-o", low).status == 0
    assert size(low) == low_size
    result = irn("upscale", low, "--seed", 0, "-o", back)
    assert result.status == 0
    assert result.out == b""
    assert size(back) == (61, 47)
    hr = pixels(picture)
    plain = bicubic(bicubic(hr, *low_size[::-1]), 47, 61)
    assert psnr(hr, pixels(back)) > psnr(hr, plain) + 1
    assert ImageFile(back.read_bytes()).header.xmp is None


def test_default_names_beside_the_input(irn, picture):
    assert irn("downscale", picture, "--scale", 4).status == 0
    low = picture.with_name("photo_x4.png")
    assert low.exists()
    assert irn("upscale", low, "--seed", 1).status == 0
    assert picture.with_name("photo_x4_restored.png").exists()
    assert irn("downscale", picture, "--scale", 2.5, "--format", "jpeg").status == 0
    assert picture.with_name("photo_x2.5.jpg").exists()


def test_directories_and_output_dir(irn, picture, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "made" / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(picture.read_bytes())
    assert irn("downscale", folder, "--scale", 2, "--output-dir", out).status == 0
    assert sorted(path.name for path in out.iterdir()) == ["a_x2.png", "b_x2.png"]
    assert irn("upscale", out, "--seed", 0).status == 0
    assert len(list(out.glob("*_restored.png"))) == 2


def test_one_seed_gives_one_result_whatever_the_tile(irn, small):
    results = []
    for k, extra in enumerate((["--tile", 0], ["--tile", 64], ["--tile", "auto"])):
        out = small.with_name(f"{k}.png")
        assert irn("upscale", small, "--seed", 7, *extra, "-o", out).status == 0
        results.append(out.read_bytes())
    assert results[0] == results[1] == results[2]


def test_without_a_seed_one_is_drawn_and_reported(irn, small):
    first, second = small.with_name("1.png"), small.with_name("2.png")
    result = irn("upscale", small, "-o", first)
    (line,) = result.lines
    assert line.startswith("irn: seed ")
    assert irn("upscale", small, "--seed", line.split()[-1], "-o", second).lines == []
    assert first.read_bytes() == second.read_bytes()


def test_seeds_differ_and_temperature_zero_does_not(irn, small):
    outs = {}
    for name, *how in (
        ("a", "--seed", 0, "--temperature", 1), ("b", "--seed", 1, "--temperature", 1),
        ("c", "--temperature", 0), ("d", "--temperature", 0),
    ):  # fmt: skip
        out = small.with_name(f"{name}.png")
        assert irn("upscale", small, *how, "-o", out).status == 0
        outs[name] = pixels(out)
    assert (outs["a"] != outs["b"]).mean() > 0.01
    assert np.array_equal(outs["c"], outs["d"])
    low_still = small.with_name("still.png")
    result = irn("upscale", small, "--temperature", 0, "-o", low_still)
    assert result.lines == []


@pytest.mark.parametrize("quality", [75, 95])
def test_jpeg_lr(irn, picture, quality):
    low, back = picture.with_name("low.jpg"), picture.with_name("back.png")
    arguments = ("--scale", 2, "--quality", quality, "-o", low)
    assert irn("downscale", picture, *arguments).status == 0
    with Image.open(low) as image:
        assert image.format == "JPEG"
    result = irn("upscale", low, "--seed", 0, "--strict", "-o", back)
    assert result.status == 0
    assert result.lines == []
    assert size(back) == (61, 47)
    sizes = {75: 0, 95: 0}
    sizes[quality] = low.stat().st_size
    assert 300 < sizes[quality] < 20_000


@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
def test_an_opaque_alpha_channel_is_no_edit(irn, small, mode):
    """As editors add it, or as optimisers remove it."""
    had, edited = small.with_name("had.png"), small.with_name("edited.png")
    with Image.open(small) as image:
        image.convert("RGBA").save(had)
    if mode == "RGB":
        assert irn("downscale", had, "--scale", 2, "-o", small, "--overwrite").status == 0
    with Image.open(small) as image:
        assert image.mode == {"RGBA": "RGB", "RGB": "RGBA"}[mode]
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", ImageFile(small.read_bytes()).header.xmp.decode())
        image.convert(mode).save(edited, pnginfo=text)
    result = irn("upscale", edited, "--seed", 0, "--strict", "-o", small.with_name("back.png"))
    assert (result.status, result.lines) == (0, [])
    assert json.loads(irn("info", edited, "--json").out)["unchanged"]


def test_a_tag_with_a_wrong_checksum_is_said(irn, small):
    data = bytearray(small.read_bytes())
    at = data.index(b"iTXt")
    data[at + 4 + int.from_bytes(data[at - 4 : at], "big")] ^= 1
    small.write_bytes(data)
    result = irn("upscale", small, "--seed", 0)
    assert result.status == 65
    assert "no irn tag: its chunk iTXt (text) has a wrong checksum" in result.err


def test_quality_has_an_effect(irn, picture):
    sizes = []
    for quality in (30, 95):
        low = picture.with_name(f"{quality}.jpg")
        irn("downscale", picture, "--scale", 2, "--quality", quality, "-o", low)
        sizes.append(low.stat().st_size)
    assert sizes[0] < sizes[1]


def test_tag_and_info(irn, small):
    tag = extract(ImageFile(small.read_bytes()).header.xmp)
    assert (tag.model, tag.scale, tag.hr_size, tag.bits) == ("irn-x4", 4, (61, 47), 8)
    record = json.loads(irn("info", small, "--json").out)
    keys = ["format", "task", "model", "weights_sha256", "scale", "hr_size", "bits",
            "content_sha256", "sampling"]  # fmt: skip
    assert [key for key in record if key in keys] == keys
    assert record["hr_size"] == [61, 47]
    assert record["unchanged"] is True
    shown = irn("info", small).out.decode()
    assert "irn-x4" in shown
    assert "61x47" in shown


def test_metadata_travel_there_and_back(irn, picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    source, low, back = (tmp_path / name for name in ("s.png", "l.png", "b.png"))
    Image.fromarray(pixels(picture)).save(source, icc_profile=ICC, exif=exif, dpi=(300, 300))
    assert irn("downscale", source, "--scale", 2, "-o", low).status == 0
    assert irn("upscale", low, "--seed", 0, "-o", back).status == 0
    before, *after = (decode(path.read_bytes()).metadata for path in (source, low, back))
    for metadata in after:
        assert metadata.icc == ICC
        assert metadata.exif == before.exif
        assert metadata.dpi == pytest.approx((300, 300), abs=0.1)


def test_gray_stays_gray_and_alpha_is_carried(irn, picture, tmp_path):
    image = Image.fromarray(pixels(picture))
    gray, clear = image.convert("L"), image.copy()
    clear.putalpha(Image.new("L", image.size, 99))
    for name, source in (("gray", gray), ("clear", clear)):
        path, low, back = (tmp_path / f"{name}{k}.png" for k in range(3))
        source.save(path)
        assert irn("downscale", path, "--scale", 2, "-o", low).status == 0
        assert irn("upscale", low, "--seed", 0, "-o", back).status == 0
        with Image.open(back) as restored:
            assert restored.mode == source.mode
            assert name == "gray" or set(restored.getchannel("A").tobytes()) == {99}


def test_json_records(irn, picture, tmp_path):
    missing = tmp_path / "missing.png"
    result = irn("downscale", picture, missing, "--scale", 4, "--json")
    assert result.status == 1
    done, failed = (json.loads(line) for line in result.out.splitlines())
    keys = ["input", "output", "status", "error", "model", "scale", "seed", "temperature",
            "hr_size", "lr_size", "bytes_in", "bytes_out", "seconds", "warnings"]  # fmt: skip
    assert list(done) == [*keys, "guarded"]
    assert list(failed) == keys
    assert (done["status"], done["model"], done["hr_size"]) == (0, "irn-x4", [61, 47])
    assert done["bytes_out"] == (tmp_path / "photo_x4.png").stat().st_size
    assert (failed["status"], failed["output"]) == (66, None)
    up = json.loads(irn("upscale", done["output"], "--seed", 3, "--json").out)
    assert (up["seed"], up["temperature"], up["lr_size"]) == (3, 1.0, [16, 12])


def test_pipes(picture, tmp_path, quick_irn):
    out = tmp_path / "back.png"
    irn = quick_irn
    line = (
        f"cat {picture} | {irn} downscale - --scale 2 | {irn} upscale - --seed 0 > {out} && "
        f"cat {picture} | {irn} downscale - --scale 2 --format jpeg > {tmp_path}/low.jpg"
    )
    result = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    with Image.open(out) as image:
        assert (image.size, image.format) == ((61, 47), "PNG")
    with Image.open(tmp_path / "low.jpg") as image:
        assert image.format == "JPEG"


def test_a_stream_and_a_file_give_the_same_bytes(spawn, irn, picture, small):
    low = spawn("downscale", "-", "--scale", 4, stdin=picture.read_bytes())
    assert low.status == 0
    assert low.out == small.read_bytes()
    out = picture.with_name("o.png")
    irn("upscale", small, "--seed", 5, "-o", out)
    assert spawn("upscale", "-", "--seed", 5, stdin=low.out).out == out.read_bytes()


def retagged(path, **changes):
    picture = decode(path.read_bytes())
    record = extract(picture.metadata.xmp)
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    packet = embed(picture.metadata.xmp, Tag(**(fields | changes)))
    path.write_bytes(encode(picture, image_format="png", xmp=lambda content: packet))


def test_an_imported_model_restores_what_it_made(irn, picture, tmp_path):
    from irncli.zoo.checkpoint import Card, serialise
    from tests.support.networks import SMALL, shaken

    source = tmp_path / "mine.safetensors"
    source.write_bytes(serialise(shaken(SMALL["irn-ld-x3"]), Card(name="x")))
    assert irn("models", "import", source).status == 0
    low, back = tmp_path / "low.png", tmp_path / "back.png"
    assert irn("downscale", picture, "--scale", 3, "--model", "mine", "-o", low).status == 0
    assert size(low) == (21, 16)
    assert irn("upscale", low, "--seed", 0, "--strict", "-o", back).status == 0
    assert size(back) == (61, 47)
    retagged(low, model="renamed")
    again = irn("upscale", low, "--seed", 0, "--strict", "-o", tmp_path / "again.png")
    assert again.status == 0
    assert (tmp_path / "again.png").read_bytes() == back.read_bytes()
    retagged(low, weights_sha256="c" * 64)
    result = irn("upscale", low, "--seed", 0)
    assert result.status == 69
    assert "irn models import" in result.err


def test_a_rotated_edit_still_restores_what_is_left(irn, small):
    with Image.open(small) as image:
        packet = image.info["XML:com.adobe.xmp"]
        edited = image.crop((0, 0, 9, 8))
    buffer = io.BytesIO()
    from PIL import PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet)
    edited.save(buffer, "PNG", pnginfo=text)
    small.write_bytes(buffer.getvalue())
    back = small.with_name("back.png")
    result = irn("upscale", small, "--seed", 0, "-o", back)
    assert result.status == 0
    assert "changed" in result.err
    assert "resized" in result.err
    assert size(back) == (36, 32)
    assert irn("upscale", small, "--seed", 0, "--strict", "--overwrite", "-o", back).status == 65


def test_a_file_that_grows_is_warned_of(irn, tmp_path, photo):
    source, low = tmp_path / "photo.jpg", tmp_path / "low.png"
    Image.fromarray(photo[100:260, 100:260]).save(source, quality=10)
    result = irn("downscale", source, "--scale", 1.5, "--guard", "off", "-o", low)
    before, after = source.stat().st_size, low.stat().st_size
    assert result.status == 0
    assert result.lines == [
        f"irn: {source}: warning: the output is larger than the input: {after:,} and {before:,} "
        "bytes"
    ]
    assert irn("upscale", low, "--temperature", 0, "-o", tmp_path / "back.png").lines == []


def test_the_number_of_threads_is_that_of_the_option(irn, picture, monkeypatch):
    given = []
    monkeypatch.setattr("torch.set_num_threads", given.append)
    low = picture.with_name("low.png")
    assert irn("downscale", picture, "--scale", 4, "--threads", 3, "-o", low).status == 0
    assert irn("upscale", low, "--seed", 0).status == 0
    assert given == [3]
