"""Whether the kernels can run here, and why not."""

import pytest
import torch

from irncli.cli import checks
from irncli.kernels import available


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine with Triton and a GPU of a compute capability, or without."""

    def pretend(*, triton=True, capability=(9, 0), hip=None):
        monkeypatch.setattr(available, "find_spec", lambda name: name if triton else None)
        monkeypatch.setattr(torch.version, "hip", hip)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    return pretend


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, None),
        ({"capability": (8, 0)}, None),
        ({"triton": False}, "Triton is not installed"),
        ({"capability": None}, "there is no CUDA device"),
        ({"capability": None, "triton": False}, "there is no CUDA device"),
        ({"hip": "6.4"}, "only NVIDIA GPUs are supported"),
        ({"capability": (7, 5)}, "the GPU has compute capability 7.5, the kernels need 8.0"),
    ],
)
def test_reason(machine, facts, expected):
    machine(**facts)
    assert available.reason() == expected
    assert available.reason(torch.device("cuda:0")) == expected


def test_other_devices(machine):
    machine()
    assert available.reason(torch.device("cpu")) == "the device is cpu, not CUDA"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "fused kernels: can run (Triton 3.6.0), but no command uses them yet"),
        ({"triton": False}, "fused kernels: no (Triton is not installed)"),
        ({"capability": None}, "fused kernels: no (there is no CUDA device)"),
    ],
)
def test_the_doctor_says_so(machine, monkeypatch, facts, expected):
    machine(**facts)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(available, "version", lambda name: "3.6.0")
    assert ("ok", expected) in list(checks.CHECKS["GPU"]())
