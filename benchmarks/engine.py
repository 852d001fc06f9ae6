"""Time and peak memory of the engine, compared with the same network run naively.

    python benchmarks/engine.py --model irn-x2 --megapixels 0.5 2 8 --repeats 3 --json out.json
    python benchmarks/engine.py --measure product --megapixels 0.5 --threads 1 2 --repeats 7
    python benchmarks/engine.py --measure bf16 --megapixels 0.5 --threads 1 2

"Naive" is how the reference runs it: the whole image at once, in contiguous float32, with one
concatenation after another. Each measurement is a separate process; the two ways alternate; a
small image is processed first as a warm-up. The time is that of one downscale and one upscale; the
memory is the peak above that of `import torch`.

`product` compares the arithmetic per second of a pass with that of a product of two float32
matrices of 1024x1024, which is measured before and after each pass. Only the multiplications and
additions of the convolutions count, and none for halos: all else that a pass does lowers its share.
`bf16` compares the times and the pixels of `--precision bf16` with those of fp32, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import bare_torch, child, finish, hardware, middle, photograph

from irncli.wording import counted

SIDE = 1024
"""Side of the matrices of the product."""
PRODUCTS = 20
"""Number of products that are timed together, for about half a second on one thread."""
INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags in /proc/cpuinfo of processors that compute in bfloat16; the last is that of ARM."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="irn-x2")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.5, 2, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", choices=["naive", "product", "bf16"], default="naive")
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=["engine", "naive"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, options.model, options.megapixels[0])))
        return
    if options.measure != "naive":
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as irn does
        measured = products if options.measure == "product" else precisions
        found = measured(options.model, options.megapixels[0], options.threads, options.repeats)
        finish({"hardware": hardware(), "model": options.model, **found}, options.json)
        return
    result: dict[str, Any] = {"hardware": hardware(), "model": options.model, "sizes": []}
    machine = result["hardware"]
    print(f"{options.model} on {machine['cpu']}, {counted(machine['threads'], 'thread')}")
    print("   MP  engine s   naive s  faster  engine MiB  naive MiB  memory")
    base = bare_torch()
    for megapixels in options.megapixels:
        size = measure(options.model, megapixels, options.repeats, base)
        result["sizes"].append(size)
        print(
            f"{megapixels:5g} {size['engine']['seconds']['median']:9.2f} "
            f"{size['naive']['seconds']['median']:9.2f} {size['speed_ratio']:6.2f}x "
            f"{size['engine']['mib']['median']:11.0f} {size['naive']['mib']['median']:10.0f} "
            f"{size['memory_ratio']:6.2f}x",
            flush=True,
        )
    finish(result, options.json)


def measure(model: str, megapixels: float, repeats: int, base: float) -> dict[str, Any]:
    """Measure engine and naive network alternately, for one size."""
    seconds: dict[str, list[float]] = {"engine": [], "naive": []}
    mib: dict[str, list[float]] = {"engine": [], "naive": []}
    for turn in range(repeats):
        for way in ("engine", "naive") if turn % 2 == 0 else ("naive", "engine"):
            command = [__file__, "--worker", way, "--model", model, "--megapixels", str(megapixels)]
            output, _, peak = child(command)
            seconds[way].append(json.loads(output)["seconds"])
            mib[way].append(peak - base)
    ways = {way: {"seconds": middle(seconds[way]), "mib": middle(mib[way])} for way in seconds}
    return {
        "megapixels": megapixels,
        "repeats": repeats,
        **ways,
        "speed_ratio": round(
            ways["naive"]["seconds"]["median"] / ways["engine"]["seconds"]["median"], 3
        ),
        "memory_ratio": round(ways["engine"]["mib"]["median"] / ways["naive"]["mib"]["median"], 3),
    }


def work(way: str, model: str, megapixels: float) -> dict[str, float]:
    """Time one downscale and one upscale in this process."""
    import torch

    from irncli.engine.rescaler import Rescaler
    from irncli.model.quantize import quantize
    from irncli.zoo.registry import default_registry

    network = default_registry().load(model).network
    hr = photograph(megapixels)
    if way == "engine":
        rescaler = Rescaler(network, "cpu")

        def run(pixels: Any) -> None:
            rescaler.upscale(rescaler.downscale(pixels), seed=0)
    else:
        torch.set_flush_denormal(True)

        @torch.inference_mode()
        def run(pixels: Any) -> None:
            x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().div(255)
            low, z = network(x.contiguous())
            noise = torch.randn(z.shape) * network.latent_sigma.view(1, -1, 1, 1)
            network.inverse(quantize(low), noise)

    run(hr[:256, :256])
    began = time.perf_counter()
    run(hr)
    return {"seconds": time.perf_counter() - began}


def operations(network: Any, pixels: int) -> float:
    """Return the multiplications and additions of the convolutions of one pass.

    Args:
        network: an invertible network.
        pixels: number of pixels of HR.
    """
    from torch import nn

    total, reduction = 0.0, 1
    for operation in network.chain:
        reduction *= getattr(operation, "factor", 1)
        weights = [m.weight.numel() for m in operation.modules() if isinstance(m, nn.Conv2d)]
        total += 2 * sum(weights) * pixels / reduction**2
    return total


def passes(model: str, megapixels: float, precision: Any) -> tuple[Any, np.ndarray, dict[str, Any]]:
    """Return a network, HR, and a function for each direction that returns the pixels it makes."""
    from irncli.engine.rescaler import Rescaler
    from irncli.zoo.registry import default_registry

    network = default_registry().load(model).network
    rescaler, hr = Rescaler(network, "cpu", precision), photograph(megapixels)
    low = Rescaler(default_registry().load(model).network, "cpu", "fp32").downscale(hr)
    up = partial(rescaler.upscale, low, seed=0)
    return network, hr, {"downscale": partial(rescaler.downscale, hr), "upscale": up}


def seconds_of(run: Callable[[], Any]) -> float:
    """Return the time of one run in seconds."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def products(model: str, megapixels: float, threads: list[int], repeats: int) -> dict[str, Any]:
    """Measure passes and products of matrices in turns, in thousand millions of operations."""
    import torch

    network, hr, ways = passes(model, megapixels, "fp32")
    work = operations(network, hr.shape[0] * hr.shape[1]) / 1e9
    a, b = torch.rand(2, SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)

    def multiply() -> float:
        took = seconds_of(lambda: [torch.mm(a, b, out=out) for _ in range(PRODUCTS)])
        return 2 * SIDE**3 * PRODUCTS / took / 1e9

    product: dict[int, list[float]] = {count: [] for count in threads}
    speeds = {(count, way): [] for count in threads for way in ways}
    shares = {(count, way): [] for count in threads for way in ways}
    for _ in range(repeats):
        for count in threads:
            torch.set_num_threads(count)
            for way, run in ways.items():
                before, speed, after = multiply(), work / seconds_of(run), multiply()
                product[count] += before, after
                speeds[count, way].append(speed)
                shares[count, way].append(2 * speed / (before + after))
    rows = [
        {
            "threads": count,
            "way": way,
            "product": middle(product[count]),
            "pass": middle(speeds[count, way]),
            "share": middle(shares[count, way]),
        }
        for count, way in speeds
    ]
    found = {"megapixels": megapixels, "repeats": repeats, "rows": rows}
    print("\n".join(table({"model": model, **found})))
    return found


def table(result: dict[str, Any]) -> list[str]:
    """Return a Markdown table of the shares of a product, with their spread."""
    head = f"{result['model']}, {result['megapixels']:g} megapixels"
    return [
        f"| {head} | threads | product, GFLOP/s | pass, GFLOP/s | share: median, least, most |",
        "|---|---|---|---|---|",
        *(
            f"| {row['way']} | {row['threads']} | {row['product']['median']:.1f} | "
            f"{row['pass']['median']:.1f} | "
            + ", ".join(f"{row['share'][key]:.0%}" for key in ("median", "least", "most"))
            + " |"
            for row in result["rows"]
        ),
    ]


def precisions(model: str, megapixels: float, threads: list[int], repeats: int) -> dict[str, Any]:
    """Measure bf16 and fp32 in turns: seconds, and differences of the pixels in code values."""
    import torch

    info = Path("/proc/cpuinfo")
    flags = INSTRUCTIONS & set(info.read_text(encoding="utf-8").split() if info.exists() else ())
    if flags:
        print(f"instructions for bfloat16: {', '.join(sorted(flags))}")
    else:
        print("this processor has no instructions for bfloat16: times of bf16 mean nothing here")
    ways = {precision: passes(model, megapixels, precision)[2] for precision in ("fp32", "bf16")}
    rows = []
    for way in ways["fp32"]:
        difference = np.abs(ways["fp32"][way]().astype(int) - ways["bf16"][way]())
        for count in threads:
            torch.set_num_threads(count)
            taken: dict[str, list[float]] = {"fp32": [], "bf16": []}
            for _ in range(repeats):
                for precision, values in taken.items():
                    values.append(seconds_of(ways[precision][way]))
            rows.append(
                {
                    "way": way,
                    "threads": count,
                    "seconds": {precision: middle(values) for precision, values in taken.items()},
                    "most_levels": int(difference.max()),
                    "share_differing": round(float((difference > 0).mean()), 6),
                }
            )
            last = rows[-1]
            print(
                f"{way}, {counted(count, 'thread')}: fp32 {last['seconds']['fp32']['median']:.2f} s"
                f", bf16 {last['seconds']['bf16']['median']:.2f} s; they differ by up to "
                f"{counted(last['most_levels'], 'code value')}, on {last['share_differing']:.2%}",
                flush=True,
            )
    return {
        "megapixels": megapixels, "repeats": repeats, "instructions": sorted(flags), "rows": rows,
    }  # fmt: skip


if __name__ == "__main__":
    main()
