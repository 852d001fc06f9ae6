"""irn models, irn demo, irn train's words, and the rest of the command line."""

import json
import sys
from contextlib import contextmanager

import pytest
import torch
from PIL import Image

from irncli import __version__
from irncli.batch.progress import Progress
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.pictures import size


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-ld-x3"]), Card(name="x", summary="three")))
    return path


def test_list(irn):
    shown = irn("models", "list").out.decode()
    assert "irn-x2" in shown
    assert "irn-x4" in shown
    records = [json.loads(line) for line in irn("models", "list", "--json").out.splitlines()]
    assert {"irn-x2": 2, "irn-x4": 4}.items() <= {r["name"]: r["scale"] for r in records}.items()


def test_the_list_has_a_header_fits_80_columns_and_marks_the_defaults(irn, foreign, monkeypatch):
    irn("models", "import", foreign, "--name", "a-name-that-is-longer-than-the-first-column")
    lines = irn("models", "list").out.decode().splitlines()
    assert lines[0].split() == ["NAME", "SCALE", "ORIGIN", "SIZE", "SUMMARY"]
    assert max(map(len, lines)) <= 80
    assert {line.split()[0] for line in lines[:-1] if " * " in line} == {
        "irn-color", "irn-x2", "irn-x3", "irn-x4", "irn-jpeg-x2"
    }  # fmt: skip
    assert lines[-1] == "* used unless --model is given, for its scale and task"
    column = lines[0].index("SUMMARY")
    assert all(line[:column].strip() or line[column:] for line in lines[1:-1])
    (place,) = [n for n, line in enumerate(lines) if line.startswith("a-name-that-is-longer")]
    assert lines[place + 1].split()[:2] == ["x3", "imported"]
    monkeypatch.setenv("COLUMNS", "200")
    assert len(irn("models", "list").out.decode().splitlines()) < len(lines)


@pytest.mark.parametrize("name", ["irn-x3", "irn-x4", "irn-jpeg-x2", "irn-color"])
def test_a_card_is_readable(irn, name):
    lines = irn("models", "info", name).out.decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)
    labels = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert {"name", "recipe", "measured", "architecture"} <= set(labels)
    # No field is empty.
    assert all(len(line.split()) > 1 for line in lines if not line.startswith(" "))
    assert not any(sign in line for line in lines for sign in "{}[]'")
    assert not any("(" in line for line in lines if line.startswith("architecture"))


def test_an_imported_model_is_renamed_and_removed(irn, foreign, tmp_path):
    folder = tmp_path / "xdg" / "irn" / "models"
    irn("models", "import", foreign)
    data = (folder / "mine.safetensors").read_bytes()
    outcome = irn("models", "rename", "mine", "yours")
    assert (outcome.status, outcome.out.decode()) == (0, "mine renamed to yours\n")
    assert [path.name for path in folder.iterdir()] == ["yours.safetensors"]
    assert (folder / "yours.safetensors").read_bytes() == data
    assert json.loads(irn("models", "info", "yours", "--json").out)["name"] == "yours"
    assert irn("models", "remove", "yours").status == 0
    assert list(folder.iterdir()) == []
    assert irn("models", "info", "yours").status == 69


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["remove", "irn-x2"], 2, "irn-x2 was shipped with irn and cannot be removed"),
        (["rename", "irn-x2", "mine"], 2, "irn-x2 was shipped with irn and cannot be renamed"),
        (["remove", "nothing"], 69, "no imported model 'nothing'; imported: mine"),
        (["remove", "../models/mine"], 69, "no imported model"),
        (["rename", "mine", "irn-x2"], 2, "already exists (shipped)"),
        (["rename", "mine", "mine"], 2, "already exists (imported)"),
        (["rename", "mine", "../mine"], 2, "expected letters"),
    ],
)
def test_what_cannot_be_renamed_or_removed(irn, foreign, tmp_path, words, status, said):
    irn("models", "import", foreign)
    outcome = irn("models", *words)
    assert (outcome.status, outcome.out) == (status, b"")
    assert said in outcome.err
    assert len(outcome.lines) == 1
    assert (tmp_path / "xdg" / "irn" / "models" / "mine.safetensors").exists()


@pytest.mark.parametrize("name", ["irn-x2", "irn-x4"])
def test_info_states_data_recipe_and_table(irn, name):
    card = json.loads(irn("models", "info", name, "--json").out)
    assert card["name"] == name
    assert len(card["weights_sha256"]) == 64
    assert any("CC BY-SA 4.0" in line for line in card["data"])
    assert any("Unsplash" in line for line in card["data"])
    assert card["recipe"]
    assert card["minutes"] > 30
    assert card["hardware"]
    assert {row["set"] for row in card["measured"]} == {"Set5", "Set14", "BSD100"}
    assert {row["z"] for row in card["measured"]} == {"z = 0", "default"}
    shown = irn("models", "info", name).out.decode()
    assert "Set14" in shown


def test_verify(irn, foreign, tmp_path):
    outcome = irn("models", "verify")
    assert outcome.status == 0
    assert all(len(line) <= 80 for line in outcome.out.decode().splitlines())
    assert irn("models", "import", foreign).status == 0
    (tmp_path / "xdg" / "irn" / "models" / "mine.safetensors").write_bytes(b"damaged")
    outcome = irn("models", "verify")
    assert outcome.status == 1
    assert "mine" in outcome.err
    assert irn("models", "list").status == 0


def test_import_names_hash_and_source(irn, foreign):
    assert irn("models", "import", foreign, "--name", "three").status == 0
    card = json.loads(irn("models", "info", "three", "--json").out)
    assert "mine.safetensors, SHA-256" in card["source"]
    outcome = irn("models", "import", foreign, "--name", "three")
    assert outcome.status == 2
    assert len(outcome.lines) == 1


def test_a_bad_import_is_one_line_and_leaves_nothing(irn, tmp_path):
    for name, data in (("a.pth", b"x"), ("b.safetensors", b"y" * 90), ("c.pth", b"")):
        (tmp_path / name).write_bytes(data)
        outcome = irn("models", "import", tmp_path / name)
        assert outcome.status == 65
        assert len(outcome.lines) == 1
    assert irn("models", "import", tmp_path / "none.pth").status == 66
    torch.save({"a": 1}, tmp_path / "d.pth")
    assert irn("models", "import", tmp_path / "d.pth").status == 65
    assert not (tmp_path / "xdg").exists()


def test_unknown_model(irn):
    outcome = irn("models", "info", "nothing")
    assert outcome.status == 69
    assert "irn-x2" in outcome.err


@pytest.mark.slow
def test_demo(irn, tmp_path, photo, monkeypatch):
    # A part of the photograph takes a sixth of its time.
    part = tmp_path / "photo.png"
    Image.fromarray(photo[128:320, 300:620]).save(part)
    monkeypatch.setattr("irncli.cli.commands.demo.PHOTO", part)
    steps, shares = [], []
    file = Progress.file

    @contextmanager
    def watched(progress, name):
        steps.append(name)
        with file(progress, name):
            yield shares.append

    monkeypatch.setattr(Progress, "file", watched)
    out = tmp_path / "demo.png"
    assert irn("demo", "-o", tmp_path / "none" / "demo.png").status == 73
    outcome = irn("demo", "-o", out)
    assert steps == ["loading the model", "making it small", "restoring it"]
    assert sum(shares) == pytest.approx(3)
    assert len(shares) > 3
    assert outcome.status == 0
    shown = outcome.out.decode()
    assert "bytes" in shown
    values = {
        line.split()[0]: float(line.split("dB")[0].split()[-1])
        for line in shown.splitlines()
        if " dB" in line
    }
    assert values["irn"] > values["bicubic"] + 2.5
    assert outcome.err == ""
    width, height = size(out)
    assert width == 4 * 320 + 3 * 8
    assert height > 192 + 8 + 192  # images, their labels, and a detail of each
    assert irn("demo", "-o", out).status == 73
    piped = irn("demo", "-o", "-")
    assert (piped.status, piped.out) == (0, out.read_bytes())
    assert piped.err == shown.rpartition("small, ")[0]


def test_version_and_help(irn, spawn):
    assert irn("--version").out.decode().strip() == f"irn {__version__}"
    assert b"downscale" in spawn("--help").out
    assert spawn("--version").out.decode().strip() == f"irn {__version__}"
    assert sys.executable
