"""Whether the fused kernels can run. This module imports neither Triton nor, by itself, torch."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["LEAST_CAPABILITY", "reason", "triton_version"]

LEAST_CAPABILITY = (8, 0)
"""Lowest compute capability of the GPU, that of the first GPUs with bfloat16."""


def triton_version() -> str:
    """Return the version of Triton; "" if Triton is not installed or does not tell."""
    try:
        return version("triton")
    except PackageNotFoundError:
        return ""


def reason(device: torch.device | None = None) -> str | None:
    """Return why the kernels cannot run on a device, or None if they can.

    Args:
        device: device to run on; None for the current CUDA device.
    """
    import torch

    if device is not None and device.type != "cuda":
        return f"the device is {device}, not CUDA"
    if torch.version.hip is not None:
        return "only NVIDIA GPUs are supported"
    if not torch.cuda.is_available():
        return "there is no CUDA device"
    capability = torch.cuda.get_device_capability(device)
    if capability < LEAST_CAPABILITY:
        got, least = (".".join(map(str, pair)) for pair in (capability, LEAST_CAPABILITY))
        return f"the GPU has compute capability {got}, the kernels need {least}"
    if find_spec("triton") is None:
        return "Triton is not installed"
    return None
