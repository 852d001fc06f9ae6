"""Options without an effect are refused or warned of; names of outputs that are forgiven."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from irncli.cli.app import _with_output_directory
from irncli.errors import UsageError
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    """An image as PNG and as JPEG, and a tiny model, where commands are run."""
    monkeypatch.chdir(tmp_path)
    image = Image.fromarray(photo[190:237, 150:211])
    image.save("a.png")
    image.save("b.jpg")
    Path("tiny.safetensors").write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="tiny")))
    return tmp_path


DOWN = ("downscale", "--model", "tiny.safetensors", "--guard", "off")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("downscale a.png --scale 2 --quality 80 -o x.png", "PNG has no quality"),
        ("compress a.png --quality 80 -o x.png", "PNG has no quality"),
        ("compress a.png --quality 80 --codec png", "PNG has no quality"),
        ("compress a.png --quality 80 --target-size 2KB", "--quality and --target-size exclude"),
        ("compress a.png --target-size 2KB -o x.png", "PNG has no quality"),
        ("compress a.png --auto -o x.png", "expected a lossy codec"),
        ("downscale a.png --scale 2 --bits 16 -o x.jpg", "only PNG stores 16 bits"),
        ("upscale a.png --seed 3 --temperature 0", "without z there is no seed"),
        ("colorize a.png --seed 3 --temperature 0", "without z there is no seed"),
        ("downscale a.png --scale 2 -q -v", "--quiet and --verbose exclude each other"),
        ("downscale a.png --scale 2 -o - --skip-existing", "give -o FILE, or leave it out"),
        ("downscale a.png --scale 2 -o - --preserve-times", "it has no times"),
        ("compare a.png b.jpg --amplify 3", "need an output"),
        ("compare a.png b.jpg --crops 5", "need an output"),
    ],
)
def test_options_without_any_effect_are_refused(irn, folder, words, said):
    before = sorted(folder.rglob("*"))
    result = irn(*words.split())
    assert (result.status, len(result.lines), result.out) == (2, 1, b"")
    assert said in result.err
    assert sorted(folder.rglob("*")) == before


def test_files_that_ignore_an_option_are_warned_of(irn, folder):
    words = (*DOWN, "a.png", "b.jpg", "-o", "out/{name}", "--quality", 80, "--json")
    result = irn(*words)
    assert result.status == 0
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["warnings"] for record in records] == [
        ["--quality 80 was ignored: PNG has no quality"],
        [],
    ]


def test_a_scale_that_the_tag_contradicts_is_warned_of(irn, folder):
    assert irn(*DOWN, "a.png", "-o", "s.png").status == 0
    words = ("upscale", "s.png", "--model", "tiny.safetensors", "--temperature", 0)
    result = irn(*words, "--scale", 3, "-o", "back.png")
    assert result.lines == [
        "irn: s.png: warning: --scale 3 was ignored: the tag of the file says 4"
    ]
    assert irn(*words, "--scale", 4, "-o", "again.png").lines == []


@pytest.mark.parametrize("how", [["-o", "new/"], ["-onew/"], ["--output", "new/"],
                                 ["--output=new/"], ["-rvo", "new/"]])  # fmt: skip
def test_a_trailing_slash_names_a_directory(irn, folder, how):
    assert irn(*DOWN, "a.png", "b.jpg", *how).status == 0
    assert sorted(path.name for path in Path("new").iterdir()) == ["a_xtiny.png", "b_xtiny.png"]


def test_words_that_are_no_directories_of_outputs_stay():
    for words in (
        ["downscale", "in/", "-o", "x.png"], ["downscale", "--", "-o", "in/"], ["downscale", "-o"],
        ["downscale", "--output-dir", "a/", "in/"], ["downscale", "-nox.png", "in/"],
    ):  # fmt: skip
        assert _with_output_directory(words) == words
    for words in (["-o", "a/", "--output-dir=b"], ["-o", "a/", "-o", "b.png"]):
        with pytest.raises(UsageError, match="exclude each other"):
            _with_output_directory(["downscale", *words])
    with pytest.raises(UsageError, match="add a name"):
        _with_output_directory(["downscale", "-o", "{parent}/"])


def test_a_directory_that_is_named_as_a_file_is_explained(irn, folder):
    Path("there").mkdir()
    result = irn(*DOWN, "a.png", "-o", "there")
    assert (result.status, result.lines) == (
        2,
        ["irn: -o there is a directory: use --output-dir there"],
    )


def test_missing_directories_are_created_or_it_is_said_why_not(irn, folder):
    dry = irn(*DOWN, "a.png", "-o", "new/deep/x.png", "--dry-run")
    assert dry.status == 0
    assert not Path("new").exists()
    assert irn(*DOWN, "a.png", "-o", "new/deep/x.png").status == 0
    assert Path("new/deep/x.png").exists()
    for how in (("-o", "a.png/x.png"), ("-o", "a.png/{stem}{ext}"), ("--output-dir", "a.png/x"),
                ("-o", "a.png/x/")):  # fmt: skip
        result = irn(*DOWN, "b.jpg", *how)
        assert (result.status, len(result.lines)) == (73, 1)
        assert "cannot create the directory a.png" in result.err


def test_standard_input_goes_to_the_directory_of_outputs(spawn, folder):
    shutil.rmtree("new", ignore_errors=True)
    result = spawn(*DOWN, "-", "--output-dir", "new", stdin=Path("a.png").read_bytes(), cwd=folder)
    assert (result.status, result.out) == (0, b"")
    assert Path("new/stdin_xtiny.png").exists()
