"""The benchmark of refinement runs, and holds what `refine` promises."""

import json
import subprocess
import sys

import numpy as np

from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.places import ROOT

FIELDS = {
    *("model", "set", "task", "scale", "codec", "quality", "steps", "images", "megapixels"),
    *("psnr_on", "psnr_before", "psnr_after", "lr_psnr_before", "lr_psnr_after"),
    *("bpp_before", "bpp_after", "gain", "seconds_per_megapixel", "times_a_downscale"),
    *("weights_sha256", "device", "precision", "irn", "hardware", "per_image"),
}


def benchmark(*arguments):
    command = [sys.executable, ROOT / "benchmarks" / "refinement.py", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_refinement_is_measured_with_either_file_and_task(tmp_path):
    pictures, color, out = (tmp_path / name for name in ("tiny", "c.safetensors", "out.json"))
    pictures.mkdir()
    photo = decode((ROOT / "irncli" / "demo" / "photo.png").read_bytes()).pixels
    crop = np.ascontiguousarray(photo[100:141, 60:108])
    (pictures / "a.png").write_bytes(encode(Picture(crop), image_format="png"))
    color.write_bytes(serialise(shaken(SMALL["color"]), Card(name="c", stored="float32")))
    printed = benchmark(
        pictures, "--model", "irn-x2", "--model", color, "--steps", "2", "--quality", "90",
        "--device", "cpu", "--json", out, "--markdown", tmp_path / "table.md",
    )  # fmt: skip
    records = json.loads(out.read_text())["records"]
    subjects = [(r["model"], r["psnr_on"], r["codec"], r["quality"], r["steps"]) for r in records]
    assert subjects == [
        ("c", "RGB", "png", None, 2),
        ("c", "RGB", "jpeg", 90, 2),
        ("irn-x2", "Y", "png", None, 2),
        ("irn-x2", "Y", "jpeg", 90, 2),
    ]
    for record in records:
        assert set(record) == FIELDS
        assert {"cpu", "threads", "torch", "load"} <= set(record["hardware"])
        assert record["times_a_downscale"]["least"] > 0
        (picture,) = record["per_image"]
        assert picture["rgb_after"] >= picture["rgb_before"]
        assert record["gain"]["least"] == round(picture["psnr_after"] - picture["psnr_before"], 3)
    shipped = records[2]
    assert shipped["images"] == 1
    assert shipped["megapixels"] == 40 * 48 / 1e6
    assert shipped["psnr_after"] > shipped["psnr_before"] + 0.05
    table = (tmp_path / "table.md").read_text()
    assert table == printed == benchmark("--from", out)
    assert "| irn-x2, Y | tiny | jpeg 90 | 2 |" in table
    assert len({line.count("|") for line in table.splitlines() if "|" in line}) == 1
