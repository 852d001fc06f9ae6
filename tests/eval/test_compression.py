"""Compression, measured: each number by its own means, and what the tables make of them."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from irncli.compression.pipeline import Compressor
from irncli.engine.rescaler import Rescaler, bicubic
from irncli.engine.restorer import Restorer
from irncli.errors import DataError
from irncli.eval import compression_plot, compression_report
from irncli.eval.compression import Compression, CompressionMethods, _compared, joined
from irncli.eval.methods import Trained
from irncli.eval.rates import bd_rate
from irncli.eval.records import merge
from irncli.eval.runner import measure_set
from irncli.eval.sets import find_sets
from irncli.eval.ssimulacra2 import ssimulacra2
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.libraries import jxl_is_here
from irncli.io.picture import Picture
from irncli.operations.models import LoadedModel, LoadedRestorer
from irncli.zoo.checkpoint import Card, Checkpoint, weights_sha256
from tests.support.networks import CRM, SMALL, shaken

SIZE = (61, 47)
CROPPED = (46, 60)
JXL = ["jxl"] if jxl_is_here() else []


def checkpoint(network, name):
    sha256 = weights_sha256(network.state_dict())
    return Checkpoint(network=network, card=Card(name=name), weights_sha256=sha256)


@pytest.fixture(scope="module")
def methods():
    networks = [shaken(SMALL["irn-x2"], seed=seed) for seed in (0, 1)]
    lossy, lossless = (
        Trained(name, LoadedModel(checkpoint(network, name), Rescaler(network, "cpu")))
        for name, network in zip(("lossy", "lossless"), networks, strict=True)
    )
    crm = shaken(CRM)
    restorer = LoadedRestorer(checkpoint(crm, "crm"), Restorer(crm, "cpu"))
    return CompressionMethods(lossy, lossless, restorer, 2, (40, 80))


@pytest.fixture(scope="module")
def hr(photo):
    """A crop of odd size."""
    return photo[190 : 190 + SIZE[1], 150 : 150 + SIZE[0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photo, hr):
    root = tmp_path_factory.mktemp("sets") / "few"
    root.mkdir()
    Image.fromarray(hr).save(root / "a.png")
    Image.fromarray(photo[200:240, 300:350, 0]).save(root / "gray.png")
    (root / "bad.png").write_bytes((root / "a.png").read_bytes()[:300])
    return root


@pytest.fixture(scope="module")
def records(folder, methods):
    told = []
    (pictures,) = find_sets([folder])
    found = measure_set(pictures, Compression(methods), failed=lambda path, _: told.append(path))
    assert told == [folder / "bad.png"]
    return found


def of(records, model, quality):
    (one,) = [r for r in records if (r["model"], r["quality"]) == (model, quality)]
    return one


def picture_of(record, name="a.png"):
    (one,) = [picture for picture in record["per_image"] if picture["image"] == name]
    return one


def test_a_record_for_each_contestant_and_quality(records):
    names = ["irn", "irn without restorer", "bicubic + jpeg", "jpeg", "webp", "avif", *JXL]
    expected = [(name, quality) for name in names for quality in (40, 80)]
    assert [(r["model"], r["quality"]) for r in records] == [*expected, ("irn png", None)]
    for one in records:
        assert (one["task"], one["set"], one["scale"]) == ("compress", "few", 2)
        assert one["images"] + one["too_large"] == 2
        assert [failure["image"] for failure in one["failed"]] == ["bad.png"]
        assert ("bd_rate" in one) == one["model"].startswith("irn") * (one["quality"] is not None)


def test_irn_with_and_without_what_undoes_the_codec(records, methods, hr):
    cropped = np.ascontiguousarray(hr[: CROPPED[0], : CROPPED[1]])
    low = Picture(methods.jpeg.rescaler.downscale(cropped))
    data = encode(low, image_format="jpeg", quality=40, subsampling="4:4:4", progressive=True)
    for name, restorer in (("irn", methods.restorer.restorer), ("irn without restorer", None)):
        back = Compressor(methods.jpeg.rescaler, "jpeg", restorer).restore(data, CROPPED[::-1], 2)
        one = picture_of(of(records, name, 40))
        assert one["bytes"] == len(data)
        assert one["bits_per_pixel"] == pytest.approx(8 * len(data) / (46 * 60), abs=1e-6)
        assert one["psnr_rgb"] == pytest.approx(
            peak_signal_noise_ratio(cropped, back, data_range=255), abs=6e-5
        )
    with_it, without = of(records, "irn", 40), of(records, "irn without restorer", 40)
    assert with_it["psnr_rgb"] != without["psnr_rgb"]
    assert (with_it["restorer"], without["restorer"]) == ("crm", None)
    assert with_it["network"] == without["network"] == "lossy"


def test_png_by_the_other_network(records, methods, hr):
    cropped = np.ascontiguousarray(hr[: CROPPED[0], : CROPPED[1]])
    rescaler = methods.png.rescaler
    low = rescaler.downscale(cropped)
    back = rescaler.upscale(low, CROPPED[::-1], 2, temperature=0)
    one = of(records, "irn png", None)
    assert picture_of(one)["bytes"] == len(encode(Picture(low), image_format="png"))
    assert picture_of(one)["psnr_rgb"] == pytest.approx(
        peak_signal_noise_ratio(cropped, back, data_range=255), abs=6e-5
    )
    assert (one["network"], one["restorer"]) == ("lossless", None)


def test_bicubic_through_the_same_jpeg(records, hr):
    cropped = np.ascontiguousarray(hr[: CROPPED[0], : CROPPED[1]])
    low = Picture(bicubic(cropped, 23, 30))
    data = encode(low, image_format="jpeg", quality=80, subsampling="4:4:4", progressive=True)
    back = bicubic(decode(data).pixels, *CROPPED)
    one = picture_of(of(records, "bicubic + jpeg", 80))
    assert one["bytes"] == len(data)
    assert one["psnr_rgb"] == pytest.approx(
        peak_signal_noise_ratio(cropped, back, data_range=255), abs=6e-5
    )


def test_the_codecs_have_the_bytes_of_irn_and_no_more(records):
    compared = 0
    for quality in (40, 80):
        limits = {p["image"]: p["bytes"] for p in of(records, "irn", quality)["per_image"]}
        for codec in ("jpeg", "webp", "avif"):
            for one in of(records, codec, quality)["per_image"]:
                assert 0.5 * limits[one["image"]] < one["bytes"] <= limits[one["image"]]
                compared += 1
    assert compared >= 8


def test_means_are_those_of_the_pictures(records):
    for one in records:
        for key in ("bits_per_pixel", "psnr_rgb", "ssim_rgb"):
            values = [picture[key] for picture in one["per_image"]]
            if values:
                assert one[key] == pytest.approx(np.mean(values), abs=1e-4), (one["model"], key)
            else:
                assert one[key] is None


def test_an_effort_adds_what_the_command_writes(folder, methods):
    given = replace(methods, restorer=None, effort=1, qualities=(60,))
    (pictures,) = find_sets([folder])
    records = measure_set(pictures, Compression(given), failed=lambda path, _: None)
    names = ["irn", "irn compress", "jpeg by irn", "bicubic + jpeg", "jpeg", "webp", "avif", *JXL]
    assert [record["model"] for record in records] == [*names, "irn png"]
    ours, chosen, own, usual = (
        picture_of(of(records, name, 60)) for name in ("irn", "irn compress", "jpeg by irn", "jpeg")
    )
    assert chosen["psnr_rgb"] == max(ours["psnr_rgb"], own["psnr_rgb"])
    assert chosen["bytes"] <= ours["bytes"]
    assert own["psnr_rgb"] >= usual["psnr_rgb"]
    assert of(records, "irn compress", 60)["effort"] == 1
    assert set(of(records, "irn", 60)["bd_rate"]) == {"jpeg by irn", *names[3:]}
    assert "lossy, weights" in compression_report.page(records)
    assert "effort 1" in compression_report.page(records)


def made(model, quality, rate, level, **changes):
    return {
        "task": "compress", "set": "s", "scale": 2, "model": model, "quality": quality,
        "images": 2, "too_large": 0, "bits_per_pixel": rate, "psnr_rgb": level, "ssim_rgb": 0.9,
        "identical": {}, "failed": [], "per_image": [], "network": None, "torch": "2", "irn": "1",
    } | changes  # fmt: skip


def curves(**changes):
    points = [(30, 0.25, 30.0), (50, 0.45, 32.0), (80, 0.9, 35.0)]
    ours = [made("irn", q, rate * 0.8, level) for q, rate, level in points]
    jpeg = [made("jpeg", q, rate, level) for q, rate, level in points]
    jpeg[0] |= changes
    above = [made("bicubic + jpeg", q, rate, level + 20) for q, rate, level in points]
    return _compared([*ours, *jpeg, *above])


def test_the_curves_are_compared_where_they_overlap():
    first = curves()[0]
    assert first["bd_rate"] == {"jpeg": -20.0, "bicubic + jpeg": None}
    assert first["bd_rate_in_range"]["jpeg"] == pytest.approx(-20.0, abs=0.1)
    gains = first["gain"]["jpeg"]
    assert [rate for rate, value in gains.items() if value is None] == ["0.2", "0.8"]
    assert gains["0.5"] > gains["0.3"] - 1 > -1


def test_the_mean_of_a_part_of_the_pictures_is_no_point_of_a_curve():
    ours = [(0.2, 30.0), (0.36, 32.0), (0.72, 35.0)]
    rest = [(0.45, 32.0), (0.9, 35.0)]
    first = curves(too_large=1, images=1, psnr_rgb=10.0)[0]
    assert first["bd_rate"]["jpeg"] == round(bd_rate(ours, rest), 2)


def test_parts_of_a_set_are_joined(records):
    """Records of two images are the records of each of them, joined."""
    parts = []
    for image in ("a.png", "gray.png"):
        part = []
        for record in records:
            mine = [one for one in record["per_image"] if one["image"] == image]
            part.append(record | {"per_image": mine, "failed": [], "too_large": 1 - len(mine)})
        parts.append(part)
    assert {len(one["per_image"]) for part in parts for one in part} <= {0, 1}
    found = joined(parts, "few")
    # Means of numbers that were rounded for the record, and what is made of them.
    means = ("bits_per_pixel", "psnr_rgb", "ssim_rgb", "ssimulacra2")
    rates = ("bd_rate", "bd_rate_in_range", "bd_rate_ssim", "bd_rate_ssimulacra2")
    close = (*means, *rates, "failed", "gain")
    for one, whole in zip(found, records, strict=True):
        assert one.keys() == whole.keys()
        assert {k: v for k, v in one.items() if k not in close} == {
            k: v for k, v in whole.items() if k not in close
        }
        assert [one[k] for k in means] == pytest.approx([whole[k] for k in means], abs=2e-4)
    with pytest.raises(DataError, match="measured twice"):
        joined([parts[0], parts[0]], "few")
    other = [record | {"effort": 5} for record in parts[1]]
    with pytest.raises(DataError, match="measured differently"):
        joined([parts[0], other], "few")
    with pytest.raises(DataError, match="different methods"):
        joined([parts[0], parts[1][:-1]], "few")


def test_ssimulacra2_falls_with_quality(records, hr):
    pytest.importorskip("ssimulacra2", reason="the library ssimulacra2 is not installed")
    low, high = (of(records, "jpeg", quality)["ssimulacra2"] for quality in (40, 80))
    assert low < high < 100
    assert ssimulacra2(hr, hr) == pytest.approx(100)
    assert ssimulacra2(hr[:7], hr[:7]) is None


def test_efforts_stand_beside_each_other():
    both = merge([[r | {"effort": n} for r in curves()] for n in (0, 9)])
    shown = compression_report.page(both)
    assert shown.index("## s, x2, effort 0") < shown.index("## s, x2, effort 9")
    percent = f"{both[0]['bd_rate_in_range']['jpeg']:+.1f} %"
    assert shown.count(f"| irn / jpeg | {percent} | -20.0 % | - |") == 2
    assert f"| s | 9 | irn | {percent} | - |" in shown
    assert "## BD-rates" not in compression_report.page(curves())
    lines = [label for label, *_ in compression_plot.lines(both)]
    assert lines == ["irn, effort 9", "irn, effort 0", "jpeg", "bicubic + jpeg"]


def test_table_csv_and_page(records):
    text = compression_report.table(records)
    assert "few: not measured: bad.png" in text
    one = of(records, "irn", 80)
    figures = [f"{one['bits_per_pixel']:.3f}", f"{one['psnr_rgb']:.2f}", f"{one['ssim_rgb']:.4f}"]
    figures.append("-" if one["ssimulacra2"] is None else f"{one['ssimulacra2']:.1f}")
    (row,) = [line.split() for line in text.splitlines() if line.startswith("few  irn     ")
              and line.split()[2:3] == ["80"]]  # fmt: skip
    assert row[-4:] == figures
    assert f"| irn | 80 | 2 | {' | '.join(figures)} |" in compression_report.page(records)
    rows = list(csv.DictReader(compression_report.csv_text(records).splitlines()))
    assert len(rows) == sum(1 + len(record["per_image"]) for record in records)
    assert rows[0]["image"] == ""
    assert float(rows[1]["bytes"]) == records[0]["per_image"][0]["bytes"]
    shown = compression_report.table(curves(too_large=1))
    assert "-20.0 %" not in shown
    assert "-20.0 %" in compression_report.table(curves())
    assert "s, jpeg, quality 30: number of images that do not fit" in shown


def test_the_chart(records):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    one = decode(compression_plot.chart(records))
    two = decode(compression_plot.chart([*records, *curves()]))
    assert one.pixels.std() > 5
    assert two.size[1] > 1.8 * one.size[1]
