"""Measure `irn eval --task compress` image by image, so that it can be stopped and continued.

    python benchmarks/compression.py Kodak Set14 --efforts 0 3 9 --parts runs/compression
    irn eval --from benchmarks/results/compression.json --plot docs/compression.png --overwrite

A set takes hours at a high effort. Each image has a file of its own in the folder of parts, and is
measured only if that is missing. The joined records are written once there are all of them, beside
those of other sets and efforts that the output holds. Gray images are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from common import ROOT

from irncli.eval.compression import joined
from irncli.eval.records import Record, dumps, loads, merge
from irncli.eval.sets import ImageSet, find_sets
from irncli.io.image_file import decode
from irncli.io.paths import atomic_write

OUTPUT = ROOT / "benchmarks" / "results" / "compression.json"
QUALITIES = "10,25,50,80"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("sets", type=Path, nargs="+", help="folders of images")
    parser.add_argument("--efforts", type=int, nargs="+", default=[0, 3, 9])
    parser.add_argument("--parts", type=Path, required=True, help="folder for the parts")
    parser.add_argument("-o", dest="output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    options.parts.mkdir(parents=True, exist_ok=True)
    found = [
        records_of(images, effort, options.parts)
        for images in find_sets(options.sets)
        for effort in options.efforts
    ]
    before = loads(options.output.read_bytes()) if options.output.exists() else []
    atomic_write(options.output, dumps(merge([before, *found])).encode(), overwrite=True)


def records_of(images: ImageSet, effort: int, folder: Path) -> list[Record]:
    """Return the records of a set at an effort, measuring the images that have no part yet."""
    parts = []
    for path in images.paths:
        if decode(path.read_bytes()).neutral:
            continue
        part = folder / f"{images.name}-e{effort}-{path.stem}.json"
        if not part.exists():
            command = ["irncli", "eval", "--task", "compress", "--effort", str(effort), str(path)]
            options = ["--qualities", QUALITIES, "--json", str(part), "--quiet"]
            subprocess.run([sys.executable, "-m", *command, *options], check=True)
        parts.append(loads(part.read_bytes()))
    return joined(parts, images.name)


if __name__ == "__main__":
    main()
