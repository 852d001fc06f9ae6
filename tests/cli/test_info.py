"""irn info: what a file is, what its tag says, and whether it can be restored here."""

import json
import subprocess
import sys

import pytest
import torch
from PIL import Image, PngImagePlugin

from irncli.cli.commands.info import _text
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken


@pytest.fixture
def foreign(irn, picture, tmp_path):
    """A small image made by a model of the user, and the file of the model."""
    model = tmp_path / "mine.safetensors"
    model.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="x")))
    assert irn("models", "import", model).status == 0
    low = tmp_path / "low.png"
    assert irn("downscale", picture, "--model", "mine", "-o", low).status == 0
    return low, tmp_path / "xdg" / "irn" / "models" / "mine.safetensors"


def record_of(irn, path):
    (line,) = irn("info", path, "--json").out.splitlines()
    return json.loads(line)


def test_what_is_here(irn, small):
    record = record_of(irn, small)
    assert record["restoring"] == {
        "megapixels": 0.003, "model": "here", "restorer": None, "possible": True
    }  # fmt: skip
    assert record["file"] == {
        "format": "png", "size": [16, 12], "mode": "RGB", "bits": 8,
        "bytes": small.stat().st_size, "carries": ["XMP"],
    }  # fmt: skip
    shown = irn("info", small).out.decode()
    assert "possible here: 0.003 megapixels, model here" in shown
    assert f"PNG of 16x12, RGB, 8 bits, with XMP, {small.stat().st_size} bytes" in shown
    assert "unchanged       yes" in shown
    assert shown.startswith(f"input           {small}\n")
    assert max(len(line) for line in shown.splitlines()[1:]) <= 80
    copy = small.with_name("copy.png")
    copy.write_bytes(small.read_bytes())
    both = irn("info", small, copy).out.decode()
    assert both == f"{shown}\n{shown.replace(str(small), str(copy))}"


def test_a_model_that_is_gone_or_another(irn, foreign):
    low, model = foreign
    assert record_of(irn, low)["restoring"]["model"] == "here"
    other = shaken(SMALL["irn-x4"])
    with torch.no_grad():
        next(other.parameters()).add_(1)
    model.write_bytes(serialise(other, Card(name="x")))
    assert record_of(irn, low)["restoring"]["model"] == "other weights"
    model.write_bytes(b"damaged")
    assert record_of(irn, low)["restoring"]["model"] == "other weights"
    model.unlink()
    restoring = record_of(irn, low)["restoring"]
    assert (restoring["model"], restoring["possible"]) == ("missing", False)
    assert "not possible here" in irn("info", low).out.decode()
    assert irn("upscale", low, "--seed", 0).status == 69


def test_changed_pixels(irn, small):
    image = Image.open(small)
    xmp = image.info["XML:com.adobe.xmp"]
    image.putpixel((0, 0), (1, 2, 3))
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp)
    image.save(small, pnginfo=text)
    assert record_of(irn, small)["unchanged"] is False
    assert "unchanged       no" in irn("info", small).out.decode()


def test_a_file_without_a_tag_is_described(irn, tmp_path, photo):
    path = tmp_path / "p.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(photo[:20, :30]).convert("L").save(path, exif=exif, dpi=(72, 72))
    outcome = irn("info", path)
    assert (outcome.status, outcome.out) == (65, b"")
    (line,) = outcome.lines
    assert "no irn tag in this JPEG of 30x20, L, 8 bits, with EXIF, DPI:" in line
    outcome = irn("info", path, "--json")
    assert outcome.status == 65
    record = json.loads(outcome.out)
    assert set(record) == {"input", "file"}
    assert record["file"]["carries"] == ["EXIF", "DPI"]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.avif", "a.tif"])
def test_frames_of_a_file_without_a_tag(irn, tmp_path, photo, name):
    first, *others = (Image.fromarray(photo[each : each + 20, :30]) for each in (0, 30, 60))
    several, one = tmp_path / name, tmp_path / f"one_{name}"
    first.save(several, save_all=True, append_images=others)
    first.save(one)
    assert " bits, 3 frames" in irn("info", several).lines[0]
    assert json.loads(irn("info", several, "--json").out)["file"]["frames"] == 3
    assert " frames" not in irn("info", one).err
    assert "frames" not in json.loads(irn("info", one, "--json").out)["file"]


@pytest.mark.parametrize(("mode", "bits"), [("I;16", 16), ("LA", 8), ("P", 8)])
def test_kinds_of_pixels(irn, tmp_path, mode, bits):
    Image.new(mode, (3, 4)).save(tmp_path / "k.png")
    file = json.loads(irn("info", tmp_path / "k.png", "--json").out)["file"]
    assert (file["mode"], file["bits"], file["size"]) == (mode, bits, [3, 4])
    assert ("transparency" in file["carries"]) == (mode == "LA")


def test_plain_pictures_need_no_model(irn, tmp_path, photo):
    path = tmp_path / "flat.png"
    Image.new("RGB", (64, 64), (10, 20, 30)).save(path)
    out = tmp_path / "flat.jpg"
    assert irn("compress", path, "--auto", "--quality", 90, "-o", out).status == 0
    record = record_of(irn, out)
    assert record["task"] == "plain"
    assert record["restoring"]["model"] is None
    assert record["restoring"]["possible"] is True


def test_it_needs_no_torch(small, tmp_path):
    fake = tmp_path / "fake" / "torch"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise ImportError('no torch')\n")
    code = f"import sys; sys.path.insert(0, {str(fake.parent)!r}); from irncli.cli.app import run; "
    code += f"sys.exit(run(['info', {str(small)!r}]))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "model here" in result.stdout


def test_a_plain_file_has_no_placeholders(irn, tmp_path):
    path, out = tmp_path / "flat.png", tmp_path / "flat.jpg"
    Image.new("RGB", (64, 64), (10, 20, 30)).save(path)
    assert irn("compress", path, "--auto", "--quality", 90, "-o", out).status == 0
    shown = irn("info", out).out.decode()
    assert "task            plain" in shown
    assert "0000" not in shown
    assert "model" not in shown


def test_one_megapixel_is_singular():
    needed = {"possible": True, "model": None, "restorer": None}
    assert _text("restoring", {**needed, "megapixels": 1.0}).endswith(" 1 megapixel")
    assert _text("restoring", {**needed, "megapixels": 0.5}).endswith(" 0.5 megapixels")
