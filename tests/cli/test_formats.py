"""Every format, type of pixels and size through every command: what was promised comes back."""

import os
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irncli.engine.metrics import psnr
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.pixels import to_bits
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.places import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import formats
from formats import PAGE, colours, page, samples

sys.path.pop(0)


PREFIX = b"Exif\0\0"


def read(path):
    return decode(path.read_bytes(), deep=True)


samples_of = cache(lambda *size: list(samples(*size)))


SHIPPED = {"downscale": ["--scale", 2], "decolor": [], "compress": ["--no-report"]}
QUICK = {
    "downscale": ["--scale", 4, "--model", "small", "--guard", "off"],
    "decolor": ["--model", "small-color", "--guard", "off"],
    "compress": ["--scale", 4, "--model", "small", "--no-report"],
}


@pytest.fixture
def quick(irn, tmp_path):
    """Networks that take no time, by the names that `QUICK` has for them."""
    for name, network in (("small", "irn-e-x4"), ("small-color", "color-cells")):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(serialise(shaken(SMALL[network]), Card(name=name)))
        assert irn("models", "import", path).status == 0


def check_there_and_back(irn, folder, pair, kinds, options):
    """Kinds of files through two commands into PNG: all that is promised is there again."""
    (there, back), to_jpeg = pair.split(), pair.startswith("compress") and "png" not in options
    label = {"decolor": "gray_color", "compress": "irn_restored"}.get(there)
    label = label or f"x{options[1]}_restored"
    source, low, large = folder / "in", folder / "low", folder / "large"
    source.mkdir(parents=True)
    for sample in kinds:
        (source / sample.name).write_bytes(sample.data)
    # Named, since of a directory less usual formats are left out.
    files = sorted(source.iterdir())
    assert irn(there, *files, *options, "--output-dir", low, "-q").status == 0
    assert irn(back, low, "--temperature", 0, "--output-dir", large, "-q").status == 0
    assert len(list(large.iterdir())) == len(kinds)
    for sample in kinds:
        before = decode(sample.data, deep=True)
        after = read(large / f"{Path(sample.name).stem}_{label}.png")
        check_promises(before, after, 8 if there == "compress" else before.bits, to_jpeg)


def check_promises(before, after, bits, to_jpeg):
    assert after.size == before.size
    assert after.bits == bits
    assert after.gray == before.gray
    assert (after.alpha is not None) == (before.alpha is not None and not to_jpeg)
    was, found = before.metadata, after.metadata
    assert found.icc == was.icc
    assert (found.exif or b"").removeprefix(PREFIX) == (was.exif or b"").removeprefix(PREFIX)
    assert found.dpi == (None if was.dpi is None else pytest.approx(was.dpi, abs=0.1))
    assert (found.xmp is not None) == (was.xmp is not None)
    assert was.xmp is None or (b"a friend" in found.xmp and b"irn" not in found.xmp)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (17, 23), (220, 147)])
@pytest.mark.parametrize("pair", ["downscale upscale", "decolor colorize", "compress upscale"])
def test_every_kind_of_file_there_and_back(irn, tmp_path, request, pair, size):
    command, networks = pair.split()[0], SHIPPED
    if max(size) > 100:
        networks = QUICK
        request.getfixturevalue("quick")
    kinds, options = samples_of(*size), networks[command]
    if command == "compress":  # into JPEG, which refuses what shines through
        opaque = [sample for sample in kinds if decode(sample.data).opaque]
        check_there_and_back(irn, tmp_path / "opaque", pair, opaque, options)
        kinds = [sample for sample in kinds if sample not in opaque]
        options = [*options, "--codec", "png"]
    check_there_and_back(irn, tmp_path / "all", pair, kinds, options)


def test_the_page_of_formats_is_current(quick_irn, monkeypatch):
    """Its table is found again; what is installed decides what can be read."""
    monkeypatch.setattr(formats, "IRN", (quick_irn,))
    table = [line for line in page().splitlines() if line.startswith("| ")]
    assert table == [
        line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
    ]


@pytest.mark.slow
def test_a_larger_file_comes_back_well(irn, tmp_path):
    (sample,) = (each for each in samples_of(220, 147) if each.name == "png-RGBA_16.png")
    source, low, back = tmp_path / sample.name, tmp_path / "low.png", tmp_path / "back.png"
    source.write_bytes(sample.data)
    assert irn("downscale", source, "--scale", 4, "-o", low).status == 0
    assert irn("upscale", low, "--seed", 0, "-o", back).status == 0
    before, after = decode(sample.data, deep=True), read(back)
    assert (after.size, after.bits, after.gray) == (before.size, before.bits, before.gray)
    assert psnr(to_bits(after.pixels, 8), to_bits(before.pixels, 8)) > 40


@pytest.fixture
def deep(tmp_path):
    """A smooth image of 16 bits, between the levels of 8."""
    values = colours(64, 48).astype(np.uint16) * 257
    noise = np.random.default_rng(0).integers(-128, 129, values.shape)
    values = (values + noise).clip(0, 65535).astype(np.uint16)
    path = tmp_path / "deep.png"
    path.write_bytes(encode(Picture(values), image_format="png"))
    return path, values


@pytest.mark.parametrize("command", [["downscale", "--scale", 2], ["decolor"]])
def test_the_small_picture_has_the_bits_asked_for(irn, tmp_path, deep, command):
    path, values = deep
    back_by = "upscale" if command[0] == "downscale" else "colorize"
    error = {}
    for bits in (8, 16):
        low, back = tmp_path / f"low{bits}.png", tmp_path / f"back{bits}.png"
        assert irn(*command, path, "--bits", bits, "-o", low).status == 0
        assert read(low).bits == bits
        assert irn(back_by, low, "--temperature", 0, "-o", back).status == 0
        restored = read(back)
        assert restored.bits == 16
        error[bits] = np.square(restored.pixels.astype(float) - values).mean() ** 0.5 / 257
    assert error[16] <= error[8] + 0.01
    assert error[8] < 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bits", "16", "--format", "jpeg"], "--bits 16"),
        (["--bits", "16", "-o", "x.jpg"], "--bits 16"),
        (["--bits", "16", "--refine", "2"], "--refine"),
    ],
)
def test_sixteen_bits_where_they_cannot_be(irn, picture, words, said):
    result = irn("downscale", picture, "--scale", 2, *words)
    assert result.status == 2
    assert said in result.lines[-1]


def test_what_a_jpeg_cannot_hold_is_said(irn, tmp_path, deep):
    path, _ = deep
    low, back = tmp_path / "low.png", tmp_path / "back.jpg"
    assert irn("downscale", path, "--scale", 2, "-o", low).status == 0
    result = irn("upscale", low, "--seed", 0, "-o", back)
    assert result.status == 0
    assert "16 bits per channel were reduced to 8" in result.err
    assert read(back).bits == 8


@pytest.mark.parametrize(("suffix", "as_small"), [("webp", 0), ("avif", 2)])
def test_restored_pictures_take_formats_that_small_ones_do_not(
    irn, picture, tmp_path, suffix, as_small
):
    low, back = tmp_path / "low.png", tmp_path / f"back.{suffix}"
    assert irn("downscale", picture, "--scale", 2, "-o", low).status == 0
    assert irn("upscale", low, "--seed", 0, "-o", back).status == 0
    with Image.open(back) as image:
        assert (image.format, image.size) == (suffix.upper(), (61, 47))
    assert psnr(read(back).pixels, decode(picture.read_bytes()).pixels) > 25
    result = irn("downscale", picture, "--scale", 2, "-o", tmp_path / f"low.{suffix}")
    assert result.status == as_small
    assert irn("upscale", low, "--seed", 0, "--format", suffix).status == 0
    assert (tmp_path / f"low_restored.{suffix}").exists()


def test_stripped_files_still_come_back(irn, tmp_path):
    (sample,) = (sample for sample in samples(17, 23) if sample.name == "png-RGB.png")
    source, low, back = tmp_path / "a.png", tmp_path / "low.png", tmp_path / "back.png"
    source.write_bytes(sample.data)
    assert irn("downscale", source, "--scale", 2, "--strip", "-o", low).status == 0
    small = read(low).metadata
    assert (small.icc is not None, small.dpi, b"a friend" in small.xmp) == (True, None, False)
    assert irn("upscale", low, "--seed", 0, "--strip", "-o", back).status == 0
    restored = read(back)
    assert restored.size == (17, 23)
    assert restored.metadata.xmp is None
    exif = Image.Exif()
    exif.load(restored.metadata.exif)
    assert dict(exif) == {0x0112: 6}


def test_times_are_those_of_the_input(irn, picture, tmp_path):
    low, plain = tmp_path / "low.png", tmp_path / "plain.png"
    os.utime(picture, ns=(10**18, 12 * 10**17))
    irn("downscale", picture, "--scale", 2, "--preserve-times", "-o", low)
    irn("downscale", picture, "--scale", 2, "-o", plain)
    assert low.stat().st_mtime_ns == 12 * 10**17
    assert plain.stat().st_mtime_ns > 12 * 10**17


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
def test_no_halo_after_there_and_back(irn, tmp_path, background):
    """An orange disc on transparent magenta: no magenta over any background."""
    y, x = np.mgrid[:64, :64] - 31.5
    alpha = np.where(y**2 + x**2 < 24**2, 255, 0).astype(np.uint8)
    pixels = np.where(alpha[:, :, None] > 0, (255, 128, 0), (255, 0, 255)).astype(np.uint8)
    source, low, back = tmp_path / "a.png", tmp_path / "low.png", tmp_path / "back.png"
    source.write_bytes(encode(Picture(pixels, alpha), image_format="png"))
    assert irn("downscale", source, "--scale", 2, "-o", low).status == 0
    assert irn("upscale", low, "--temperature", 0, "-o", back).status == 0
    for path in (low, back):
        found = read(path)
        share = found.alpha[:, :, None] / 255
        over = found.pixels * share + np.array(background) * (1 - share)
        ideal = np.array((255, 128, 0)) * share + np.array(background) * (1 - share)
        assert np.abs(over - ideal).max() <= 8
