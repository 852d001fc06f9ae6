"""The benchmark of networks at the same JPEG quality measures what it says."""

import json
import subprocess
import sys

import numpy as np
import pytest

import irncli
from irncli.engine.metrics import luma, psnr
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from tests.support.places import ROOT


def test_quality_is_the_same_and_bits_are_those_of_the_file(tmp_path):
    photo = decode((ROOT / "irncli" / "demo" / "photo.png").read_bytes()).pixels
    hr = np.ascontiguousarray(photo[100:165, 60:128])
    pictures, out = tmp_path / "tiny", tmp_path / "out.json"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(encode(Picture(hr), image_format="png"))
    script = ROOT / "benchmarks" / "same_quality.py"
    models = ("--model", "irn-x2", "--model", "irn-jpeg-x2")
    command = [sys.executable, script, pictures, *models, "--json", out]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    records = {record["model"]: record for record in json.loads(out.read_text())["records"]}
    assert list(records) == ["irn-x2", "irn-jpeg-x2"]

    hr = hr[:64]
    model = irncli.load("irn-x2", "cpu")
    low = model.downscale(hr)
    for point in records["irn-x2"]["points"]:
        quality = point["quality"]
        data = encode(Picture(low), image_format="jpeg", quality=quality, progressive=True)
        back = model.upscale(decode(data).pixels, temperature=0)
        assert point["bpp"] == pytest.approx(8 * len(data) / (64 * 68), abs=1e-5)
        assert point["psnr_y"] == pytest.approx(psnr(luma(hr), luma(back), 2), abs=1e-4)
        assert f"{point['psnr_y']:.2f}, {point['bpp']:.3f}" in printed
