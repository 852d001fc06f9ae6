"""Devices and floating-point precision."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Literal

import torch

from irncli.errors import UnavailableError, UsageError

__all__ = [
    "Precision",
    "cpu_name",
    "has_bfloat16",
    "is_out_of_memory",
    "resolve_device",
    "resolve_precision",
    "use_exact_fp32",
    "use_threads",
]

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """Return the device for a name: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    `auto` is CUDA if available, otherwise MPS if available, otherwise the CPU.

    Raises:
        UsageError: the name is not one of these.
        UnavailableError: this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and (kind != "cuda" or not index.isdecimal())):
        raise UsageError(f"device {name!r}: expected auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise UnavailableError(
            f"no device {name!r} here: torch sees {torch.cuda.device_count()} CUDA devices; "
            "use --device cpu"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UnavailableError("no device 'mps' here; use --device cpu")
    return torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype inside the dense blocks; everything else is always float32.

    `auto` is float16 on CUDA, with results within one code value of float32, and float32 on other
    devices.
    """
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision not in _DTYPES:
        raise UsageError(f"precision {precision!r}: expected auto, fp32, bf16 or fp16")
    return _DTYPES[precision]


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16, rather than only emulating it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in checks)


def use_threads(count: int | None) -> None:
    """Run the networks on this number of CPU threads; None: leave the number to torch."""
    if count is not None:
        torch.set_num_threads(count)


def use_exact_fp32() -> None:
    """Disable TF32 in convolutions and matrix products, so that float32 is exact."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that an allocation failed, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "out of memory" in text
    )


def cpu_name() -> str:
    """Return the name of the processor, for reports of measured times."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
