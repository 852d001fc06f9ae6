"""Helpers of the benchmarks: options, hardware, a photograph of any size, memory of children."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "irncli" / "demo" / "photo.png"


def repeating_parser(docstring: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """Return a parser of options with those of repeated measurements: `--repeats` and `--json`.

    Args:
        docstring: docstring of the script; its first line is the description.
        repeats: default of `--repeats`.
    """
    parser = argparse.ArgumentParser(description=(docstring or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--json", type=Path)
    return parser


def hardware() -> dict[str, Any]:
    """Return the properties of the machine and the versions that results depend on."""
    import torch

    from irncli.engine.device import cpu_name

    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def photograph(megapixels: float) -> np.ndarray:
    """Return the bundled photograph, extended by mirroring to 3:2 and about this size."""
    from irncli.io.image_file import decode

    height = round((megapixels * 1e6 / 1.5) ** 0.5 / 8) * 8
    width = round(height * 1.5 / 8) * 8
    tile = decode(PHOTO.read_bytes()).pixels
    return np.pad(
        tile,
        ((0, max(0, height - tile.shape[0])), (0, max(0, width - tile.shape[1])), (0, 0)),
        mode="symmetric",
    )[:height, :width]


def child(arguments: list[str]) -> tuple[str, float, float]:
    """Run Python; return standard output, processor time in seconds, and peak memory in MiB.

    Raises:
        SystemExit: the process failed.
    """
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} failed with status {process.returncode}")
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def bare_torch() -> float:
    """Return the peak memory in MiB of a process that only imports torch."""
    return child(["-c", "import torch"])[2]


def middle(values: list[float]) -> dict[str, float]:
    """Return the median, the least and the most of repeated measurements."""
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


def finish(result: dict[str, Any], path: Path | None) -> None:
    """Write a result as JSON, if a path is given."""
    if path is not None:
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
