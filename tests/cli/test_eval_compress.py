"""irn eval --task compress, as it is typed."""

import csv
import json
import re

import pytest
from PIL import Image

from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import CRM, SMALL, shaken
from tests.support.pictures import size


@pytest.fixture
def data(tmp_path, photo):
    root = tmp_path / "few"
    root.mkdir()
    Image.fromarray(photo[190:237, 150:211]).save(root / "a.png")
    return root


@pytest.fixture
def crm(tmp_path):
    path = tmp_path / "crm.safetensors"
    path.write_bytes(serialise(shaken(CRM), Card(name="crm")))
    return path


def compress(irn, *arguments):
    return irn("eval", "--task", "compress", *arguments)


def test_all_formats_and_a_damaged_picture(irn, data, crm, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    (data / "bad.png").write_bytes((data / "a.png").read_bytes()[:300])
    kinds = {"csv": "csv", "markdown": "md", "json": "json", "plot": "png"}
    files = {kind: tmp_path / f"out.{suffix}" for kind, suffix in kinds.items()}
    options = [text for kind, path in files.items() for text in (f"--{kind}", path)]
    outcome = compress(irn, data, "--model", "irn-x2", "--restorer", crm, "--qualities",
                       "80,30", "--remark", "it rained", *options)  # fmt: skip
    assert outcome.status == 1
    assert "bad.png: damaged image" in outcome.lines[0]
    assert "1 of 2 images failed" in outcome.lines[1]
    records = json.loads(files["json"].read_text())
    assert [r["quality"] for r in records if r["model"] == "irn without restorer"] == [30, 80]
    for one in records:
        assert {"task", "set", "model", "quality", "bits_per_pixel", "psnr_rgb", "ssim_rgb",
                "images", "irn", "torch", "cpu", "device", "threads"} <= set(one)  # fmt: skip
        assert one["remark"] == "it rained"
    first = records[0]
    assert (first["model"], first["network"], first["restorer"]) == ("irn", "irn-x2", "crm")
    assert len(first["restorer_sha256"]) == 64
    table = outcome.out.decode()
    assert f"{first['psnr_rgb']:.2f}" in table
    assert "irn / bicubic + jpeg" in table
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert float(rows[0]["psnr_rgb"]) == first["psnr_rgb"]
    assert files["markdown"].read_text().startswith("# Compression\n")
    assert size(files["plot"])[0] >= 600


def test_shown_again_all_is_the_same(irn, data, tmp_path):
    measured, page = tmp_path / "m.json", tmp_path / "m.md"
    told = compress(irn, data, "--model", "irn-x2", "--restorer", "none", "--qualities", "50",
                    "--json", measured, "--markdown", page)  # fmt: skip
    again, shown_page = tmp_path / "n.json", tmp_path / "n.md"
    shown = irn("eval", "--from", measured, "--json", again, "--markdown", shown_page)
    assert (told.status, shown.status) == (0, 0)
    assert shown.out == told.out
    assert again.read_bytes() == measured.read_bytes()
    assert shown_page.read_bytes() == page.read_bytes()


def test_records_of_two_tasks_are_not_shown_together(irn, data, tmp_path):
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    irn("eval", data, "--baseline", "bicubic", "--scale", 2, "--json", files[0])
    compress(irn, data, "--model", "irn-x2", "--restorer", "none", "--qualities", "50",
             "--json", files[1])  # fmt: skip
    outcome = irn("eval", "--from", files[0], "--from", files[1])
    assert (outcome.status, outcome.out, len(outcome.lines)) == (65, b"", 1)
    assert "separately" in outcome.err


def test_without_restorer_and_at_the_scale_of_the_model(irn, data, tmp_path):
    model = tmp_path / "m.safetensors"
    model.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="m")))
    outcome = compress(irn, data, "--model", model, "--restorer", "none", "--qualities", "60",
                       "--json", "-")  # fmt: skip
    assert outcome.status == 0
    records = json.loads(outcome.out)
    assert {r["scale"] for r in records} == {4}
    assert "irn without restorer" not in {r["model"] for r in records}
    assert {r["restorer"] for r in records} == {None}
    assert [r["network"] for r in records if r["model"] == "irn png"] == ["irn-x4"]
    assert "BD-rate" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["{data}", "--seeds", "2"], 2, "--seeds"),
        (["{data}", "--baseline", "bicubic"], 2, "--baseline"),
        (["{data}", "--temperature", "0"], 2, "--temperature"),
        (["{data}", "--perceptual", "niqe"], 2, "--perceptual"),
        (["{data}", "--save", "{data}/new"], 2, "--save"),
        (["{data}", "--qualities", "30,0"], 2, "--qualities"),
        (["{data}", "--qualities", "30,,50"], 2, "--qualities"),
        (["{data}", "--qualities", "x"], 2, "--qualities"),
        (["{data}", "--model", "irn-x2", "--model", "irn-x4"], 2, "--model once"),
        (["{data}", "--scale", "2.5"], 2, "--scale"),
        (["{data}", "--scale", "5"], 2, "irn-x4 has scale 4"),
        (["{data}", "--model", "irn-x2", "--restorer", "gone"], 69, "gone"),
        (["{data}", "--model", "irn-x2", "--restorer", "irn-x2"], 69, "irn-x2"),
        (["{data}", "--model", "{crm}"], 69, "rescaling"),
        (["{data}/empty"], 66, "no images"),
        (["{data}/absent"], 66, "absent"),
        (["{data}", "--plot", "{data}/o.jpg"], 2, ".png"),
        ([], 2, "nothing to measure"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(irn, data, crm, arguments, status, said):
    (data / "empty").mkdir()
    outcome = compress(irn, *(text.format(data=data, crm=crm) for text in arguments))
    assert (outcome.status, outcome.out) == (status, b"")
    assert len(outcome.lines) == 1
    assert said in outcome.err


@pytest.mark.parametrize("option", ["--qualities", "--restorer"])
def test_rescaling_has_no_options_of_compression(irn, data, option):
    outcome = irn("eval", data, option, "30")
    assert (outcome.status, outcome.out) == (2, b"")
    assert option in outcome.err


def test_without_its_model_it_says_how_to_train_it(irn, data):
    if re.search(r"irn-jpeg-x2 .*shipped", irn("models", "list").out.decode()):
        pytest.skip("irn-jpeg-x2 ships")
    outcome = compress(irn, data)
    assert outcome.status == 69
    assert "irn train --preset irn-jpeg-x2" in outcome.err
