r"""Prepare a checkpoint of a training run for shipping: half precision, with a card.

    python benchmarks/ship.py RUN/best.safetensors weights/irn-x2.safetensors --minutes 140 \
        --recipe "round 1: ..." --recipe "round 2: ..." --hardware "2 CPU cores" --data .../Set5
    irn eval .../Set5 .../Set14 .../BSD100 --seeds 2 --json eval.json
    python benchmarks/ship.py weights/irn-x2.safetensors --measured eval.json

The first command prints the loss of PSNR by half precision on the images of --data. The last one
writes the measured table into the card; the weights and their hash stay unchanged.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch

from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import Rescaler
from irncli.engine.restorer import Restorer
from irncli.eval.report import card_rows, markdown
from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile, decode
from irncli.io.paths import atomic_write
from irncli.io.picture import Picture
from irncli.model import CompressionRestoration
from irncli.zoo.catalogue import CATALOGUE
from irncli.zoo.checkpoint import Card, read_checkpoint, serialise

DATA = (
    "206 images of the CID22 set, Cloudinary, CC BY-SA 4.0",
    "26 photographs of the CLIC 2025 validation set, Unsplash licence",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("source", type=Path, nargs="?", help="checkpoint of a training run")
    parser.add_argument("target", type=Path, help="checkpoint to ship")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--hardware")
    parser.add_argument("--recipe", action="append")
    parser.add_argument("--data", type=Path, help="directory of PNGs to compare on")
    parser.add_argument("--measured", type=Path, help="JSON of irn eval, for the table of the card")
    options = parser.parse_args()
    if options.source is not None:
        needed = ("minutes", "hardware", "recipe", "data")
        missing = [f"--{name}" for name in needed if getattr(options, name) is None]
        if missing:
            parser.error(f"a card needs {', '.join(missing)} as well")
        ship(options)
    elif options.measured is None:
        parser.error("give SOURCE and TARGET, or TARGET and --measured")
    if options.measured is not None:
        fill(options.target, options.measured)


def ship(options: argparse.Namespace) -> None:
    """Write the half-precision checkpoint with its card."""
    checkpoint = read_checkpoint(options.source)
    half = serialise(checkpoint.network, checkpoint.card, torch.float16)
    atomic_write(options.target, half, overwrite=True)
    exact, stored = (quality(path, options.data) for path in (options.source, options.target))
    print(f"float32 {exact:.4f} dB, float16 {stored:.4f} dB on {options.data.name}")
    card = Card(
        name=options.target.stem,
        summary=CATALOGUE[options.target.stem],
        licence="Apache-2.0 (weights); training images as named",
        data=DATA,
        recipe=tuple(options.recipe),
        hardware=options.hardware,
        minutes=options.minutes,
        temperature=checkpoint.card.temperature,
        stored=f"float16, {stored - exact:+.4f} dB on {options.data.name} against float32",
    )
    stored_network = read_checkpoint(options.target).network
    atomic_write(options.target, serialise(stored_network, card, torch.float16), overwrite=True)


def fill(target: Path, measured: Path) -> None:
    """Write the measurements of exactly these weights into their card."""
    checkpoint = read_checkpoint(target)
    rows = card_rows(json.loads(measured.read_bytes()), checkpoint.weights_sha256)
    if not rows:
        raise SystemExit(f"{measured} measures other weights than those of {target}")
    card = replace(checkpoint.card, measured=tuple(rows))
    dtype = torch.float16 if "float16" in card.stored else torch.float32
    atomic_write(target, serialise(checkpoint.network, card, dtype), overwrite=True)
    if read_checkpoint(target).weights_sha256 != checkpoint.weights_sha256:
        raise SystemExit(f"the weights of {target} were changed: take the old file back")
    print("\n".join(markdown(card.name, rows) if "z" in rows[0] else map(str, rows)))


def quality(path: Path, folder: Path) -> float:
    """Return the mean PSNR of a checkpoint on the PNGs of a directory, in dB.

    It is that of the image restored with z = 0, on Y, or on RGB for a colour network. For a CRM, it
    is that of the image restored from a JPEG of quality 50, on RGB.
    """
    network = read_checkpoint(path).network
    values = []
    for file in sorted(folder.glob("*.png")):
        hr = decode(file.read_bytes()).pixels
        if isinstance(network, CompressionRestoration):
            data = encode(Picture(hr), image_format="jpeg", quality=50)
            restorer = Restorer(network, "cpu")
            back = restorer.restore(decode(data).pixels, ImageFile(data).tables)
            values.append(psnr(hr, back))
            continue
        rescaler = Rescaler(network, "cpu")
        scale = rescaler.scale
        height, width = (side // scale * scale for side in hr.shape[:2])
        hr = hr[:height, :width]
        back = rescaler.upscale(rescaler.downscale(hr), (width, height), temperature=0)
        values.append(psnr(hr, back) if scale == 1 else psnr(luma(hr), luma(back), scale))
    return fmean(values)


if __name__ == "__main__":
    main()
