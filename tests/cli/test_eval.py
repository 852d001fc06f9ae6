"""irn eval, as it is typed."""

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from irncli.eval.records import dumps, loads
from irncli.zoo.checkpoint import Card, serialise
from tests.support.measured import bicubic, record
from tests.support.networks import CRM, SMALL, shaken
from tests.support.pictures import size, values

FIRST_KEYS = [
    "set", "model", "kind", "task", "scale", "guard", "images", "psnr_y", "ssim_y",
    "psnr_rgb", "ssim_rgb",
    "psnr_y_z0", "ssim_y_z0", "psnr_y_std", "psnr_y_least", "psnr_y_most", "seeds", "temperature",
    "lr_psnr_y", "lr_ssim_y", "bpp", "megapixels", "seconds_down", "seconds_up", "mps_down",
    "mps_up", "weights_sha256", "device", "precision", "threads", "cpu", "torch", "irn",
]  # fmt: skip


@pytest.fixture
def data(tmp_path, photo):
    """A set of two images of odd sizes, one of them gray."""
    root = tmp_path / "few"
    root.mkdir()
    Image.fromarray(photo[190:237, 150:211]).save(root / "a.png")
    Image.fromarray(photo[200:240, 300:350, 0]).save(root / "gray.png")
    return root


@pytest.fixture
def model(tmp_path):
    """Path of a small x2 network."""
    path = tmp_path / "runs" / "last.safetensors"
    path.parent.mkdir()
    path.write_bytes(serialise(shaken(SMALL["irn-x2"]), Card(name="x")))
    return path


def test_several_contestants_side_by_side_in_all_formats(irn, data, model, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="x")))
    names = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv", "markdown")}
    files = [text for kind, path in names.items() for text in (f"--{kind}", path)]
    outcome = irn("eval", data, "--model", model, "--model", other, "--baseline",
                  "bicubic,lanczos", "--seeds", 2, "--guard", "off", *files)  # fmt: skip
    assert (outcome.status, outcome.err) == (0, "")
    records = json.loads(names["json"].read_text())
    assert [(r["model"], r["scale"]) for r in records] == [
        ("bicubic", 2), ("lanczos", 2), ("runs-last", 2),
        ("bicubic", 4), ("lanczos", 4), ("other", 4),
    ]  # fmt: skip
    for one in records:
        assert list(one)[: len(FIRST_KEYS)] == FIRST_KEYS
        assert (one["set"], one["images"], len(one["per_image"])) == ("few", 2, 2)
    assert [r["seeds"] for r in records] == [1, 1, 2, 1, 1, 2]
    assert records[2]["precision"] == "fp32"
    assert len(records[2]["weights_sha256"]) == 64
    assert max(map(len, outcome.out.decode().splitlines())) <= 80
    table = outcome.out.decode().split("\n\n")[0].splitlines()
    assert len(table) == 7
    assert f"{records[2]['psnr_y']:.2f}" in table[3]
    rows = list(csv.DictReader(names["csv"].read_text().splitlines()))
    assert len(rows) == 18
    assert float(rows[0]["psnr_y"]) == records[0]["psnr_y"]
    assert "## x4" in names["markdown"].read_text()
    assert loads(names["json"].read_bytes()) == records


@pytest.mark.shared
def test_a_checkpoint_of_the_reference(irn, data, shared):
    outcome = irn("eval", data, "--model", shared / "golden" / "irn_x2.pth", "--json", "-")
    assert outcome.status == 0
    (one,) = json.loads(outcome.out)
    assert (one["model"], one["scale"], one["temperature"]) == ("irn_x2", 2, 1.0)


def test_shown_again_all_is_the_same(irn, data, model, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")

    def outputs(name):
        kinds = {"csv": "csv", "markdown": "md", "json": "json", "plot": "png"}
        return {kind: tmp_path / f"{name}.{suffix}" for kind, suffix in kinds.items()}

    def options(files):
        return [text for kind, path in files.items() for text in (f"--{kind}", path)]

    first, second = outputs("first"), outputs("second")
    told = irn("eval", data, "--model", model, *options(first))
    shown = irn("eval", "--from", first["json"], *options(second))
    assert (told.status, shown.status) == (0, 0)
    assert shown.out == told.out
    for kind in first:
        assert first[kind].read_bytes() == second[kind].read_bytes(), kind
    width, height = size(first["plot"])
    assert width >= 600
    assert height >= 300


def test_records_of_several_files_come_together(irn, tmp_path):
    for name, records in (("a", [record(), bicubic()]), ("b", [record(psnr_y=1.5)])):
        (tmp_path / f"{name}.json").write_text(dumps(records))
    outcome = irn("eval", "--from", tmp_path / "a.json", "--from", tmp_path / "b.json",
                  "--json", "-")  # fmt: skip
    assert json.loads(outcome.out) == [record(psnr_y=1.5), bicubic()]
    assert "bicubic" in outcome.err


def test_records_that_differ_in_the_guard_are_not_mixed(irn, tmp_path):
    for name, guard in (("a", True), ("b", False)):
        (tmp_path / f"{name}.json").write_text(dumps([record(guard=guard)]))
    outcome = irn("eval", "--from", tmp_path / "a.json", "--from", tmp_path / "b.json")
    assert (outcome.status, outcome.out, len(outcome.lines)) == (65, b"", 1)
    assert "with and without the guard" in outcome.err


def test_a_remark_is_kept_and_shown(irn, data, tmp_path):
    out, page = tmp_path / "o.json", tmp_path / "p.md"
    measuring = ["eval", data, "--baseline", "bicubic", "--scale", 2, "--json", out]
    assert "it rained" in irn(*measuring, "--remark", "it rained").out.decode()
    assert json.loads(out.read_text())[0]["remark"] == "it rained"
    irn("eval", "--from", out, "--markdown", page)
    assert "- it rained" in page.read_text().splitlines()


def test_a_bad_file_of_records_is_named(irn, tmp_path):
    (tmp_path / "a.json").write_text("[]")
    outcome = irn("eval", "--from", tmp_path / "a.json")
    assert (outcome.status, len(outcome.lines)) == (65, 1)
    assert "a.json" in outcome.err
    assert irn("eval", "--from", tmp_path / "none.json").status == 66


@pytest.mark.parametrize("kind", ["json", "csv", "markdown"])
def test_data_go_to_standard_output_and_the_table_does_not(irn, data, kind):
    outcome = irn("eval", data, "--baseline", "bicubic", "--scale", 2, f"--{kind}", "-")
    assert outcome.status == 0
    text = outcome.out.decode()
    {"json": json.loads, "csv": str.splitlines, "markdown": str}[kind](text)
    assert text.startswith({"json": "[", "csv": "set,", "markdown": "# Results"}[kind])
    assert "PSNR-Y" in outcome.err
    quiet = irn("eval", data, "--baseline", "bicubic", "--scale", 2, f"--{kind}", "-", "-q")
    assert quiet.err == ""


def test_a_damaged_picture_is_named_and_the_rest_is_measured(irn, data, model, tmp_path):
    (data / "bad.png").write_bytes((data / "a.png").read_bytes()[:300])
    Image.new("RGB", (1, 1)).save(data / "pixel.png")
    out = tmp_path / "out.json"
    outcome = irn("eval", data, "--model", model, "--baseline", "lanczos", "--json", out)
    assert outcome.status == 1
    assert len(outcome.lines) == 3
    assert "bad.png: damaged image" in outcome.lines[0]
    assert "pixel.png: 1x1 px" in outcome.lines[1]
    assert "2 of 4 images failed" in outcome.lines[2]
    assert "lanczos" in outcome.out.decode()
    assert "not measured: bad.png, pixel.png" in outcome.out.decode()
    for one in json.loads(out.read_text()):
        assert one["images"] == 2
        assert [failure["image"] for failure in one["failed"]] == ["bad.png", "pixel.png"]
    assert irn("eval", "--from", out).status == 0


def test_files_by_themselves_are_a_set(irn, data):
    outcome = irn("eval", data / "a.png", data / "gray.png", "--baseline", "bicubic",
                  "--scale", 3, "--json", "-")  # fmt: skip
    (one,) = json.loads(outcome.out)
    assert (one["set"], one["images"], one["scale"]) == ("files", 2, 3)


def test_saved_pictures(irn, data, model, tmp_path):
    out = tmp_path / "saved"
    arguments = ["eval", data, "--model", model, "--baseline", "bicubic", "--save", out]
    assert irn(*arguments).status == 0
    names = {str(path.relative_to(out)) for path in out.rglob("*.png")}
    assert names == {
        f"few/{who}/{stem}{suffix}.png"
        for who in ("runs-last", "bicubic-x2") for stem in ("a", "gray")
        for suffix in ("", "_lr", "_montage")
    }  # fmt: skip
    assert size(out / "few" / "runs-last" / "a.png") == (60, 46)
    assert size(out / "few" / "runs-last" / "a_lr.png") == (30, 23)
    width, height = size(out / "few" / "runs-last" / "a_montage.png")
    assert width > 4 * 60 + 3 * 8
    assert height > 2 * 46
    montage = values(out / "few" / "runs-last" / "a_montage.png")
    for shown in (values(data / "a.png")[:46, :60], values(out / "few" / "runs-last" / "a.png")):
        top, left = place(shown, montage)
        assert (montage[:top, left : left + 60] < 128).any()  # the label
    outcome = irn(*arguments)
    assert (outcome.status, outcome.out) == (73, b"")
    assert irn(*arguments, "--overwrite").status == 0


def place(part, whole):
    """Where an image is first in another one: the row and the column."""
    corner = np.argwhere((whole == part[0, 0]).all(axis=2))
    height, width = part.shape[:2]
    return next(
        (y, x) for y, x in corner if np.array_equal(whole[y : y + height, x : x + width], part)
    )


def test_pictures_of_one_name_cannot_both_be_saved(irn, data, model, tmp_path):
    Image.open(data / "a.png").save(data / "a.jpg")
    outcome = irn("eval", data, "--model", model, "--save", tmp_path / "s")
    assert (outcome.status, outcome.out) == (2, b"")
    assert not (tmp_path / "s").exists()


def test_perceptual_columns_where_the_library_is_missing(irn, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    outcome = irn("eval", data, "--baseline", "bicubic", "--scale", 2, "--perceptual",
                  "lpips,fid", "--json", "-")  # fmt: skip
    assert outcome.status == 0
    assert outcome.lines[0] == (
        "irn: warning: not measured: lpips, fid: pyiqa not installed: "
        "pip install 'irncli[perceptual]'"
    )
    (one,) = json.loads(outcome.out)
    assert one["lpips"] is one["fid"] is None
    assert "not installed" in one["lpips_note"]
    assert one["psnr_y"] > 20


def test_a_chart_needs_matplotlib(irn, data, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = irn("eval", data, "--plot", tmp_path / "p.png")
    assert (outcome.status, len(outcome.lines), outcome.out) == (69, 1, b"")
    assert "irncli[plot]" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "nothing to measure"),
        (["{data}", "--scale", "2.5"], 2, "whole number"),
        (["{data}", "--scale", "1"], 2, "whole number"),
        (["{data}", "--scale", "nan"], 2, "whole number"),
        (["{data}", "--scale", "inf"], 2, "whole number"),
        (["{data}", "--scale", "4", "--model", "{model}"], 2, "has scale 2, not --scale 4"),
        (["{data}", "--scale", "x4", "--model", "{model}"], 2, "has scale 2, not --scale 4"),
        (["{data}", "--scale", "many"], 2, "--scale many: expected a number such as 4"),
        (["{data}", "--baseline", "bilinear", "--scale", "2"], 2, "bicubic, lanczos"),
        (["{data}", "--baseline", "bicubic"], 2, "missing --scale"),
        (["{data}", "--perceptual", "lpisp"], 2, "did you mean lpips"),
        (["{data}", "--json", "-", "--csv", "-"], 2, "two outputs"),
        (["{data}", "--json", "{tmp}/o", "--csv", "{tmp}/o"], 2, "two outputs"),
        (["{data}", "--plot", "{tmp}/p.pdf"], 2, "PNG"),
        (["{data}", "--json", "{data}/a.png", "--overwrite"], 2, "is an input"),
        (["{data}", "--from", "{tmp}/x.json"], 2, "--from"),
        (["--seeds", "2", "--from", "{tmp}/x.json"], 2, "--from"),
        (["--guard", "off", "--from", "{tmp}/x.json"], 2, "--from"),
        (["--task", "compress", "--from", "{tmp}/x.json"], 2, "--from"),
        (["--qualities", "50", "--from", "{tmp}/x.json"], 2, "--qualities"),
        (["{data}", "--task", "compress", "--guard", "off"], 2, "--guard"),
        (["{data}", "--tile", "3"], 2, "--tile"),
        (["{data}", "--device", "none"], 2, "device"),
        (["{data}", "{data}"], 2, "two sets"),
        (["-"], 2, "standard input"),
        (["{data}", "--json", "{data}/new/o.json"], 73, "no directory"),
        (["{data}", "--json", "{model}"], 73, "--overwrite"),
        (["{tmp}/absent"], 66, "absent"),
        (["{tmp}/runs"], 66, "no images"),
        (["{data}", "--model", "nothing"], 69, "irn-x2"),
        (["{data}", "--model", "{crm}"], 69, "CRM"),
        (["{data}", "--scale", "7"], 69, "irn-x4"),
    ],
)
def test_what_is_wrong_is_said_before_the_work(irn, data, model, tmp_path, arguments, status, said):
    crm = tmp_path / "crm.safetensors"
    crm.write_bytes(serialise(shaken(CRM), Card(name="crm")))
    places = {"data": data, "model": model, "tmp": tmp_path, "crm": crm}
    outcome = irn("eval", *(text.format(**places) for text in arguments))
    assert (outcome.status, outcome.out) == (status, b"")
    assert len(outcome.lines) == 1
    assert said in outcome.err


def test_a_colour_model(irn, data, tmp_path):
    path = tmp_path / "colour.safetensors"
    path.write_bytes(serialise(shaken(SMALL["color"]), Card(name="x", temperature=0.0)))
    out = tmp_path / "s"
    outcome = irn("eval", data, "--model", path, "--save", out, "--json", "-")
    (one,) = json.loads(outcome.out)
    assert (one["task"], one["scale"], one["temperature"]) == ("color", 1, 0)
    assert values(out / "few" / "colour" / "a_lr.png").shape == (47, 61)
    assert values(out / "few" / "colour" / "a.png").shape == (47, 61, 3)


def test_threads_and_a_shipped_model_in_a_process_of_its_own(spawn, data):
    outcome = spawn("eval", data / "a.png", "--scale", 2, "--threads", 1, "--json", "-", "-q")
    assert outcome.status == 0
    records = {record["model"]: record for record in json.loads(outcome.out)}
    assert set(records) == {"bicubic", "irn-x2", "irn-jpeg-x2"}
    assert records["irn-x2"]["threads"] == 1
    assert records["irn-x2"]["psnr_y"] > records["bicubic"]["psnr_y"] + 3


def test_ctrl_c_leaves_no_file(irn, data, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("irncli.eval.rescaling._scores", interrupt)
    out = tmp_path / "o.json"
    outcome = irn("eval", data, "--baseline", "bicubic", "--scale", 2, "--json", out)
    assert (outcome.status, outcome.out) == (130, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["few"]
