"""Memory of a batch of many small files over time.

    python benchmarks/batch.py --files 10000 --json benchmarks/results/batch-10000-cpu.json

Resident memory of `irn downscale` is read after each tenth of the files. If it grows, something of
each file is kept in memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import finish, hardware

from irncli.io.encoding import encode
from irncli.io.picture import Picture


def resident(pid: int) -> float:
    """Return the resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / (1 << 20)


def watch(process: subprocess.Popen[bytes], folder: Path, files: int) -> list[float]:
    """Return the resident memory in MiB after each tenth of the outputs."""
    found: list[float] = []
    while process.poll() is None and len(found) < 10:
        if len(list(folder.iterdir())) >= len(found) * files // 10 + files // 20:
            found.append(round(resident(process.pid), 1))
        time.sleep(0.05)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"hardware": hardware(), "files": options.files, "size": [48, 32]}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        target.mkdir()
        pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
        data = encode(Picture(pixels), image_format="png")
        for n in range(options.files):
            (source / f"{n:06}.png").write_bytes(data)
        words = ["downscale", str(source), "--scale", "2", "--output-dir", str(target), "-q"]
        began = time.perf_counter()
        environment = {**os.environ, "XDG_STATE_HOME": folder}
        with subprocess.Popen([sys.executable, "-m", "irncli", *words], env=environment) as process:
            result["resident_mib"] = watch(process, target, options.files)
        assert process.returncode == 0
        assert len(list(target.iterdir())) == options.files
        result["files_per_second"] = round(options.files / (time.perf_counter() - began), 1)
    print(result)
    finish(result, options.json)


if __name__ == "__main__":
    main()
