"""Bad input gets one clear line and the right exit status, and loses nothing."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

from irncli.io.encoding import encode
from irncli.io.picture import Picture
from tests.support.commands import COMMANDS
from tests.support.pictures import size
from tests.support.places import ROOT
from tests.support.privileges import without_privileges
from tests.support.refusals import refused


def test_no_such_input(irn, tmp_path):
    refused(irn("downscale", tmp_path / "none.png", "--scale", 2), 66, "none.png", "no such file")
    refused(irn("upscale", tmp_path / "none.png", "--seed", 0), 66)
    refused(irn("info", tmp_path / "none.png"), 66)


@pytest.mark.parametrize("kind", ["empty", "text", "png", "jpeg"])
def test_no_image_or_a_damaged_one(irn, tmp_path, kind, noise):
    path = tmp_path / "bad.png"
    image = Image.fromarray(noise(30, 30))
    if kind in ("png", "jpeg"):
        image.save(path, kind)
        path.write_bytes(path.read_bytes()[:-300])
    else:
        path.write_bytes(b"" if kind == "empty" else b"hello")
    for command in (["downscale", "--scale", "2"], ["upscale", "--seed", "0"]):
        refused(irn(command[0], path, *command[1:]), 65, "bad.png")
    assert os.listdir(tmp_path) == ["bad.png"]


def test_an_empty_argument_is_not_this_directory(irn, picture, monkeypatch):
    monkeypatch.chdir(picture.parent)
    refused(irn("downscale", "", "--scale", 2), 2, "argument 2 is empty")
    refused(irn("downscale", picture, "--scale", 2, "--output-dir", ""), 2, "argument 6 is empty")
    assert os.listdir(picture.parent) == [picture.name]


def test_loops_of_links(irn, picture, tmp_path):
    for name, to in (("a.png", "b.png"), ("b.png", "a.png")):
        (tmp_path / name).symlink_to(tmp_path / to)
    refused(irn("downscale", tmp_path / "a.png", "--scale", 2, "-o", tmp_path / "c.png"), 74)
    for words in ([], ["--overwrite"]):
        refused(irn("downscale", picture, "--scale", 2, "-o", tmp_path / "a.png", *words), 73)
    assert (tmp_path / "a.png").is_symlink()


NUMBERS = {
    "compress": ["--target-bpp", "--min-psnr"],
    "upscale": ["--temperature"],
    "colorize": ["--temperature"],
    "eval": ["--temperature"],
    "train": ["--minutes"],
}
"""All options that take a number with a fraction."""
WRITTEN = {
    "downscale": ["--scale", "--percent"],
    "compress": ["--scale"],
    "upscale": ["--scale"],
    "eval": ["--scale"],
}
"""Options that take such a number as people write it, such as x4 or 50%."""
OTHERS = {"eval": ["--model", "irn-x4"], "train": ["--preset", "irn-x2", "--out", "run", "--data"]}


def test_the_table_has_all_options_that_take_a_number():
    found = {
        name.removeprefix("irn "): [
            each.opts[0]
            for each in command.get_params(context)
            if "float" in str(getattr(getattr(each, "type_descriptor", None), "annotation", ""))
        ]
        for name, command, context in COMMANDS
    }
    assert {name: options for name, options in found.items() if options} == NUMBERS


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (command, each)
        for table in (NUMBERS, WRITTEN)
        for command in table
        for each in table[command]
    ],
)
def test_a_number_without_a_meaning_is_refused(irn, picture, command, option, value):
    words = [command, *OTHERS.get(command, []), picture, option, value]
    refused(irn(*words), 2, option, value)
    assert os.listdir(picture.parent) == [picture.name]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["downscale", "--scale", 2], "--quality 80 with PNG"),
        (["downscale", "--scale", 2, "-o", "{stem}_{index}.png"], "--quality 80 with PNG"),
        (["upscale", "--scale", 2], "--quality 80 with PNG"),
        (["compress", "--codec", "png"], "--quality 80 with PNG"),
        (["compress", "-o", "x.png"], "--quality 80 with PNG"),
        (["compress", "--target-size", "9KB"], "--quality and --target-size exclude each other"),
        (["compress", "--min-psnr", 30], "--quality and --min-psnr exclude each other"),
    ],
    ids=str,
)
def test_a_quality_without_effect_is_refused(irn, picture, words, said):
    refused(irn(words[0], picture, *words[1:], "--quality", 80), 2, said)
    assert os.listdir(picture.parent) == [picture.name]


def test_an_empty_stream(spawn):
    refused(spawn("downscale", "-", "--scale", 2), 65, "0 bytes")


def test_a_directory_without_pictures(irn, tmp_path):
    refused(irn("downscale", tmp_path, "--scale", 2), 66, "no images")


@pytest.mark.parametrize("scale", ["1", "0.5", "-2", "nan", "inf", "65"])
def test_absurd_scales(irn, picture, scale):
    refused(irn("downscale", picture, "--scale", scale), 2, "--scale")
    refused(irn("upscale", picture, "--scale", scale, "--seed", 0), 2, "--scale")


def test_no_scale(irn, picture):
    refused(irn("downscale", picture), 2, "--scale 4")


def test_a_scale_without_a_model_lists_those_there_are(irn, picture):
    refused(irn("downscale", picture, "--scale", 8), 69, "irn-x2", "irn-x4", "x4")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--tile", "63"),
        ("--tile", "-1"),
        ("--tile", "x"),
        ("--device", "tpu"),
    ],
)
def test_absurd_options(irn, picture, arguments):
    refused(irn("downscale", picture, "--scale", 2, *arguments), 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("downscale", "--scale", "2", "--quality", "0"),
        ("downscale", "--scale", "2", "--quality", "101"),
        ("downscale", "--scale", "2", "--precision", "fp8"),
        ("downscale", "--scale", "2", "--max-pixels", "0"),
        ("compress", "--target-bpp", "two"),
        ("upscale", "--seed", "-1"),
        ("upscale", "--temperature", "-1"),
        ("upscale", "--temperature", "101"),
        ("upscale", "--format", "gif"),
        ("upscale", "--no-such-option"),
    ],
    ids=" ".join,
)
def test_values_that_no_option_takes(irn, picture, arguments):
    option = [word for word in arguments if word.startswith("--")][-1]
    refused(irn(arguments[0], picture, *arguments[1:]), 2, option, "--help")


def test_devices_and_models_that_are_not_here(irn, picture):
    refused(irn("downscale", picture, "--scale", 2, "--device", "cuda:99"), 69, "--device cpu")
    refused(irn("downscale", picture, "--scale", 2, "--model", "irn-x7"), 69, "irn-x4")


def test_more_pixels_than_allowed(irn, picture):
    arguments = ("--scale", 2, "--max-pixels", 100)
    refused(irn("downscale", picture, *arguments), 65, "61x47", "--max-pixels 100")


def test_an_existing_output_is_kept(irn, picture):
    out = picture.with_name("photo_x2.png")
    out.write_bytes(b"precious")
    refused(irn("downscale", picture, "--scale", 2), 73, "--overwrite")
    assert out.read_bytes() == b"precious"
    assert irn("downscale", picture, "--scale", 2, "--overwrite").status == 0
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_outputs_that_cannot_be(irn, picture, tmp_path):
    def down(*arguments):
        return irn("downscale", picture, "--scale", 2, *arguments)

    refused(down("-o", picture), 2, "is an input")
    refused(down("-o", picture / "a.png"), 73, "cannot create the directory")
    refused(down("-o", tmp_path / "a.gif"), 2, ".png, .jpg and .webp")
    refused(down("-o", tmp_path / "a.jpg", "--format", "png"), 2, "png was requested")
    refused(down("-o", tmp_path / "a.png", "--output-dir", tmp_path), 2, "exclude")
    refused(down("--output-dir", picture / "x"), 73, "directory")
    refused(down("--json", "-o", "-"), 2, "--json")
    assert sorted(os.listdir(tmp_path)) == ["photo.png"]


@pytest.fixture
def ordinary(spawn):
    """Run a command as a user who may not pass over permissions, even if root runs the tests."""
    return partial(spawn, before=without_privileges)


def test_a_directory_that_is_not_writable(ordinary, picture, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    out = ("-o", tmp_path / "locked" / "a.png")
    refused(ordinary("downscale", picture, "--scale", 2, *out), 73, "Permission")


@pytest.fixture
def closed(picture, tmp_path):
    """A directory with an image, and with a subdirectory that nobody may look into."""
    (tmp_path / "disk" / "lost+found").mkdir(parents=True)
    shutil.copy(picture, tmp_path / "disk" / "lost+found")
    shutil.move(picture, tmp_path / "disk")
    (tmp_path / "disk" / "lost+found").chmod(0)
    yield tmp_path / "disk"
    (tmp_path / "disk" / "lost+found").chmod(0o700)


def test_an_unreadable_subdirectory_is_named_and_the_rest_is_done(ordinary, closed, tmp_path):
    out = tmp_path / "out"
    found = ordinary("downscale", "-r", closed, "--scale", 4, "--guard", "off", "--output-dir", out)
    assert (found.status, found.out) == (1, b"")
    assert found.lines == [
        f"irn: {closed}/lost+found: cannot be read: Permission denied",
        "irn: 1 of 2 failed",
    ]
    assert os.listdir(out) == ["photo_x4.png"]


@pytest.mark.parametrize("name", ["lost+found", "lost+found/photo.png"])
def test_what_cannot_be_read_is_not_missing(ordinary, closed, name):
    refused(ordinary("info", closed / name), 74, f"{name}: cannot be read: Permission denied")


def test_several_inputs(irn, picture, tmp_path):
    other = tmp_path / "other" / "photo.png"
    other.parent.mkdir()
    other.write_bytes(picture.read_bytes())
    both = ("downscale", picture, other, "--scale", 2)
    refused(irn(*both, "-o", tmp_path / "a.png"), 2, "--output-dir")
    refused(irn(*both, "--output-dir", tmp_path / "out"), 2, "would both become")
    assert not list(tmp_path.glob("out/*"))


def test_one_bad_file_does_not_stop_a_batch(irn, picture, tmp_path):
    bad, last = tmp_path / "bad.png", tmp_path / "last.png"
    bad.write_bytes(b"no")
    last.write_bytes(picture.read_bytes())
    outcome = irn("downscale", picture, bad, last, "--scale", 2)
    assert outcome.status == 1
    assert outcome.lines[-1] == "irn: 1 of 3 failed"
    assert "bad.png" in outcome.lines[0]
    assert (tmp_path / "photo_x2.png").exists()
    assert (tmp_path / "last_x2.png").exists()
    assert not (tmp_path / "bad_x2.png").exists()


def test_no_tag(irn, picture):
    refused(irn("upscale", picture, "--seed", 0), 65, "--model or --scale")
    refused(irn("info", picture), 65, "no irn tag")
    refused(irn("upscale", picture, "--scale", 2, "--seed", 0, "--strict"), 65, "--strict")
    out = picture.with_name("up.png")
    outcome = irn("upscale", picture, "--scale", 2, "--seed", 0, "-o", out)
    assert outcome.status == 0
    assert "super-resolution" in outcome.err
    assert size(out) == (122, 94)
    outcome = irn("upscale", picture, "--model", "irn-x4", "--seed", 0)
    assert size(picture.with_name("photo_restored.png")) == (244, 188)


def replace_in_tag(path, old, new):
    """Rewrite the XMP chunk of a PNG."""
    from irncli.io.image_file import decode

    picture = decode(path.read_bytes())
    packet = picture.metadata.xmp
    assert old in packet
    data = encode(picture, image_format="png", xmp=lambda content: packet.replace(old, new))
    path.write_bytes(data)


def test_a_tag_of_an_unknown_model_or_other_weights_or_a_newer_format(irn, small):
    original = small.read_bytes()
    other_weights = b'irn:weights_sha256="' + b"0" * 64 + b'" x="'
    replace_in_tag(small, b'irn:weights_sha256="', other_weights)
    replace_in_tag(small, b'irn:model="irn-x4"', b'irn:model="irn-x9"')
    refused(irn("upscale", small, "--seed", 0), 69, "irn-x9", "irn models import")
    small.write_bytes(original)
    replace_in_tag(small, b'irn:format="1"', b'irn:format="4"')
    refused(irn("upscale", small, "--seed", 0), 65, "update irn")
    refused(irn("info", small), 65, "update irn")
    small.write_bytes(original)
    replace_in_tag(small, b'irn:weights_sha256="', other_weights)
    refused(irn("upscale", small, "--seed", 0), 69, "000000000000", "--model")


def test_a_tag_names_a_model_but_never_a_file(irn, small, monkeypatch):
    shutil.copy(ROOT / "weights" / "irn-x4.safetensors", small.with_name("m.safetensors"))
    monkeypatch.chdir(small.parent)
    replace_in_tag(small, b'irn:model="irn-x4"', b'irn:model="m.safetensors"')
    replace_in_tag(small, b'irn:weights_sha256="', b'irn:weights_sha256="' + b"0" * 64 + b'" x="')
    refused(irn("upscale", small, "--seed", 0), 69, "'m.safetensors'", "irn models import")


def test_an_edited_lr_is_restored_with_a_warning(irn, small):
    from irncli.io.image_file import decode

    picture = decode(small.read_bytes())
    pixels = picture.pixels.copy()
    pixels[2, 3] ^= 255
    edited = Picture(pixels, metadata=picture.metadata)
    small.write_bytes(encode(edited, image_format="png"))
    outcome = irn("upscale", small, "--seed", 0)
    assert outcome.status == 0
    assert "warning: the pixels were changed" in outcome.err
    refused(irn("upscale", small, "--seed", 0, "--overwrite", "--strict"), 65, "changed")


def test_a_tag_that_asks_for_too_much_is_refused_before_work(irn, small):
    replace_in_tag(small, b'irn:hr_width="61"', b'irn:hr_width="99999"')
    outcome = irn("upscale", small, "--seed", 0, "--max-pixels", 1000)
    assert outcome.status == 0 or outcome.status == 65
    replace_in_tag(small, b'irn:scale="4.0"', b'irn:scale="64.0"')
    assert irn("upscale", small, "--seed", 0, "--overwrite").status == 69


def test_a_file_that_must_not_be_read_does_not_stop_the_others(irn, picture, monkeypatch):
    """Reading finds that out, not the check of arguments, which would refuse the whole batch."""
    other = picture.with_name("other.png")
    other.write_bytes(picture.read_bytes())
    monkeypatch.setattr(os, "access", lambda path, *_, **__: str(path) != str(other))
    assert irn("downscale", other, picture, "--scale", 2).status == 0


def limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_a_full_disk(spawn, picture, tmp_path):
    outcome = spawn("downscale", picture, "--scale", 2, before=limit_files)
    refused(outcome, 74, "cannot write")
    assert os.listdir(tmp_path) == ["photo.png"]


def started(arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "irncli", *map(str, arguments)], **options)


@pytest.mark.slow
def test_interrupting_leaves_no_half_file(tmp_path):
    big = tmp_path / "big.png"
    values = np.random.default_rng(0).integers(0, 256, (2400, 2400, 3), dtype=np.uint8)
    big.write_bytes(encode(Picture(values), image_format="png"))
    process = started(["downscale", big, "--scale", 4], stderr=subprocess.PIPE)
    time.sleep(6)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.decode().strip().count("\n") == 0
    assert b"interrupted" in err
    assert os.listdir(tmp_path) == ["big.png"]


def test_a_broken_pipe_ends_quietly(picture, tmp_path):
    process = started(
        ["downscale", picture, "--scale", 2, "-o", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert err == b""


def test_debug_shows_the_traceback(irn, tmp_path):
    outcome = irn("downscale", tmp_path / "none.png", "--scale", 2, "--debug")
    assert outcome.status == 66
    assert "Traceback" in outcome.err


def test_quiet_is_quiet_but_not_about_errors(irn, small, tmp_path):
    assert irn("upscale", small, "-q").lines == []
    refused(irn("upscale", tmp_path / "none.png", "-q"), 66)
