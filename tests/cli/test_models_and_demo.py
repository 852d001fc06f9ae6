"""irn models, irn demo, irn train's words, and the rest of the command line."""

import json
import sys

import pytest
import torch
from PIL import Image

from irncli import __version__
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
    assert irn("models", "verify").status == 0
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
    out = tmp_path / "demo.png"
    outcome = irn("demo", "-o", out)
    assert outcome.status == 0
    shown = outcome.out.decode()
    assert "bytes" in shown
    values = {
        line.split()[0]: float(line.split("dB")[0].split()[-1])
        for line in shown.splitlines()
        if " dB" in line
    }
    assert values["irn"] > values["bicubic"] + 2.5
    assert size(out)[1] == 192
    assert irn("demo", "-o", out).status == 73


def test_version_and_help(irn, spawn):
    assert irn("--version").out.decode().strip() == f"irn {__version__}"
    assert b"downscale" in spawn("--help").out
    assert spawn("--version").out.decode().strip() == f"irn {__version__}"
    assert sys.executable
