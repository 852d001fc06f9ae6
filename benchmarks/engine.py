"""Time and peak memory of the engine, compared with the same network run naively.

    python benchmarks/engine.py --model irn-x2 --megapixels 0.5 2 8 --repeats 3 --json out.json

"Naive" is how the reference runs it: the whole image at once, in contiguous float32, with one
concatenation after another. Each measurement is a separate process; the two ways alternate; a
small image is processed first as a warm-up. The time is that of one downscale and one upscale; the
memory is the peak above that of `import torch`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from common import bare_torch, child, finish, hardware, middle, photograph

from irncli.wording import counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="irn-x2")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[0.5, 2, 8])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=["engine", "naive"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, options.model, options.megapixels[0])))
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


if __name__ == "__main__":
    main()
