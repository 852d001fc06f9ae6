"""Write docs/results.md and docs/compression.md from what was measured: benchmarks/results/*.json.

python benchmarks/pages.py
"""

from __future__ import annotations

import json
from pathlib import Path

import hard
import same_quality
from refinement import table

from irncli.eval import compression_report
from irncli.eval.page import page
from irncli.eval.records import loads
from irncli.io.paths import atomic_write

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
REFINEMENT = """
## Refinement

What `--refine` gives and costs, by `benchmarks/refinement.py`: z = 0, PSNR of HR (of a colour model
on RGB) and of LR against bicubic LR (gray against luma) before and after. Times are processor time;
that of a plain downscale of the same image is taken beside it.
"""

SAME_QUALITY = """
## Through JPEG of the same quality

PSNR on Y and bits per pixel of networks whose LR is a JPEG, by `benchmarks/same_quality.py`:
z = 0, no restoration module. At equal quality bits differ: docs/compression.md compares at equal
bits.
"""

HARD = """
## Images that photographs are not

By `benchmarks/hard.py`, through `irn downscale` and `irn upscale` with the guard on: patterns,
dithers, pixel art, flat colours, noise, text, charts, of 192x192 pixels. An image is bad where it
is restored at least 0.2 dB worse than bicubic interpolation does (RGB; what has 50 dB never is),
where its small image is less than 22 dB near the bicubic one, or where the mean of 8x8 pixels of
that is more than 8 levels off.
"""

CHART = """
![PSNR over bits per pixel](compression.png)
"""


def results() -> str:
    """The page that `irn eval` writes, and below it what else was measured."""
    refined = json.loads((RESULTS / "refinement.json").read_text())["records"]
    tested = page(loads((RESULTS / "eval.json").read_bytes()))
    same = json.loads((RESULTS / "same-quality.json").read_text())
    rare = json.loads((RESULTS / "hard.json").read_text())
    parts = [tested + REFINEMENT, *table(refined), SAME_QUALITY, *same_quality.table(same)]
    return "\n".join([*parts, HARD, *hard.table(rare), ""])


def compression() -> str:
    """The page that `irn eval --task compress` writes, and the chart that it drew."""
    records = json.loads((RESULTS / "compression.json").read_text())
    return compression_report.page(records) + CHART


if __name__ == "__main__":
    atomic_write(ROOT / "docs" / "compression.md", compression().encode(), overwrite=True)
    atomic_write(ROOT / "docs" / "results.md", results().encode(), overwrite=True)
