"""The optional metrics: with a stand-in for the library, and without the library."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from irncli.errors import UsageError
from irncli.eval.perceptual import PerceptualMetrics, parse_names
from irncli.eval.rescaling import Sample
from irncli.io.image_file import decode


def test_names():
    assert parse_names("LPIPS, fid,lpips") == ["lpips", "fid"]
    for wrong, near in (("lpip", "lpips"), ("nique", "niqe"), ("fjd", "fid")):
        with pytest.raises(UsageError, match=f"did you mean {near}"):
            parse_names(wrong)
    with pytest.raises(UsageError, match="expected lpips, niqe, pi, fid"):
        parse_names("zzz")


def sample(value=10):
    hr = np.full((16, 24, 3), 100, np.uint8)
    return Sample(Path("a.png"), hr, hr[:8, :12], b"", hr + np.uint8(value))


def stand_in(**metrics):
    """A module like pyiqa; it also prints, as that does."""
    module = types.ModuleType("pyiqa")

    def create_metric(name, device=None):
        print("Loading pretrained model")
        if isinstance(metrics[name], Exception):
            raise metrics[name]
        return metrics[name]

    module.create_metric = create_metric
    return module


def distance(restored, hr):
    assert restored.shape == hr.shape == (1, 3, 16, 24)
    return (restored - hr).abs().mean().view(1, 1)


def folders(restored, hr, num_workers, verbose):
    names = sorted(path.name for path in Path(restored).iterdir())
    assert names == sorted(path.name for path in Path(hr).iterdir())
    values = [decode((Path(restored) / name).read_bytes()).pixels.mean() for name in names]
    return float(np.mean(values))


def test_scores_are_means_and_fid_sees_folders(monkeypatch, capsys):
    library = stand_in(lpips=distance, niqe=lambda x: x.mean() * 255, fid=folders)
    monkeypatch.setitem(sys.modules, "pyiqa", library)
    perceptual = PerceptualMetrics(["lpips", "niqe", "fid"], torch.device("cpu"))
    assert perceptual.notes == {}
    for _ in range(2):  # new metrics for each set
        metrics = perceptual.for_set()
        found = [metrics.add(sample(value)) for value in (10, 30)]
        assert found[0]["lpips"] == pytest.approx(10 / 255, abs=1e-5)
        assert "fid" not in found[0]
        columns = metrics.columns()
        expected = {"lpips": 20 / 255, "niqe": 120, "fid": 120}
        assert columns == pytest.approx(expected, abs=1e-4)
    assert capsys.readouterr().out == ""


def test_what_fails_is_null_with_a_note_and_the_rest_stands(monkeypatch):
    def small(restored):
        if restored.mean() > 0.5:
            raise AssertionError("too small\nand more")
        return restored.mean()

    def nothing(*folders, **options):
        raise RuntimeError

    library = stand_in(lpips=OSError("no route to host"), niqe=distance, pi=small, fid=nothing)
    library.create_metric("pi")
    monkeypatch.setitem(sys.modules, "pyiqa", library)
    perceptual = PerceptualMetrics(["lpips", "niqe", "pi", "fid"], torch.device("cpu"))
    assert perceptual.notes == {"lpips": "pyiqa has no lpips here: OSError: no route to host"}
    metrics = perceptual.for_set()
    found = [metrics.add(sample(value)) for value in (10, 90)]
    assert found[1]["pi"] is found[0]["lpips"] is None
    columns = metrics.columns()
    assert columns["pi"] == pytest.approx(110 / 255, abs=1e-5)
    assert columns["pi_note"] == "pyiqa failed on an image: AssertionError: too small"
    assert columns["fid"] is columns["niqe"] is columns["lpips"] is None
    assert columns["fid_note"].endswith("RuntimeError")
    assert list(columns)[:2] == ["lpips", "lpips_note"]


def test_a_score_that_is_no_number_is_null(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", stand_in(niqe=lambda x: x.sum() * torch.nan))
    metrics = PerceptualMetrics(["niqe"], torch.device("cpu")).for_set()
    metrics.add(sample())
    assert metrics.columns() == {"niqe": None, "niqe_note": "not a finite number for an image"}


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    metrics = PerceptualMetrics(["lpips", "fid"], torch.device("cpu")).for_set()
    assert metrics.add(sample()) == {"lpips": None}
    columns = metrics.columns()
    assert columns["lpips"] is columns["fid"] is None
    assert columns["lpips_note"] == columns["fid_note"]


def test_not_installed_it_says_what_to_install():
    try:
        import pyiqa  # noqa: F401
    except ModuleNotFoundError:
        notes = PerceptualMetrics(["lpips"], torch.device("cpu")).notes
        assert notes == {"lpips": "pyiqa not installed: pip install 'irncli[perceptual]'"}
    else:
        pytest.skip("pyiqa is installed")
