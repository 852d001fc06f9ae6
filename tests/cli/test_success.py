"""Success is told: a line for each file that was written, and a total for several."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from irncli.batch.console import Record
from irncli.batch.summaries import CompressionSummary, DrawnSeed, Summary
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken


@pytest.fixture
def folder(irn, tmp_path, monkeypatch, photo):
    """Two images and tiny models, which are installed, where commands are run."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Image.fromarray(photo[190:237, 150:211]).save(f"{name}.png")
    for name, kind in (("tiny", "irn-x4"), ("tint", "color")):
        (tmp_path / f"{name}.safetensors").write_bytes(
            serialise(shaken(SMALL[kind]), Card(name=name))
        )
        assert irn("models", "import", f"{name}.safetensors").status == 0
    return tmp_path


def size_of(path):
    return f"{path.stat().st_size:,}"


RUNS = {
    "downscale": ("a.png", "a_xtiny.png", "61x47 to 16x12 by tiny"),
    "decolor": ("a.png", "a_gray.png", "61x47 by tint"),
    "upscale": ("small.png", "small_restored.png", "16x12 to 61x47 by tiny"),
    "colorize": ("gray.png", "gray_color.png", "61x47 by tint"),
}


@pytest.fixture
def words(irn, folder, request):
    """The words of a command that converts one file."""
    command = request.param
    model = "tint.safetensors" if "color" in command else "tiny.safetensors"
    how = ("--guard", "off", "--model", model)
    if command == "upscale":
        irn("downscale", "a.png", *how, "-o", "small.png")
    if command == "colorize":
        irn("decolor", "a.png", *how, "-o", "gray.png")
    seed = ("--seed", 0) if command in ("upscale", "colorize") else ("--guard", "off")
    return command, RUNS[command][0], "--model", model, *seed


@pytest.mark.parametrize("words", RUNS, indirect=True)
def test_each_command_says_what_it_wrote(irn, folder, words):
    name, made, what = RUNS[words[0]]
    result = irn(*words)
    assert result.err == f"{name} -> {made}: {what}, {size_of(folder / made)} bytes\n"
    for more in (["--quiet"], ["--json"], ["-o", "-"]):
        again = irn(*words, "--overwrite", *more)
        assert (again.status, again.err) == (0, "")
    assert irn(*words, "--overwrite", "-v", "--json").err.endswith(" s\n")


def test_several_files_have_a_total(irn, folder):
    words = ("downscale", "a.png", "b.png", "--model", "tiny.safetensors", "--guard", "off")
    result = irn(*words)
    after = sum((folder / f"{n}_xtiny.png").stat().st_size for n in "ab")
    before = sum((folder / f"{n}.png").stat().st_size for n in "ab")
    assert len(result.done) == 2
    assert result.lines == [f"2 images: {before:,} to {after:,} bytes"]
    assert irn(*words, "--overwrite", "--json").err == ""
    assert irn(*words, "--overwrite", "-q").err == ""
    (folder / "b_xtiny.png").unlink()
    again = irn(*words, "--skip-existing")
    assert len(again.done) == 1
    assert again.lines == ["irn: already done: 1 of 2"]
    assert "b.png -> b_xtiny.png: already done" in irn(*words, "--skip-existing", "-v").lines


def test_compression_says_what_it_gained_on_the_same_line(irn, folder):
    words = ("compress", "a.png", "--model", "tiny.safetensors", "--scale", 4, "--always-irn")
    result = irn(*words, "-o", "c.jpg")
    assert result.err.startswith("a.png -> c.jpg: 61x47 to 16x12 by tiny, ")
    assert f" to {size_of(folder / 'c.jpg')} bytes, " in result.lines[0]
    assert " bits per pixel, " in result.lines[0]
    for more in (["--json", "-o", "d.jpg"], ["-o", "-"], ["-q", "-o", "e.jpg"]):
        assert not any(" -> " in line for line in irn(*words, *more).lines)


def test_failures_are_told_as_before(irn, folder):
    (folder / "b.png").write_text("no image")
    how = ("--model", "tiny.safetensors", "--guard", "off")
    result = irn("downscale", "a.png", "b.png", *how)
    assert result.status == 1
    assert len(result.done) == 1
    assert [line.split(":")[1] for line in result.lines] == [" b.png", " 1 of 2 failed"]


def test_messages_that_cannot_be_printed_do_not_stop_the_work(spawn, folder):
    result = spawn("downscale", "a.png", "--model", "tiny.safetensors", "-o", "x.png", cwd=folder,
                   before=_full)  # fmt: skip
    assert result.status == 0
    assert (folder / "x.png").exists()


def _full():
    os.dup2(os.open("/dev/full", os.O_WRONLY), 2)


def test_what_stays_as_it_is_is_said():
    record = Record("a.jpg", output="b.jpg", hr_size=(8, 6), lr_size=(8, 6), bytes_out=12)
    assert DrawnSeed(1).line(record) == "a.jpg -> b.jpg: 8x6, unchanged, 12 bytes"
    assert CompressionSummary().line(record).startswith("a.jpg -> b.jpg: 8x6 as a plain JPEG, ")


@pytest.mark.parametrize(
    ("codec", "more", "said"),
    [
        ("jpeg", {"plain_jpeg": {"psnr": 30}}, "; plain JPEG: 30.00 dB"),
        ("jxl", {"plain": {"psnr": 30}}, "; plain JPEG XL: 30.00 dB"),
        ("png", {"plain_jpeg": None}, "; no comparable plain JPEG"),
        ("plain avif", {"plain": {"psnr": 30}, "irn": None}, "; irn cannot meet the target"),
    ],
)
def test_a_compressed_file_is_compared_with_plain_ones_by_the_names_of_their_formats(
    codec, more, said
):
    sizes = {"bytes_before": 9, "bytes_after": 4, "bits_per_pixel": 1.0}
    report = {"codec": codec, **sizes, "psnr": 29.0, "ssim": 0.9, **more}
    record = Record("a.png", output="b", hr_size=(8, 6), lr_size=(4, 3), report=report)
    line = CompressionSummary().line(record)
    assert line.endswith(f"29.00 dB, SSIM 0.9000{said}")
    assert ("as a plain AVIF" in line) == (codec == "plain avif")


def test_names_are_shown_on_one_line():
    record = Record("a\n.png", output="b\n.png", model="m", hr_size=(8, 6), bytes_out=1)
    assert Summary().line(record).startswith("a\\n.png -> b\\n.png: ")


def test_the_directory_of_outputs_is_named(irn, folder):
    shutil.copytree(folder, folder / "in", ignore=lambda *_: ["in", "tiny.safetensors"])
    how = ("--model", "tiny.safetensors", "--guard", "off", "--output-dir", "out")
    assert all(" -> out/" in line for line in irn("downscale", "in", *how).done)


@pytest.mark.parametrize("command", ["downscale", "decolor", "compress"])
def test_a_model_that_is_not_installed_is_told_once(irn, folder, command):
    network = shaken(SMALL["color" if command == "decolor" else "irn-x4"], seed=1)
    path = folder / "run" / "best.safetensors"
    path.parent.mkdir()
    path.write_bytes(serialise(network, Card(name="any")))
    off = ["--scale", 4, "--always-irn", "--no-report"]
    words = [command, "--model", path, *(off if command == "compress" else ["--guard", "off"])]
    result = irn(*words, "a.png", "b.png", "--output-dir", "out")
    said = [line for line in result.err.splitlines() if "not installed" in line]
    (one,) = said
    assert one.startswith("irn: warning: the model run-best (weights ")
    assert one.endswith(
        " is not installed: restoring these images needs best.safetensors, for --model or "
        "'irn models import'"
    )
    # The file may have moved since: its weights count.
    moved = folder / "elsewhere.safetensors"
    path.rename(moved)
    small = sorted(Path("out").iterdir())[0]
    restore = "colorize" if command == "decolor" else "upscale"
    refused = irn(restore, small, "-o", "no.png")
    assert refused.status == 69
    assert "pass --model FILE" in refused.err
    back = irn(restore, small, "--model", moved, "--strict", "--seed", 0, "-o", "back.png")
    assert (back.status, back.lines) == (0, [])
    assert "warning" not in back.err
    assert irn("models", "import", moved, "--name", "any-name").status == 0
    assert irn(restore, small, "--seed", 0, "-o", "again.png").status == 0
    assert Path("again.png").read_bytes() == Path("back.png").read_bytes()
    assert "warning" not in irn(*words[:2], moved, *words[3:], "a.png", "-o", "n.jpg").err
    assert "warning" not in irn(*words[:2], moved, *words[3:], "a.png", "-o", "m.jpg", "-q").err
