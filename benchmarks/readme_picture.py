"""Write docs/demo.jpg: the bundled photograph made small, and a detail of it restored.

python benchmarks/readme_picture.py docs/demo.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import PHOTO

from irncli.api import load
from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import bicubic
from irncli.eval.montage import Panel, labelled_row
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.pixels import Pixels

SCALE = 4
DETAIL = slice(145, 385), slice(60, 300)
"""Rows and columns of the detail."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", default=f"irn-x{SCALE}")
    parser.add_argument("--photo", type=Path, default=PHOTO)
    given = parser.parse_args()
    data = given.photo.read_bytes()
    row = picture(decode(data).pixels, len(data), given.model)
    given.output.write_bytes(encode(Picture(row), image_format="jpeg", quality=92))


def picture(hr: Pixels, size: int, name: str) -> Pixels:
    """Return the small image and details of bicubic, irn and the original, with labels."""
    model = load(name)
    height, width = hr.shape[:2]
    low = model.downscale(hr)
    plain_low = bicubic(hr, height // SCALE, width // SCALE)
    restored = model.upscale(low, seed=0, size=(width, height))
    small = len(encode(Picture(low), image_format="png"))
    plain_small = len(encode(Picture(plain_low), image_format="png"))
    panels = [Panel(low, ("small image", f"{low.shape[1]}x{low.shape[0]}, {small:,} bytes"))]
    for label, pixels, source in (
        ("bicubic down and up", bicubic(plain_low, height, width), plain_small),
        ("irn", restored, small),
    ):
        decibels = psnr(luma(hr), luma(pixels), SCALE)
        panels.append(Panel(pixels[DETAIL], (label, f"{decibels:.2f} dB from {source:,} bytes")))
    panels.append(Panel(hr[DETAIL], ("original", f"{width}x{height}, {size:,} bytes")))
    return labelled_row(panels)


if __name__ == "__main__":
    main()
