"""Times of compressing and restoring a photograph, per megapixel and relative to plain codecs.

    python benchmarks/compression_times.py --megapixels 0.4 --efforts 0 1 3 9 --repeats 3

irn's file is made without its guard, search or report: a small image, its coefficients, a JPEG of
quality 50. AVIF and JPEG code the photograph itself, by Pillow at its usual speed. All are measured
alternately on one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import finish, hardware, middle, photograph

from irncli.compression.jpeg_coder import rounds_of
from irncli.compression.pipeline import Compressor
from irncli.compression.plain import encode_plain
from irncli.engine.rescaler import Pixels, Rescaler
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.model import InvertibleNetwork
from irncli.zoo.registry import default_registry

QUALITY = 50
CODECS = ("jpeg", "avif")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--model", default="irn-jpeg-x2")
    parser.add_argument("--megapixels", type=float, default=0.4)
    parser.add_argument("--efforts", type=int, nargs="+", default=[0, 1, 3, 9])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    hr = photograph(options.megapixels)
    network = default_registry().load(options.model).network
    if not isinstance(network, InvertibleNetwork):
        raise SystemExit(f"{options.model} makes no small images")
    compressor = Compressor(Rescaler(network, "cpu"))
    ways = {f"irn, effort {effort}": irn(compressor, hr, effort) for effort in options.efforts}
    ways |= {codec: usual(hr, codec) for codec in CODECS}
    result: dict[str, Any] = {"hardware": hardware(), "megapixels": hr.size / 3e6}
    result["records"] = measured(ways, hr.size / 3e6, options.repeats)
    finish(result, options.json)


Way = tuple[Callable[[], bytes], Callable[[bytes], object]]
"""Functions that make a file and restore the image from it."""


def irn(compressor: Compressor, hr: Pixels, effort: int) -> Way:
    """Return the way of irn at an effort."""

    def encode() -> bytes:
        low = Picture(compressor.rescaler.downscale(hr))
        if not effort:
            return compressor.code(low, QUALITY)
        coder, rounds = compressor.coder(hr, low, compressor.rescaler.scale), rounds_of(effort)
        better = coder.improved(QUALITY, rounds) if rounds else coder
        return compressor.code(low, QUALITY, coefficients=better.code(QUALITY))

    size = (hr.shape[1], hr.shape[0])
    return encode, lambda data: compressor.restore(data, size, compressor.rescaler.scale)


def usual(hr: Pixels, codec: Any) -> Way:
    """Return the way of a codec that codes the image itself."""
    return lambda: encode_plain(hr, codec, QUALITY), decode


def measured(ways: dict[str, Way], megapixels: float, repeats: int) -> list[dict[str, Any]]:
    """Time all ways alternately; return seconds per megapixel, and ratios to AVIF."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, (encode, restore) in ways.items():
            began = time.process_time()
            data = encode()
            between = time.process_time()
            restore(data)
            took[name].append((between - began, time.process_time() - between))
    records = []
    for name, times in took.items():
        record: dict[str, Any] = {"way": name}
        for place, step in enumerate(("encode", "decode")):
            peer = [each[place] for each in took["avif"]]
            mine = [each[place] for each in times]
            record[step] = middle([seconds / megapixels for seconds in mine])
            record[f"{step}_to_avif"] = middle([a / b for a, b in zip(mine, peer, strict=True)])
        print(
            f"{name}: {record['encode']['median']:.2f} s per megapixel to encode, "
            f"{record['decode']['median']:.2f} to decode"
        )
        records.append(record)
    return records


if __name__ == "__main__":
    main()
