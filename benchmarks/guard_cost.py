"""Time of the guard on an ordinary photograph, relative to that of a downscale.

python benchmarks/guard_cost.py --model irn-x2 --model irn-x4 --megapixels 1 --repeats 3
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from common import finish, hardware, middle, photograph, repeating_parser

from irncli.engine.guard import guard
from irncli.engine.rescaler import Rescaler
from irncli.model import InvertibleNetwork
from irncli.zoo.registry import default_registry


def main() -> None:
    parser = repeating_parser(__doc__, repeats=3)
    parser.add_argument("--model", action="append", required=True, help="repeatable")
    parser.add_argument("--megapixels", type=float, default=1)
    options = parser.parse_args()
    result: dict[str, Any] = {"hardware": hardware(), "megapixels": options.megapixels}
    result["records"] = [measured(name, options) for name in options.model]
    finish(result, options.json)


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Time downscale and guard alternately; return seconds and ratio: median, least and most."""
    network = default_registry().load(name).network
    if not isinstance(network, InvertibleNetwork):
        raise SystemExit(f"{name} makes no small images")
    rescaler, hr = Rescaler(network, "cpu"), photograph(options.megapixels)
    downs, guards = [], []
    for _ in range(options.repeats):
        began = time.perf_counter()
        low = rescaler.downscale(hr)
        between = time.perf_counter()
        found = guard(rescaler, hr, low)
        downs.append(between - began)
        guards.append(time.perf_counter() - between)
    shares = [took / down for took, down in zip(guards, downs, strict=True)]
    record = {
        "model": name, "downscale": middle(downs), "guard": middle(guards),
        "share": middle(shares), "repaired": found.repaired, "bicubic": found.bicubic,
    }  # fmt: skip
    print(f"{name}: the guard takes {100 * record['share']['median']:.1f} % of a downscale")
    return record


if __name__ == "__main__":
    main()
