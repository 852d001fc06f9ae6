"""Time of a downscale by what idle OpenMP threads do, alone and beside other work.

    python benchmarks/waiting.py --megapixels 0.3 --repeats 3 --json out.json

`active` threads spin until there is work, as without irn's setting; `passive` ones sleep, as irn
sets it. `one` is a single thread. Other work is one busy process for each core.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import finish, hardware, middle, photograph, repeating_parser

from irncli.io.encoding import encode
from irncli.io.picture import Picture

WAYS = {
    "active": {"OMP_WAIT_POLICY": "ACTIVE"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one": {"OMP_NUM_THREADS": "1"},
}
BUSY = "while True: pass"


def main() -> None:
    parser = repeating_parser(__doc__, repeats=3)
    parser.add_argument("--model", default="irn-x2")
    parser.add_argument("--megapixels", type=float, default=0.3)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "hardware": hardware(), "model": options.model, "megapixels": options.megapixels,
        "repeats": options.repeats,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        hr, low = Path(folder) / "hr.png", Path(folder) / "low.png"
        hr.write_bytes(encode(Picture(photograph(options.megapixels)), image_format="png"))
        command = ["downscale", str(hr), "--model", options.model, "-o", str(low), "--overwrite"]
        result["alone"] = compared(command, options.repeats)
        with busy_cores():
            result["beside"] = compared(command, options.repeats)
    for place in ("alone", "beside"):
        for way, found in result[place].items():
            print(
                f"{place:<7} {way:<8} {found['seconds']['median']:6.2f} s, "
                f"{found['processor']['median']:6.2f} s of processor time"
            )
    finish(result, options.json)


def compared(command: list[str], repeats: int) -> dict[str, Any]:
    """Time the command in all ways alternately; return seconds of wall clock and of processor."""
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, environment in WAYS.items():
            taken[way].append(timed(command, environment))
    return {
        way: {"seconds": middle([a for a, _ in pairs]), "processor": middle([b for _, b in pairs])}
        for way, pairs in taken.items()
    }


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run irn; return its time by the clock and its processor time, in seconds."""
    others = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "irncli", *command], env=others | environment, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, spent


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep one process busy for each core."""
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


if __name__ == "__main__":
    main()
