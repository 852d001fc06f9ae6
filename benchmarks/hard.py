r"""Results of the commands on images unlike photographs, compared with bicubic interpolation.

    python benchmarks/hard.py Kodak --model irn-x2 --model irn-x4 --seeds 5 \
        --json benchmarks/results/hard.json
    python benchmarks/pages.py

Every image goes through `irn downscale` and `irn upscale` in three ways: with default options, at
x2.5, and with a JPEG of quality 90 as the small image. An image counts as *bad* if it is restored
more than 0.2 dB (0.3 dB if the small image is a JPEG or the scale a fraction) worse than by bicubic
interpolation through the same steps, unless its PSNR is 50 dB or more; if the PSNR of its small
image against the bicubic one is below 22 dB; or if the mean of some 8x8 pixels of the small image
differs by more than 8 levels. PSNR is on RGB.

Flat colours (9 levels per channel), colour noise on crops of photographs, and `irn decolor` are
measured as well. The bicubic reference is computed here, in float64, independently of the package.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import hardware
from hard_images import crop, hard_images
from PIL import Image

from irncli.eval import records

Images = dict[str, np.ndarray]
CEILING = 50.0
JPEG_QUALITY = 90
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Way:
    """A way to make a small image and restore it.

    Attributes:
        name: name in the table.
        scale: HR size over LR size; None: the scale of the model.
        jpeg: True if the small image is a JPEG.
        slack: largest accepted loss of PSNR against bicubic interpolation, in dB.
    """

    name: str
    scale: float | None = None
    jpeg: bool = False
    slack: float = 0.2


WAYS = (
    Way("PNG"),
    Way("x2.5", scale=2.5, slack=0.3),
    Way(f"JPEG {JPEG_QUALITY}", jpeg=True, slack=0.3),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("photos", type=Path, help="directory of photographs to take crops from")
    parser.add_argument("--model", action="append", required=True, help="repeatable")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--ways", default=",".join(way.name for way in WAYS))
    parser.add_argument("--guard", default="on", choices=("on", "off"))
    parser.add_argument("--laws", default="flat,noise,color", help="further measurements")
    parser.add_argument("--list", action="store_true", help="print every image")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photos = sorted(options.photos.glob("*.png"))
    images = {
        f"{name}.{seed}": image
        for seed in range(options.seeds)
        for name, image in hard_images(seed, photos)
    }
    result: dict[str, Any] = {"hardware": hardware(), "guard": options.guard, "records": []}
    chosen = [way for way in WAYS if way.name in options.ways.split(",")]
    laws = options.laws.split(",")
    for model in options.model:
        for way in chosen:
            if way.scale is None or way.scale < scale_of(model):
                rows = through(images, model, way, options.guard)
                show(rows, way, every=options.list)
                result["records"].append(summary(model, way, rows))
        if "flat" in laws:
            result["records"].append(flat_colours(model, options.guard))
        if "noise" in laws:
            result["records"].append(noise(model, photos, options.guard))
    if "color" in laws:
        result["records"].append(colours(photos, options.guard))
    if options.json is not None:
        options.json.write_text(dumps(result), encoding="utf-8")
    print(*table(result), sep="\n")


def dumps(result: dict[str, Any]) -> str:
    """Return the JSON of a result, with one line per image."""
    head = json.dumps({key: value for key, value in result.items() if key != "records"})
    return f'{head[:-1]}, "records": {records.dumps(result["records"]).rstrip()}}}\n'


# ---------------------------------------------------------------- the commands


def irn(*arguments: object) -> list[dict[str, Any]]:
    """Run a command of irn, and return its records.

    Raises:
        SystemExit: the command failed.
    """
    command = [sys.executable, "-m", "irncli", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def scale_of(model: str) -> int:
    from irncli.zoo.registry import default_registry

    return default_registry().load(model).network.config.scale


def there_and_back(
    images: Images, down: tuple[object, ...], up: tuple[object, ...], guard: str
) -> Iterable[tuple[str, np.ndarray, np.ndarray, dict[str, Any]]]:
    """Yield the name, the small image, the restored image and the first record of each image."""
    with tempfile.TemporaryDirectory() as folder:
        given, small, back = (Path(folder, name) for name in ("in", "small", "back"))
        given.mkdir()
        for name, image in images.items():
            Image.fromarray(image).save(given / f"{name}.png")
        made = irn(*down, given, "--output-dir", small, "--guard", guard)
        restored = irn(*up, small, "--output-dir", back, "--seed", 1)
        outputs = {record["input"]: record["output"] for record in restored}
        for record in made:
            name = Path(record["input"]).stem
            output = record["output"]
            yield name, load(output), load(outputs[output]), record


def load(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


# ---------------------------------------------------------------- the reference


def cubic(t: np.ndarray) -> np.ndarray:
    t = np.abs(t)
    inner, outer = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, inner, np.where(t < 2, outer, 0))


def matrix(size: int, target: int) -> np.ndarray:
    """Return the matrix of bicubic resizing along an axis, antialiased, with mirrored edges."""
    width = max(1.0, size / target)
    centres = (np.arange(target) + 0.5) * size / target - 0.5
    index = np.floor(centres[:, None] - 2 * width) + np.arange(int(4 * width) + 3)
    weights = cubic((centres[:, None] - index) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    index = np.mod(index, 2 * size).astype(int)
    rows = np.zeros((target, size))
    mirrored = np.where(index < size, index, 2 * size - 1 - index)
    np.add.at(rows, (np.arange(target)[:, None], mirrored), weights)
    return rows


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    down, across = matrix(image.shape[0], height), matrix(image.shape[1], width)
    return np.clip(np.rint(np.einsum("ih,hwc,jw->ijc", down, image, across, optimize=True)), 0, 255)


def through_jpeg(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(
        buffer, "jpeg", quality=JPEG_QUALITY, subsampling=0
    )
    return np.asarray(Image.open(buffer).convert("RGB"), np.float64)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a - b) ** 2), 1e-3)))


def means(image: np.ndarray, side: int) -> np.ndarray:
    """Return the mean colours of all complete squares."""
    height, width = (size // side * side for size in image.shape[:2])
    squares = image[:height, :width].reshape(height // side, side, width // side, side, -1)
    return squares.mean(axis=(1, 3))


# ---------------------------------------------------------------- what is measured


def through(images: Images, model: str, way: Way, guard: str) -> list[dict[str, Any]]:
    """Return a row for each image."""
    scale = way.scale or scale_of(model)
    down: tuple[object, ...] = ("downscale", "--model", model, "--scale", scale)
    if way.jpeg:
        down += ("--format", "jpeg", "--quality", JPEG_QUALITY)
    rows = []
    for name, small, back, record in there_and_back(images, down, ("upscale",), guard):
        hr = images[name].astype(np.float64)
        plain = resized(hr, *small.shape[:2])
        seen = through_jpeg(plain) if way.jpeg else plain
        guarded = record.get("guarded") or {}
        row = {
            "name": name,
            "restored": psnr(hr, back),
            "bicubic": psnr(hr, resized(seen, *hr.shape[:2])),
            "lr": psnr(small, plain),
            "shift": float(np.abs(means(small - plain, 8)).max()),
            "seconds": record["seconds"],
            "repaired": guarded.get("repaired", 0.0),
            "bicubic_share": guarded.get("bicubic", 0.0),
        }
        rows.append(row)
    return rows


def is_worse(row: dict[str, Any], way: Way) -> bool:
    return row["restored"] < min(row["bicubic"], CEILING) - way.slack


def is_bad(row: dict[str, Any], way: Way) -> bool:
    return is_worse(row, way) or row["lr"] < 22 or row["shift"] > 8


def summary(model: str, way: Way, rows: list[dict[str, Any]]) -> dict[str, Any]:
    def capped(key: str) -> np.ndarray:
        return np.minimum([row[key] for row in rows], 60)

    return {
        "law": "hard images",
        "model": model,
        "way": way.name,
        "images": len(rows),
        "bad": sum(is_bad(row, way) for row in rows),
        "worse": sum(is_worse(row, way) for row in rows),
        "lr_far": sum(row["lr"] < 22 for row in rows),
        "shifted": sum(row["shift"] > 8 for row in rows),
        "mean_gain": round(float(np.mean(capped("restored") - capped("bicubic"))), 3),
        "repaired": round(float(np.mean([row["repaired"] for row in rows])), 4),
        "bicubic": round(float(np.mean([row["bicubic_share"] for row in rows])), 4),
        "seconds_down": round(sum(row["seconds"] for row in rows), 1),
        "rows": [
            {key: round(v, 3) if isinstance(v, float) else v for key, v in row.items()}
            for row in rows
        ],
    }


def show(rows: list[dict[str, Any]], way: Way, *, every: bool) -> None:
    for row in rows:
        bad = is_bad(row, way)
        if bad or every:
            print(
                f"{'BAD ' if bad else '    '}{row['name']:26} restored {row['restored']:6.2f} "
                f"bicubic {row['bicubic']:6.2f}  LR {row['lr']:6.2f} shift {row['shift']:5.1f}  "
                f"repaired {row['repaired']:.2f} bicubic {row['bicubic_share']:.2f}",
                file=sys.stderr,
            )


def flat_colours(model: str, guard: str) -> dict[str, Any]:
    """Measure the largest error of LR and of the restored image over 729 flat colours."""
    levels = np.rint(np.linspace(0, 255, 9)).astype(np.uint8)
    side = 8 * scale_of(model)
    images = {
        f"{r:03}-{g:03}-{b:03}": np.full((side, side, 3), (r, g, b), np.uint8)
        for r in levels
        for g in levels
        for b in levels
    }
    down = ("downscale", "--model", model, "--scale", scale_of(model))
    low = back = 0.0
    for name, small, restored, _ in there_and_back(images, down, ("upscale",), guard):
        low = max(low, float(np.abs(small - images[name][0, 0]).max()))
        back = max(back, float(np.abs(restored - images[name][0, 0]).max()))
    return {
        "law": "flat colours", "model": model, "images": len(images),
        "lr_off": low, "restored_off": back,
    }  # fmt: skip


def noise(model: str, photos: list[Path], guard: str) -> dict[str, Any]:
    """Measure ten crops with colour noise: the largest error of the means of 16x16 pixels.

    The error of bicubic interpolation is returned for comparison.
    """
    scale, images = scale_of(model), {}
    rng = np.random.default_rng(5)
    for number in range(10):
        photo = crop(rng, photos)
        for sigma in (3, 6, 10, 20):
            noisy = photo + rng.normal(0, sigma, photo.shape)
            images[f"{number}-{sigma}"] = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    down = ("downscale", "--model", model, "--scale", scale)
    low = back = plain = 0.0
    for name, small, restored, _ in there_and_back(images, down, ("upscale",), guard):
        hr = images[name].astype(np.float64)
        low = max(low, float(np.abs(means(small, 16) - means(hr, 16 * scale)).max()))
        back = max(back, float(np.abs(means(restored, 16) - means(hr, 16)).max()))
        bicubic = resized(resized(hr, *small.shape[:2]), *hr.shape[:2])
        plain = max(plain, float(np.abs(means(bicubic, 16) - means(hr, 16)).max()))
    return {
        "law": "colour noise", "model": model, "images": len(images), "lr_off": round(low, 2),
        "restored_off": round(back, 2), "bicubic_off": round(plain, 2),
    }  # fmt: skip


def colours(photos: list[Path], guard: str) -> dict[str, Any]:
    """Compare `irn decolor` on the hard images of seed 0 with luma and a single tint."""
    images = dict(hard_images(0, photos))
    shift = worst = 0.0
    for name, gray, back, _ in there_and_back(images, ("decolor",), ("colorize",), guard):
        hr = images[name].astype(np.float64)
        luma = np.rint(hr @ LUMA)[..., None]
        tinted = np.clip(np.rint(luma + (hr.mean(axis=(0, 1)) - luma.mean())), 0, 255)
        shift = max(shift, float(np.abs(means(gray[..., :1] - luma, 8)).max()))
        worst = max(worst, min(psnr(hr, tinted), CEILING) - psnr(hr, back))
    return {
        "law": "decolor", "model": "irn-color", "images": len(images),
        "lr_off": round(shift, 2), "loss": round(worst, 3),
    }  # fmt: skip


# ---------------------------------------------------------------- the table


def table(result: dict[str, Any]) -> list[str]:
    """Return the tables and the sentence on `irn decolor` as lines of Markdown."""
    rows: Callable[[str], list[dict[str, Any]]] = lambda law: [  # noqa: E731
        record for record in result["records"] if record["law"] == law
    ]
    lines = [
        "| model | small image | images | bad | worse than bicubic | LR under 22 dB "
        "| LR shifted by 8 levels | gain over bicubic | blocks repaired | blocks bicubic |",
        "|---" * 10 + "|",
    ]
    lines += [
        f"| {one['model']} | {one['way']} | {one['images']} | {one['bad']} | {one['worse']} "
        f"| {one['lr_far']} | {one['shifted']} | {one['mean_gain']:+.2f} dB "
        f"| {one['repaired']:.1%} | {one['bicubic']:.1%} |"
        for one in rows("hard images")
    ]
    others = [*rows("flat colours"), *rows("colour noise")]
    if others:
        lines += [
            "",
            "| law | model | images | LR off by at most | restored off by at most "
            "| bicubic restored off by at most |",
            "|---" * 6 + "|",
        ]
    lines += [
        f"| {one['law']} | {one['model']} | {one['images']} | {one['lr_off']:g} "
        f"| {one['restored_off']:g} | {one.get('bicubic_off', '-')} |"
        for one in others
    ]
    for one in rows("decolor"):
        lines += [
            "",
            f"`irn decolor` on {one['images']} of these images: the mean of 8x8 gray pixels "
            f"departs from luma by at most {one['lr_off']:g} levels, and the restored image is at "
            f"most {max(0.0, one['loss']):.2f} dB worse than luma with the mean colour of the "
            "image.",
        ]
    return lines


if __name__ == "__main__":
    main()
