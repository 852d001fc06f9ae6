"""irn doctor: says that all is well, and what is not."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from irncli.cli import checks
from irncli.cli.checks import examine
from irncli.zoo.model_dirs import shipped_folder
from irncli.zoo.registry import Registry


@pytest.fixture
def without(tmp_path):
    """Run the doctor where a package breaks when it is imported."""

    def call(package, how):
        fake = tmp_path / "fake" / package
        fake.mkdir(parents=True)
        (fake / "__init__.py").write_text(f"raise {how}\n")
        path = os.pathsep.join([str(fake.parent), *sys.path])
        environment = {**os.environ, "PYTHONPATH": path, "XDG_DATA_HOME": str(tmp_path / "xdg")}
        result = subprocess.run(
            [sys.executable, "-m", "irncli", "doctor"],
            env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert "Traceback" not in result.stderr
        return result

    return call


def findings(check):
    """What one check finds, without the time that the others take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "CHECKS", {check: checks.CHECKS[check]})
        return list(examine())


def verdicts(check):
    return [finding.verdict for finding in findings(check)]


def test_all_is_well_here(irn):
    outcome = irn("doctor")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.decode().splitlines()
    assert {line[:6] for line in lines} <= {"ok    ", "warn  ", " " * 6}
    text = " ".join(outcome.out.decode().split())
    for part in ("Python 3.", "torch 2.", "pillow", "undamaged: irn-color", "the same in tiles"):
        assert part in text


def test_json(irn):
    outcome = irn("doctor", "--json")
    record = json.loads(outcome.out)
    assert (outcome.status, record["healthy"]) == (0, True)
    assert {each["check"] for each in record["checks"]} == set(checks.CHECKS)
    assert set(record["checks"][0]) == {"verdict", "check", "text"}


@pytest.mark.parametrize(
    ("package", "how", "broken"),
    [
        ("torch", "OSError('libtorch_cpu.so: cannot open')", ["CPU", "GPU", "models", "self-test"]),
        ("PIL", "ModuleNotFoundError('No module named PIL')", ["self-test"]),
        ("safetensors", "ImportError('cannot import it')", ["models", "self-test"]),
        ("platformdirs", "ImportError('gone')", ["data", "models", "self-test"]),
    ],
)
def test_what_breaks_is_a_line(without, package, how, broken):
    result = without(package, how)
    failed = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("fail")]
    assert failed == broken
    assert result.returncode == 1


def test_a_damaged_model(irn, tmp_path):
    folder = tmp_path / "xdg" / "irn" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.safetensors").write_bytes(b"damaged")
    outcome = irn("doctor")
    assert outcome.status == 1
    assert "fail  models     mine (imported): mine.safetensors is not a" in outcome.out.decode()


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder that stands in for the weights of the package."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    registry = Registry(shipped=folder, imported=tmp_path / "none")
    monkeypatch.setattr("irncli.zoo.registry.default_registry", lambda: registry)
    return folder


def test_no_weights_at_all(shipped):
    assert verdicts("models") == ["fail"]
    assert verdicts("self-test") == ["fail"]


def test_changed_weights(shipped):
    data = bytearray((shipped_folder() / "irn-x2.safetensors").read_bytes())
    data[-1000] ^= 1
    (shipped / "irn-x2.safetensors").write_bytes(data)
    (finding,) = findings("models")
    assert finding.verdict == "fail"
    assert "irn-x2 (shipped): irn-x2.safetensors is damaged" in finding.text


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch, irn):
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o755)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    (finding,) = findings("data")
    assert finding.verdict == "warn"
    assert "irn models import" in finding.text


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(checks, "LITTLE_MEMORY", 1 << 60)
    if verdicts("memory") == ["ok"]:
        pytest.skip("this system does not say how much is free")
    assert verdicts("memory") == ["warn"]


def test_a_missing_package_is_named(monkeypatch):
    versions = checks._version
    monkeypatch.setattr(checks, "_version", lambda name: None if name == "rich" else versions(name))
    (finding,) = findings("packages")
    assert finding.verdict == "fail"
    assert "rich is missing" in finding.text


def test_a_driver_that_torch_does_not_use_is_a_warning(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert verdicts("GPU") == ["warn", "ok"]


def test_results_that_depend_on_tiles_fail(monkeypatch):
    real = checks._down_and_up

    def other(model, hr):
        low, back = real(model, hr)
        if model.rescaler.tile == 64:
            back = back.copy()
            back[0, 0, 0] ^= 1
        return low, back

    monkeypatch.setattr(checks, "_down_and_up", other)
    found = [each.text for each in findings("self-test") if each.verdict == "fail"]
    assert len(found) == 1
    assert "tiles change" in found[0]


def test_bad_pictures_fail(monkeypatch):
    real = checks._down_and_up
    monkeypatch.setattr(
        checks, "_down_and_up", lambda model, hr: (real(model, hr)[0], np.zeros_like(hr))
    )
    found = [each.text for each in findings("self-test") if each.verdict == "fail"]
    assert len(found) == 1
    assert "expected 30 dB" in found[0]
