r"""PSNR and bits of networks whose LR goes through JPEG of the same qualities.

    python benchmarks/same_quality.py Kodak --model irn-x2 --model irn-jpeg-x2 \
        --json benchmarks/results/same-quality.json
    python benchmarks/pages.py

The comparison is that of the papers: the same quality for all networks, regardless of the bits;
PSNR on Y with `scale` pixels cropped at each border; z = 0; HR cropped to a multiple of the scale.
JPEG is 4:4:4, optimised and progressive. The bits are shown as well, since a network may gain PSNR
at equal quality by a busier LR.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from common import finish, hardware

from irncli.compression.pipeline import Compressor
from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import Rescaler
from irncli.eval.sets import find_sets, load_cropped
from irncli.io.picture import Picture
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.zoo.registry import default_registry

QUALITIES = (30, 50, 70, 80, 90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, help="directory of images")
    parser.add_argument("--model", action="append", required=True, help="name or path; repeatable")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    records = [measured(options.data, name) for name in options.model]
    finish({"set": options.data.name, "hardware": hardware(), "records": records}, options.json)
    print(*table({"set": options.data.name, "records": records}), sep="\n")


def measured(folder: Path, name: str) -> dict[str, Any]:
    """Return the means of a model over the images of a directory, at each quality."""
    checkpoint = default_registry().load(name)
    compressor = Compressor(Rescaler(checkpoint.network))
    (pictures,) = find_sets([folder])
    rows = [one(compressor, path) for path in pictures.paths]
    return {
        "model": name,
        "weights_sha256": checkpoint.weights_sha256,
        "images": len(rows),
        "points": [
            {
                "quality": quality,
                "psnr_y": round(mean(row[k][0] for row in rows), 4),
                "bpp": round(mean(row[k][1] for row in rows), 5),
            }
            for k, quality in enumerate(QUALITIES)
        ],
    }


def one(compressor: Compressor, path: Path) -> list[tuple[float, float]]:
    """Return PSNR on Y and bits per pixel of an image at each quality."""
    scale = compressor.rescaler.scale
    hr = load_cropped(path, scale, DEFAULT_MAX_PIXELS)
    height, width = hr.shape[:2]
    low = Picture(compressor.rescaler.downscale(hr))
    found = []
    for quality in QUALITIES:
        data = compressor.code(low, quality)
        back = compressor.restore(data, (width, height))
        found.append((psnr(luma(hr), luma(back), scale), 8 * len(data) / (height * width)))
    return found


def table(result: dict[str, Any]) -> list[str]:
    """Return a Markdown table with a row for each model: PSNR and bits at each quality."""
    head = " | ".join(f"quality {quality}" for quality in QUALITIES)
    return [
        f"| {result['set']}: PSNR-Y, bits per pixel | {head} |",
        "|---" * (1 + len(QUALITIES)) + "|",
        *(row(record["model"], record["points"]) for record in result["records"]),
    ]


def row(name: str, points: Sequence[dict[str, Any]]) -> str:
    cells = " | ".join(f"{point['psnr_y']:.2f}, {point['bpp']:.3f}" for point in points)
    return f"| {name} | {cells} |"


if __name__ == "__main__":
    main()
