"""Averages of two checkpoints: between them, measured, and only of one architecture."""

import sys

import average
import numpy as np
import pytest
import torch
from PIL import Image

from irncli.zoo.checkpoint import Card, read_checkpoint, serialise
from tests.support.networks import SMALL, shaken


@pytest.fixture
def checkpoints(tmp_path):
    paths = [tmp_path / "before.safetensors", tmp_path / "after.safetensors"]
    for seed, path in enumerate(paths):
        path.write_bytes(serialise(shaken(SMALL["irn-x2"], seed), Card(name=path.stem)))
    return paths


def weights(path):
    return read_checkpoint(path).network.state_dict()


def test_shares_lie_between(checkpoints):
    before, after = map(weights, checkpoints)
    assert any(not torch.equal(value, after[name]) for name, value in before.items())
    for share in (0, 0.25, 1):
        state = average.average(*checkpoints, share).state_dict()
        for name, value in state.items():
            torch.testing.assert_close(value, (1 - share) * before[name] + share * after[name])


def test_other_networks_are_refused(checkpoints, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="other")))
    with pytest.raises(SystemExit, match="not two rescaling networks of one architecture"):
        average.average(checkpoints[0], other, 0.5)


def test_one_share_is_measured_and_written(checkpoints, tmp_path, photo, monkeypatch, capsys):
    (tmp_path / "train").mkdir()
    for n in range(2):
        image = np.ascontiguousarray(photo[100 * n : 100 * n + 96, :96])
        Image.fromarray(image).save(tmp_path / "train" / f"{n}.png")
    out = tmp_path / "out.safetensors"
    monkeypatch.setattr(
        sys, "argv",
        ["average.py", *map(str, checkpoints), "--data", str(tmp_path / "train"),
         "--shares", "0.5", "-o", str(out)],
    )  # fmt: skip
    average.main()
    expected = average.average(*checkpoints, 0.5).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in weights(out).items())
    row = capsys.readouterr().out.splitlines()[-1]
    assert row.startswith("| 0.5 |")
    assert row.count("|") == len(average.COLUMNS) + 2
    assert read_checkpoint(out).card.name == "after"
