"""Overhead of a cluster: the same batch in one process, and over Ray on this machine alone.

    python benchmarks/cluster.py PICTURES --files 8 --scale 2 --json out.json

Both use the same processors, so the difference is the overhead of Ray: at the start, and for each
file. A batch of one file separates the two.
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

from common import finish, hardware

MADE = ("here", "ray")


def seconds(words: list[str], out: Path) -> float:
    """Return the wall-clock time of `irn downscale` with these arguments."""
    environment = {**os.environ, "XDG_STATE_HOME": str(out.parent)}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "irncli", "downscale", *words, "--output-dir", str(out), "-q"],
        check=True,
        env=environment,
    )
    return round(time.perf_counter() - began, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--files", type=int, default=24)
    parser.add_argument("--scale", default="2")
    parser.add_argument("--model", default="irn-x2")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = [str(path) for path in sorted(options.pictures.glob("*.png"))[: options.files]]
    words = ["--scale", options.scale, "--model", options.model]
    result: dict[str, Any] = {"hardware": hardware(), "files": len(files), "model": options.model}
    with tempfile.TemporaryDirectory() as folder:
        for name, more in zip(MADE, ([], ["--ray", "local"]), strict=True):
            one = seconds([*files[:1], *words, *more], Path(folder) / f"{name}-one")
            whole = seconds([*files, *words, *more], Path(folder) / name)
            result[name] = {
                "one_file_seconds": one,
                "seconds": whole,
                "seconds_per_further_file": round((whole - one) / (len(files) - 1), 3),
            }
        here, there = ({p.name: p.read_bytes() for p in Path(folder, n).iterdir()} for n in MADE)
        assert here == there
    print(result)
    finish(result, options.json)


if __name__ == "__main__":
    main()
