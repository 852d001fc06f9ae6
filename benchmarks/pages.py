"""Write docs/results.md and docs/compression.md from the measurements in benchmarks/results/*.json.

python benchmarks/pages.py
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compression_rates
import engine
import guard_effect
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

Gain and cost of `--refine`, measured by `benchmarks/refinement.py` with z = 0. PSNR of the restored
image (RGB for a colour model) and of LR against bicubic LR (for a colour model: gray against luma),
before and after. Times are processor times; each is compared with a plain downscale of the same
image in the same run.
"""

SAME_QUALITY = """
## Through JPEG of the same quality

PSNR on Y and bits per pixel of networks whose LR is a JPEG, measured by
`benchmarks/same_quality.py` with z = 0 and without a restoration module. Files of equal quality
differ in size; docs/compression.md compares files of equal size.
"""

HARD = """
## Images unlike photographs

Measured by `benchmarks/hard.py`, through `irn downscale` and `irn upscale` with the guard on:
patterns, dithers, pixel art, flat colours, noise, text and charts of 192x192 pixels. An image
counts as bad if it is restored more than 0.2 dB (RGB; 0.3 dB if the small image is a JPEG or the
scale a fraction) worse than by bicubic interpolation, unless its PSNR is 50 dB or more; if the PSNR
of its small image against the bicubic one is below 22 dB; or if the mean of some 8x8 pixels of the
small image differs by more than 8 levels.
"""

GUARD = """
## The guard on photographs

What the guard changes on the test sets, measured by `benchmarks/guard_effect.py`, z drawn with
seed 0: images with any changed block, shares of all blocks, and the mean change of PSNR. Gray
images, which are counted apart, stay gray with the guard; without it the network hides detail in
the colours of their small images.
"""

RATES = """
## Small files by scale and codec

What `irn compress --always-irn --target-bpp` writes, measured by `benchmarks/compression_rates.py`:
PSNR is on RGB, of the restored image; the rate includes the tag. xauto is `--scale auto`, which
takes x2 or x4. The plain codec has no mean where some of the images cannot be as small by it; the
last column counts those that can.
"""

PRODUCT = """
## Arithmetic on a CPU

Measured by `benchmarks/engine.py --measure product`: multiplications and additions of the
convolutions in a pass over a photograph, in GFLOP/s, and those of a product of two float32 matrices
of 1024x1024, which is measured before and after each pass. Work on the halos of tiles does not
count.
"""

CHART = """
![PSNR against bits per pixel](compression.png)
"""


def results() -> str:
    """Return docs/results.md: the page of `irn eval`, followed by the other measurements."""
    refined = json.loads((RESULTS / "refinement.json").read_text())["records"]
    tested = page(loads((RESULTS / "eval.json").read_bytes()))
    same = json.loads((RESULTS / "same-quality.json").read_text())
    rare = json.loads((RESULTS / "hard.json").read_text())
    parts = [tested + REFINEMENT, *table(refined), SAME_QUALITY, *same_quality.table(same)]
    parts += [HARD, *hard.table(rare)]
    if "note" in rare:
        parts += ["", f"Conditions: {rare['note']}."]
    parts += measured("guard-effect.json", GUARD, guard_effect.table)
    parts += arithmetic()
    return "\n".join([*parts, ""])


def measured(name: str, text: str, table: Callable[[dict[str, Any]], list[str]]) -> list[str]:
    """Return a section with the table of a file of results; empty before it is measured."""
    path = RESULTS / name
    return [text, *table(json.loads(path.read_text()))] if path.exists() else []


def arithmetic() -> list[str]:
    """Return the section about the arithmetic of the engine; empty before it is measured."""
    parts: list[str] = []
    for path in sorted(RESULTS.glob("engine-product-*.json")):
        measured = json.loads(path.read_text())
        machine = measured["hardware"]
        on = f"{machine['cpu']}, torch {machine['torch']}, {measured['repeats']} passes each:"
        parts += ["" if parts else PRODUCT, on, "", *engine.table(measured)]
    return parts


def compression() -> str:
    """Return docs/compression.md: the page of `irn eval --task compress`, a table and a chart."""
    records = json.loads((RESULTS / "compression.json").read_text())
    small = measured("compression-rates.json", RATES, compression_rates.table)
    return "\n".join([compression_report.page(records), *small]) + CHART


if __name__ == "__main__":
    atomic_write(ROOT / "docs" / "compression.md", compression().encode(), overwrite=True)
    atomic_write(ROOT / "docs" / "results.md", results().encode(), overwrite=True)
