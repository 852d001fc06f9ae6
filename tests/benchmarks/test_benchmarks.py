"""The benchmarks run, and what they measure stays within bounds."""

import json
import os
import subprocess
import sys
from functools import partial

import compression_rates
import engine
import guard_cost
import guard_effect
import numpy as np
import pytest
import ship
import torch
import waiting
from PIL import Image
from waiting import WAYS

from irncli.engine.rescaler import Rescaler
from irncli.eval.records import dumps
from irncli.eval.report import card_rows
from irncli.zoo.checkpoint import Card, read_checkpoint, serialise
from tests.support.measured import record
from tests.support.networks import SMALL, shaken
from tests.support.places import ROOT

MIB_ABOVE_TORCH = 220
"""For a quarter of a megapixel at x4; measured there: 147 down, 160 up."""


def benchmark(script, *arguments):
    subprocess.run([sys.executable, ROOT / "benchmarks" / script, *arguments], check=True)


@pytest.fixture
def run_here(monkeypatch):
    """Run a benchmark that measures no memory in this process."""

    def call(module, *arguments):
        monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
        module.main()

    return call


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 to measure a child")
def test_a_quarter_of_a_megapixel_needs_little_memory(tmp_path):
    benchmark("memory.py", "--megapixels", "0.25", "--scale", "4", "--json", tmp_path / "out.json")
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["megapixels"] == 0.25
    for command in ("downscale", "upscale"):
        assert 50 < result[command]["mib_above_torch"] < MIB_ABOVE_TORCH


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 to measure a child")
def test_engine_and_naive_are_compared(tmp_path):
    model, out = tmp_path / "small.safetensors", tmp_path / "out.json"
    model.write_bytes(serialise(shaken(SMALL["irn-x2"]), Card(name="small")))
    benchmark(
        "engine.py", "--model", model, "--megapixels", "0.05", "--repeats", "1", "--json", out
    )
    result = json.loads((tmp_path / "out.json").read_text())
    (size,) = result["sizes"]
    assert size["speed_ratio"] > 0
    assert size["engine"]["mib"]["median"] > 0
    assert {"cpu", "threads", "torch"} <= set(result["hardware"])


def test_passes_are_compared_with_a_product_of_matrices(monkeypatch):
    network = shaken(SMALL["irn-x2"])
    counted = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda conv, _, out: counted.append(2 * conv.weight.numel() * out[0, 0].numel())
            )
    hr = np.zeros((16, 24, 3), np.uint8)
    network(torch.zeros(1, 3, 16, 24))
    assert engine.operations(network, 16 * 24) == sum(counted)
    ways = {"downscale": Rescaler(network, "cpu", tile=0).downscale}
    monkeypatch.setattr(engine, "PRODUCTS", 1)
    monkeypatch.setattr(
        engine, "passes", lambda *_: (network, hr, {k: partial(v, hr) for k, v in ways.items()})
    )
    found = engine.products("small", 0.1, [1], 2)
    (row,) = found["rows"]
    assert 0 < row["share"]["least"] <= row["share"]["median"] <= row["share"]["most"]
    assert row["pass"]["median"] < row["product"]["most"]
    head, _, line = engine.table({"model": "small", **found})
    assert head.startswith("| small, 0.1 megapixels | threads |")
    assert line.count("|") == head.count("|")
    (row,) = engine.precisions("small", 0.1, [1], 1)["rows"]
    assert row["most_levels"] == 0  # both are the same network here
    assert set(row["seconds"]) == {"fp32", "bf16"}


def test_commands_are_timed_in_turns(monkeypatch):
    seconds, processor = waiting.timed(["--version"], WAYS["passive"])
    assert 0 < processor < 10 * seconds
    times = iter(range(6))
    monkeypatch.setattr(waiting, "timed", lambda *arguments: (next(times), 1.0))
    found = waiting.compared([], 2)
    assert [found[way]["seconds"]["median"] for way in WAYS] == [1.5, 2.5, 3.5]


def test_the_guard_is_timed_beside_a_downscale(tmp_path, run_here):
    out = tmp_path / "out.json"
    run_here(
        guard_cost, "--model", "irn-x2", "--megapixels", "0.02", "--repeats", "1",
        "--json", out,
    )  # fmt: skip
    (record,) = json.loads(out.read_text())["records"]
    assert record["model"] == "irn-x2"
    assert record["downscale"]["median"] > 0
    assert record["share"]["median"] > 0


@pytest.fixture
def pictures(tmp_path, photo):
    """A folder with a photograph, one with a drawn corner, and a gray one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    drawn = photo[100:164, 100:196].copy()
    drawn[:64:2, :64] = 250
    drawn[1:64:2, :64] = 20
    for name, pixels in {"a": photo[:64, :96], "b": drawn, "c": photo[:48, :48, 0]}.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def test_what_the_guard_changes_is_measured_once(tmp_path, run_here, pictures):
    out, parts = tmp_path / "out.json", tmp_path / "parts"
    words = (pictures, "--model", "irn-x2", "--parts", parts, "--json", out)
    run_here(guard_effect, *words)
    (record,) = json.loads(out.read_text())["records"]
    assert (record["images"], record["gray_images"]) == (2, 1)
    assert record["changed"] >= 1
    rows = {row["image"]: row for row in record["per_image"]}
    assert rows["b.png"]["rgb"] > 0
    (part,) = parts.iterdir()
    part.write_text(part.read_text().replace('"a.png"', '"kept.png"'))
    run_here(guard_effect, *words)
    (record,) = json.loads(out.read_text())["records"]
    assert record["per_image"][0]["image"] == "kept.png"


def test_rates_are_measured_and_continued(tmp_path, run_here, pictures):
    out, rows = tmp_path / "out.json", tmp_path / "rows.jsonl"
    words = (pictures, "--ways", "jpeg:2", "jpeg:auto", "--effort", 0, "--rows", rows)
    words = (*words, "--json", out)
    run_here(compression_rates, *words, "--rates", 0.01, 4)
    none, _, some, auto = json.loads(out.read_text())["records"]
    assert (none["images"], none["too_large"]) == (0, 3)
    assert (some["images"], some["by_x4"]) == (3, 0)
    assert some["bits_per_pixel"] <= 4
    assert auto["psnr"] >= some["psnr"] > 20
    before = rows.read_text()
    run_here(compression_rates, *words, "--rates", 0.01, 4)
    assert rows.read_text() == before


def test_a_card_is_filled_from_what_eval_measured(tmp_path, run_here):
    weights, measured = tmp_path / "irn-x2.safetensors", tmp_path / "eval.json"
    weights.write_bytes(serialise(shaken(SMALL["irn-x2"]), Card(name="irn-x2", stored="float32")))
    before = read_checkpoint(weights)
    records = [
        record(set=name, weights_sha256=before.weights_sha256)
        for name in ("BSD100", "Set5", "Kodak", "Set14")
    ]
    measured.write_text(dumps(records))
    run_here(ship, weights, "--measured", measured)
    after = read_checkpoint(weights)
    assert after.weights_sha256 == before.weights_sha256
    assert after.card.measured == tuple(card_rows(records, before.weights_sha256))
    assert len(after.card.measured) == 6
    measured.write_text(dumps([record()]))
    with pytest.raises(SystemExit, match="measures other weights"):
        run_here(ship, weights, "--measured", measured)
    assert read_checkpoint(weights).card == after.card
