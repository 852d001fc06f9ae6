"""irn compare on the command line."""

import io
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from irncli.engine.metrics import psnr
from irncli.engine.rescaler import bicubic
from irncli.io.encoding import encode
from irncli.io.picture import Picture
from tests.support.pictures import values
from tests.support.refusals import refused


@pytest.fixture
def other(picture):
    """The image with a square changed."""
    pixels = values(picture)
    pixels[20:30, 30:40] = 255 - pixels[20:30, 30:40]
    path = picture.with_name("other.png")
    Image.fromarray(pixels).save(path)
    return path


def test_numbers(irn, picture, other):
    outcome = irn("compare", picture, other)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.decode().splitlines()
    assert lines[:2] == [
        "A           photo.png, 61x47, 8 bits",
        "B           other.png, 61x47, 8 bits",
    ]
    expected = psnr(values(picture), values(other))
    assert lines[2].startswith(f"PSNR        RGB {expected:.2f} dB, Y ")
    assert lines[3].startswith("SSIM        RGB 0.")
    assert "% of the values equal" in lines[4]


def test_a_picture_and_its_lr(irn, picture, small):
    outcome = irn("compare", picture, small, "--json")
    (record,) = map(json.loads, outcome.out.splitlines())
    assert record["a_size"] == [61, 47]
    assert record["b_size"] == [16, 12]
    assert record["scale"] == 4
    assert "enlarged x4 bicubically" in record["warnings"][0]
    assert "enlarged x4 bicubically" in outcome.err
    enlarged = bicubic(values(small), 48, 64)[:47, :61]
    assert math.isclose(record["psnr_rgb"], psnr(values(picture), enlarged), abs_tol=1e-4)


def test_the_record(irn, picture, other, tmp_path):
    out = tmp_path / "x.png"
    (record,) = map(
        json.loads, irn("compare", picture, other, "--json", "-o", out).out.splitlines()
    )
    assert list(record) == [
        "a", "b", "output", "status", "error", "a_size", "b_size", "bits", "scale", "identical",
        "psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y", "mean_difference", "largest_difference",
        "equal_share", "alpha", "warnings",
    ]  # fmt: skip
    assert record["output"] == str(out)
    assert record["identical"] is False
    assert math.isclose(record["psnr_rgb"], psnr(values(picture), values(other)), abs_tol=1e-4)
    assert record["equal_share"] == pytest.approx(1 - 100 / (61 * 47), abs=0.002)
    outcome = irn("compare", picture, "none.png", "--json")
    (failed,) = map(json.loads, outcome.out.splitlines())
    assert list(failed) == list(record)
    assert (failed["status"], failed["psnr_rgb"]) == (66, None)
    assert "no such file" in failed["error"]
    assert outcome.status == 66


def test_identical(irn, picture):
    outcome = irn("compare", picture, picture)
    assert b"identical   every value is the same" in outcome.out
    (record,) = map(json.loads, irn("compare", picture, picture, "--json").out.splitlines())
    assert record["identical"] is True


def test_16_bits_are_compared_at_16(irn, picture, tmp_path):
    deep = values(picture).astype(np.uint16) * 257
    deep[3, 3, 1] += 1
    path = tmp_path / "deep.png"
    path.write_bytes(encode(Picture(deep), image_format="png"))
    (record,) = map(json.loads, irn("compare", picture, path, "--json").out.splitlines())
    assert (record["bits"], record["largest_difference"], record["identical"]) == (16, 1, False)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".html", b"<!doctype html>")])
def test_outputs(irn, picture, other, tmp_path, suffix, start):
    out = tmp_path / f"x{suffix}"
    outcome = irn("compare", picture, other, "-o", out)
    assert outcome.status == 0
    assert b"PSNR" in outcome.out
    data = out.read_bytes()
    assert data.startswith(start)
    refused(irn("compare", picture, other, "-o", out), 73, "--overwrite")
    refused(irn("compare", "none.png", "none.png", "-o", out), 73)  # before anything is read
    assert out.read_bytes() == data
    outcome = irn("compare", picture, other, "-o", out, "--overwrite", "-q", "--crops", 0)
    assert (outcome.status, outcome.out, outcome.err) == (0, b"", "")
    assert len(out.read_bytes()) < len(data)
    assert sorted(os.listdir(tmp_path)) == sorted(["other.png", "photo.png", out.name])


def test_amplify(irn, picture, other, tmp_path):
    out = tmp_path / "x.html"
    assert irn("compare", picture, other, "-o", out, "--amplify", 7).status == 0
    assert "Difference &times;7<" in out.read_text()


def test_streams(spawn, picture, other):
    outcome = spawn("compare", "-", other, "-o", "-", stdin=picture.read_bytes())
    assert outcome.status == 0
    assert Image.open(io.BytesIO(outcome.out)).width > 1000
    assert "A           standard input, 61x47" in outcome.err
    page = spawn("compare", picture, "-", "-o", "-", "--format", "html", "-q",
                 stdin=other.read_bytes())  # fmt: skip
    assert page.out.startswith(b"<!doctype html>")
    assert page.err == ""


def test_sizes_that_differ(irn, picture, tmp_path):
    path = tmp_path / "cropped.png"
    Image.fromarray(values(picture)[1:]).save(path)
    refused(irn("compare", picture, path), 65, "A is 61x47, B is 61x46", "crop or resize")


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["none.png"], 66, "none.png: no such file"),
        (["text.png"], 65, "text.png: not an image"),
        (["other.png", "--max-pixels", "100"], 65, "photo.png: 61x47 is 2867 pixels"),
        (["other.png", "-o", "x.jpg"], 2, "x.jpg: irn compare writes .png and .html, not .jpg"),
        (["other.png", "-o", "x.png", "--format", "html"], 2, "--format says html"),
        (["other.png", "--format", "html"], 2, "give -o FILE"),
        (["other.png", "-o", "other.png", "--overwrite"], 2, "is an input"),
        (["other.png", "-o", "photo.png", "--overwrite"], 2, "is an input"),
        (["other.png", "-o", "-", "--json"], 2, "standard output"),
        (["other.png", "-o", "none/x.png"], 73, "cannot create none/x.png"),
    ],
    ids=str,
)
def test_what_is_refused(irn, picture, other, tmp_path, monkeypatch, arguments, status, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("hello")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    refused(irn("compare", "photo.png", *arguments), status, part)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_one_stream_is_one_picture(irn):
    refused(irn("compare", "-", "-"), 2, "standard input holds one image")


def test_names_cannot_speak_to_a_terminal(irn, picture, tmp_path):
    path = tmp_path / "a\x1b[31m\n\udcff.png"
    path.write_bytes(picture.read_bytes())
    page = tmp_path / "x.html"
    outcome = irn("compare", path, picture, "-o", page)
    assert outcome.status == 0
    assert "A           a\ufffd[31m\ufffd\ufffd.png, 61x47" in outcome.out.decode()
    assert "\x1b" not in page.read_text(encoding="utf-8")


MEMORY = """
import sys
import irncli.cli.commands.compare
import irncli.comparison.sheet, irncli.comparison.page, irncli.comparison.numbers
from irncli.cli.app import run

def most():
    # What getrusage says holds from before exec, when this was a copy of its parent.
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])

before = most()
status = run(sys.argv[1:])
print(most() - before)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
@pytest.mark.parametrize("suffix", ["png", "html"])
def test_memory_is_that_of_the_pictures_and_little_more(tmp_path, suffix):
    width, height = 4000, 3000
    pixels = np.zeros((height, width, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png", compress_level=1)
    pixels[100:200, 300:400] = 9
    Image.fromarray(pixels).save(tmp_path / "b.png", compress_level=1)
    arguments = ["compare", "a.png", "b.png", "-o", f"x.{suffix}", "-q"]
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, *arguments],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert 0 < int(result.stdout) < 45 * width * height
