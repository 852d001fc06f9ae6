r"""What the guard of `irn downscale` changes on ordinary photographs: PSNR with it and without.

    python benchmarks/guard_effect.py Set5 Set14 BSD100 Kodak --model irn-x2 --model irn-x4 \
        --parts runs/guard --json benchmarks/results/guard-effect.json
    python benchmarks/pages.py

PSNR as `irn eval` computes it, on Y and on RGB, z drawn with seed 0. An image whose LR the guard
leaves as it is has the same PSNR with it and without, and is not restored. Gray images are counted
apart: with the guard their LR is gray, and without it the network can hide detail in its colours.
Each model and set has a file of its own in the folder of parts, and is measured only if that is
missing or of other weights. Sets have images in colour.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean
from typing import Any

from common import finish, hardware

from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import Pixels
from irncli.engine.ticks import no_tick
from irncli.eval.methods import Trained
from irncli.eval.page import grid
from irncli.eval.sets import ImageSet, find_sets, load_cropped
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.operations.models import LoadedModel, Models

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, nargs="+", help="directories of images")
    parser.add_argument("--model", action="append", required=True, help="repeatable")
    parser.add_argument("--parts", type=Path, required=True, help="folder for the parts")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.parts.mkdir(parents=True, exist_ok=True)
    models, sets = Models(), list(find_sets(options.data))
    records = [record(models, name, each, options.parts) for name in options.model for each in sets]
    result = {"hardware": hardware(), "records": records}
    finish(result, options.json)
    print(*table(result), sep="\n")


def record(models: Models, name: str, images: ImageSet, folder: Path) -> Row:
    """Return the record of a model on a set, measured if it has no part yet."""
    model = models.load(name)
    part = folder / f"{model.name}-{images.name}.json"
    known = json.loads(part.read_text()) if part.exists() else {}
    if known.get("weights_sha256") != model.weights_sha256:
        rows = [compared(model, path) for path in images.paths]
        part.write_text(json.dumps(summary(model, images.name, rows)))
    found: Row = json.loads(part.read_text())
    return found


def compared(model: LoadedModel, path: Path) -> Row:
    """Return what the guard changes in one image: shares of blocks, and PSNR in dB."""
    hr = load_cropped(path, model.scale, DEFAULT_MAX_PIXELS)
    guarded = Trained(model.name, model, guarded=True)
    made = guarded.down(hr, no_tick)
    row: Row = {"image": path.name, "gray": made.neutral, "y": 0.0, "rgb": 0.0}
    row |= {"repaired": made.repaired, "bicubic": made.bicubic}
    if made.repaired or made.bicubic or made.neutral:
        bare = Trained(model.name, model, guarded=False)
        plain = bare.up(bare.down(hr, no_tick), 0, model.temperature, no_tick)
        checked = guarded.up(made, 0, model.temperature, no_tick)
        before, after = (quality(each, hr, model.scale) for each in (plain, checked))
        row |= {key: after[key] - before[key] for key in after}
    return row


def quality(restored: Pixels, hr: Pixels, scale: int) -> dict[str, float]:
    """Return PSNR in dB on Y and on RGB, without `scale` pixels at each border."""
    return {"y": psnr(luma(restored), luma(hr), scale), "rgb": psnr(restored, hr, scale)}


def summary(model: LoadedModel, name: str, rows: list[Row]) -> Row:
    """Return the record of a set from the rows of its images."""
    colour = [row for row in rows if not row["gray"]]
    gray = [row["y"] for row in rows if row["gray"]]
    return {
        "model": model.name,
        "weights_sha256": model.weights_sha256,
        "set": name,
        "images": len(colour),
        "changed": sum(row["repaired"] + row["bicubic"] > 0 for row in colour),
        **{key: mean(row[key] for row in colour) for key in ("repaired", "bicubic", "y", "rgb")},
        "least_rgb": min(row["rgb"] for row in colour),
        "most_rgb": max(row["rgb"] for row in colour),
        "gray_images": len(gray),
        "gray_y": mean(gray) if gray else None,
        "per_image": rows,
    }


def table(result: Row) -> list[str]:
    """Return Markdown: a row for each model and set."""
    titles = ["model", "set", "images", "changed", "blocks repaired", "blocks bicubic"]
    rows = [
        [
            each["model"], each["set"], str(each["images"]), str(each["changed"]),
            f"{each['repaired']:.2%}", f"{each['bicubic']:.2%}",
            *(f"{each[key]:+.3f}" for key in ("y", "rgb", "least_rgb", "most_rgb")),
            f"{each['gray_y']:+.2f}, {each['gray_images']}" if each["gray_images"] else "-",
        ]
        for each in result["records"]
    ]  # fmt: skip
    titles += ["PSNR-Y, dB", "PSNR-RGB, dB", "least of an image", "most", "gray images, Y"]
    return [grid(titles, rows)]


if __name__ == "__main__":
    main()
