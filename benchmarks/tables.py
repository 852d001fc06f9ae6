"""The tables of the model cards, measured through the commands on files.

    python benchmarks/tables.py --data ../shared/data/bench --model irn-x2 --json out.json
    python benchmarks/tables.py ... --card weights/irn-x2.safetensors    also writes them there

For each test set: `irn downscale` makes PNGs, `irn upscale` restores PNGs, with z = 0 and at the
default temperature with seed 0; PSNR and SSIM on Y, `scale` pixels cropped at each border, means
over the pictures; the LR against the 8-bit bicubic LR. `differ` is the share of 8-bit values that
differ between seeds 0 and 1, on the first set.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from common import finish, hardware

from irncli.engine.rescaler import bicubic
from irncli.eval.metrics import luma, psnr, ssim
from irncli.io.images import Picture, decode, encode

SETS = ("Set5", "Set14", "BSD100")
TEMPERATURES = {"z = 0": "0", "default": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with Set5, Set14, BSD100")
    parser.add_argument("--model", required=True, help="name or path of a checkpoint")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--card", type=Path, help="checkpoint whose card shall hold the table")
    options = parser.parse_args()
    from irncli.zoo.registry import default_registry

    scale = default_registry().load(options.model).network.config.scale
    rows: list[dict[str, Any]] = []
    for name in options.sets:
        rows += measure(options.data / name, options.model, scale, seeds=name == options.sets[0])
        for row in rows[-len(TEMPERATURES) :]:
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    print("\n".join(markdown(options.model, rows)))
    finish({"hardware": hardware(), "model": options.model, "rows": rows}, options.json)
    if options.card is not None:
        write_card(options.card, rows)


def measure(folder: Path, model: str, scale: int, *, seeds: bool) -> list[dict[str, Any]]:
    """Rows of one test set, one for each temperature."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        hr = work / "hr"
        crop(folder, hr, scale)
        irn("downscale", hr, "--model", model, "--output-dir", work / "lr", "--format", "png")
        rows = []
        for label, temperature in TEMPERATURES.items():
            restored = restore(work, label, model, 0, temperature)
            row = {"set": folder.name, "z": label, **scores(hr, restored, scale)}
            rows.append(row | {"lr_psnr": low_fit(hr, work / "lr", scale)})
        if seeds:
            other = restore(work, "other seed", model, 1, None)
            rows[-1]["differ"] = difference(restored, other)
    return rows


def crop(folder: Path, target: Path, scale: int) -> None:
    """Pictures cropped at the bottom and right to multiples of the scale."""
    target.mkdir()
    for path in sorted(folder.glob("*.png")):
        pixels = decode(path.read_bytes()).pixels
        height, width = (side // scale * scale for side in pixels.shape[:2])
        data = encode(Picture(np.ascontiguousarray(pixels[:height, :width])), format="png")
        (target / path.name).write_bytes(data)


def irn(*arguments: object) -> None:
    """Run a command, which must succeed."""
    command = [sys.executable, "-m", "irncli", *map(str, arguments), "-q"]
    subprocess.run(command, check=True)


def restore(work: Path, label: str, model: str, seed: int, temperature: str | None) -> Path:
    """Upscale all of LR into a folder of its own."""
    target = work / label.replace(" ", "")
    width = () if temperature is None else ("--temperature", temperature)
    irn("upscale", work / "lr", "--model", model, "--seed", seed, *width, "--output-dir", target)
    return target


def pairs(hr: Path, restored: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """HR and what came of it, picture by picture."""
    found = [(path, next(restored.glob(f"{path.stem}_x*.png"))) for path in sorted(hr.glob("*"))]
    return [(decode(a.read_bytes()).pixels, decode(b.read_bytes()).pixels) for a, b in found]


def scores(hr: Path, restored: Path, scale: int) -> dict[str, float]:
    """Mean PSNR-Y and SSIM-Y."""
    planes = [(luma(a), luma(b)) for a, b in pairs(hr, restored)]
    return {
        "psnr": round(fmean(psnr(a, b, scale) for a, b in planes), 3),
        "ssim": round(fmean(ssim(a, b, scale) for a, b in planes), 4),
    }


def low_fit(hr: Path, lr: Path, scale: int) -> float:
    """Mean PSNR-Y of LR against bicubic LR."""
    values = [psnr(luma(bicubic(a, *low.shape[:2])), luma(low), scale) for a, low in pairs(hr, lr)]
    return round(fmean(values), 3)


def difference(first: Path, second: Path) -> float:
    """Share of 8-bit values that differ between two folders of pictures."""
    shares = []
    for path in sorted(first.glob("*.png")):
        a, b = (decode((folder / path.name).read_bytes()).pixels for folder in (first, second))
        shares.append(float((a != b).mean()))
    return round(fmean(shares), 4)


def markdown(model: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of the README's table: a column for each test set."""
    lines = []
    for label, temperature in (("z drawn", "default"), ("z = 0", "z = 0")):
        chosen = [row for row in rows if row["z"] == temperature]
        cells = [f"{row['psnr']:.2f} / {row['ssim']:.4f}" for row in chosen]
        lines.append(f"| {model}, {label} | {' | '.join(cells)} |")
    fits = [f"{row['lr_psnr']:.2f}" for row in rows if row["z"] == "default"]
    return [*lines, f"| LR of {model} against bicubic LR | {' | '.join(fits)} |"]


def write_card(path: Path, rows: list[dict[str, Any]]) -> None:
    """Put the table into a checkpoint's card; the weights stay as they are, and so their hash."""
    from dataclasses import replace

    import torch

    from irncli.zoo.checkpoint import read_checkpoint, serialise

    checkpoint = read_checkpoint(path)
    card = replace(checkpoint.card, measured=tuple(rows))
    half = "float16" in card.stored
    data = serialise(checkpoint.network, card, torch.float16 if half else torch.float32)
    path.write_bytes(data)


if __name__ == "__main__":
    main()
