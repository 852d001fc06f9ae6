"""`irn compress --scale auto`: the scale that meets the target best."""

import json
import re

import pytest
from PIL import Image

import irncli
from irncli.api import convert
from irncli.engine.metrics import psnr
from irncli.io.image_file import ImageFile, decode
from irncli.io.tag import extract

MODELS = {2: "irn-jpeg-x2", 4: "irn-x4"}


@pytest.fixture
def photograph(tmp_path, photo):
    path = tmp_path / "photo.png"
    Image.fromarray(photo[120:216, 100:228]).save(path)
    return path


def compressed(irn, photograph, scale, *arguments):
    """The record and the file without its tag, of what irn writes at a scale."""
    out = photograph.with_name(f"{scale}.jpg")
    result = irn(
        "compress", photograph, "--scale", scale, "--always-irn", "--json", *arguments,
        "-o", out, "--overwrite",
    )  # fmt: skip
    assert result.status == 0, result.err
    return json.loads(result.out), out


def restored_psnr(irn, photograph, out):
    back = out.with_suffix(".png")
    assert irn("upscale", out, "--strict", "--temperature", 0, "-o", back).lines == []
    return psnr(decode(photograph.read_bytes()).pixels, decode(back.read_bytes()).pixels)


@pytest.mark.parametrize(("rate", "scale"), [(0.65, 4), (3, 2)], ids=["few bits", "many bits"])
def test_it_writes_what_the_better_scale_would(irn, photograph, rate, scale):
    record, out = compressed(irn, photograph, "auto", "--target-bpp", rate)
    assert (record["scale"], record["model"]) == (scale, MODELS[scale])
    assert record["lr_size"] == [128 // scale, 96 // scale]
    tag = extract(ImageFile(out.read_bytes()).header.xmp)
    assert (tag.scale, tag.model) == (scale, record["model"])
    same, twin = compressed(irn, photograph, scale, "--target-bpp", rate)
    assert out.read_bytes() == twin.read_bytes()
    other, _ = compressed(irn, photograph, 6 - scale, "--target-bpp", rate)
    assert same["report"]["psnr"] >= other["report"]["psnr"]
    assert restored_psnr(irn, photograph, out) == pytest.approx(record["report"]["psnr"], abs=0.006)


def test_with_a_quality_the_file_of_x2_sets_the_size(irn, photograph):
    quality = ("--quality", 8, "--effort", 2)
    record, out = compressed(irn, photograph, "auto", *quality)
    fine, _ = compressed(irn, photograph, 2, *quality)
    assert record["scale"] == 4
    assert record["report"]["psnr"] > fine["report"]["psnr"]
    assert record["bytes_out"] <= 1.1 * fine["bytes_out"]
    assert restored_psnr(irn, photograph, out) == pytest.approx(record["report"]["psnr"], abs=0.006)


def test_an_image_with_alpha_keeps_the_size_of_x2(irn, photograph):
    clear, out = photograph.with_name("clear.png"), photograph.with_name("clear.webp")
    with Image.open(photograph) as image:
        image.putalpha(200)
        image.save(clear)
    wanted = ("--scale", "auto", "--target-bpp", 1.5, "--always-irn", "--json", "-o", out)
    result = irn("compress", clear, *wanted)
    assert result.status == 0, result.err
    assert json.loads(result.out)["scale"] == 2


def test_progress_and_the_python_interface(photograph, monkeypatch):
    done = []
    monkeypatch.setattr(convert, "no_tick", done.append)
    made = irncli.compress(
        photograph,
        photograph.with_name("made.jpg"),
        scale="auto",
        target_bpp=1,
        auto=False,
        effort=2,
    )
    assert made.scale in (2, 4)
    assert sum(done) == pytest.approx(1)
    with pytest.raises(irncli.UsageError, match="--scale best: expected a number"):
        irncli.compress(photograph, photograph.with_name("other.jpg"), scale="best")


def test_a_dry_run_says_that_it_may_become_smaller(irn, photograph):
    said = irn("compress", photograph, "--scale", "auto", "--dry-run").lines[0]
    assert "128x96 to 64x48 by irn-jpeg-x2, or smaller, " in said


def test_where_only_the_larger_scale_is_small_enough_it_is_taken(irn, photograph):
    refused = irn("compress", photograph, "--always-irn", "--target-size", "10B")
    least = int(re.search(r"smallest file is (\d+) bytes", refused.err)[1])
    record, out = compressed(irn, photograph, "auto", "--target-size", f"{least - 1}B")
    assert record["scale"] == 4
    assert out.stat().st_size < least
    refused = irn("compress", photograph, "--scale", "auto", "--always-irn", "--target-size", "10B")
    assert refused.status == 2
    assert int(re.search(r"smallest file is (\d+) bytes", refused.err)[1]) < least


def test_a_psnr_is_reached_by_the_smaller_file(irn, photograph):
    wanted = ("--min-psnr", 24)
    record, _ = compressed(irn, photograph, "auto", *wanted)
    sizes = []
    for scale in (2, 4):
        same = irn(
            "compress", photograph, "--scale", scale, "--always-irn", *wanted, "--json",
            "-o", photograph.with_name(f"{scale}.jpg"), "--overwrite",
        )  # fmt: skip
        if same.status == 0:
            sizes.append(json.loads(same.out)["bytes_out"])
    assert record["bytes_out"] == min(sizes)
    assert record["report"]["psnr"] >= 24


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--model", "irn-jpeg-x2"], "--model with --scale auto"),
        (["--codec", "png"], "--scale auto with PNG"),
        (["-o", "{stem}_x{scale}{ext}"], "{scale} is not known"),
        (["-o", "{model}{ext}"], "{model} is not known"),
    ],
)
def test_what_does_not_go_with_it_is_refused(irn, photograph, arguments, part):
    result = irn("compress", photograph, "--scale", "auto", *arguments)
    assert result.status == 2
    (line,) = result.lines
    assert part in line
