"""`irn compress --scale auto`: the scale that meets the target best."""

import json
import re

import pytest
from PIL import Image

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


@pytest.mark.parametrize(
    "arguments",
    [["--target-bpp", 1], ["--target-bpp", 3], ["--quality", 20, "--effort", 2]],
    ids=["few bits", "many bits", "a quality, with a round"],
)
def test_it_writes_what_the_better_scale_would(irn, photograph, arguments):
    record, out = compressed(irn, photograph, "auto", *arguments)
    scale = record["scale"]
    assert scale in (2, 4)
    assert record["model"] == MODELS[scale]
    assert record["lr_size"] == [128 // scale, 96 // scale]
    tag = extract(ImageFile(out.read_bytes()).header.xmp)
    assert (tag.scale, tag.model) == (scale, record["model"])
    if "--quality" not in arguments:
        same, twin = compressed(irn, photograph, scale, *arguments)
        assert out.read_bytes() == twin.read_bytes()
        other, _ = compressed(irn, photograph, 6 - scale, *arguments)
        assert same["report"]["psnr"] >= other["report"]["psnr"]
    back = photograph.with_name("back.png")
    assert irn("upscale", out, "--strict", "--temperature", 0, "-o", back).lines == []
    restored = psnr(decode(photograph.read_bytes()).pixels, decode(back.read_bytes()).pixels)
    assert restored == pytest.approx(record["report"]["psnr"], abs=0.006)


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
            "-o", f"{scale}.jpg", "--overwrite",
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
