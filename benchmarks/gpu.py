"""Speed and memory on a GPU: whole calls of the engine, and steps of training. Under two minutes.

    python benchmarks/gpu.py --json gpu.json

Calls of the engine begin and end with 8-bit arrays in the memory of the CPU; the guard, files and
codecs are not part of them. "Naive" is the network run eagerly in float32, as the reference does
it, with the same transfers. Pixels are compared with those of the CPU on a small image: at most
one code value, on at most 0.1 % of the values. Training steps are those of `irn train` with our
recipes, crops included. Memory is the peak that torch allocated on the device.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from common import finish, hardware, middle, photograph, repeating_parser

from irncli.engine.device import resolve_device
from irncli.engine.rescaler import Rescaler
from irncli.engine.tensors import to_pixels, to_tensor, upload
from irncli.kernels.available import reason, triton_version
from irncli.model import InvertibleNetwork, Network, build
from irncli.train.crops import CropSampler
from irncli.train.parallel import Ranks
from irncli.train.presets import preset
from irncli.train.setup import LoadedNetworks, build_trainer
from irncli.zoo.registry import default_registry

NAIVE_MEGAPIXELS = 2.0
"""Largest image of the naive network, which holds all features of all of it."""


def main() -> None:
    parser = repeating_parser(__doc__, repeats=5)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=["irn-x2", "irn-x4"])
    parser.add_argument("--megapixels", type=float, nargs="+", default=[2, 8, 24])
    parser.add_argument("--presets", nargs="+", default=["irn-x2", "irn-x4", "irn-x3"])
    parser.add_argument("--set", action="append", default=[], help="fields of the recipes")
    parser.add_argument("--steps", type=int, default=40, help="timed steps of training")
    options = parser.parse_args()
    device = resolve_device(options.device)
    result: dict[str, Any] = {
        "hardware": hardware() | {"device": _name(device), "triton": triton_version()},
        "kernels": reason(device) or "used",
        "engine": [],
        "training": [],
    }
    print(f"{result['hardware']['device']}; fused kernels: {result['kernels']}")
    print("model      MP  way     direction  MP/s  x naive    MiB")
    for model in options.models:
        result["engine"] += engine(model, device, options.megapixels, options.repeats)
    print("preset     crops          ms/step  crops MP/s    MiB")
    for name in options.presets:
        result["training"].append(training(name, device, options.set, options.steps))
    finish(result, options.json)


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


def timed(device: torch.device, run: Callable[[], Any], repeats: int) -> tuple[list[float], float]:
    """Return the seconds of each run, after one for warm-up, and the peak of memory in MiB."""
    cuda = device.type == "cuda"
    run()
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        if cuda:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    return seconds, torch.cuda.max_memory_allocated(device) / 2**20 if cuda else 0.0


def engine(
    model: str, device: torch.device, sizes: list[float], repeats: int
) -> list[dict[str, Any]]:
    """Measure both directions of one model, and compare pixels with those of the CPU."""
    network = _network(model)
    difference = compared(_network(model), network, device)
    rows, naive = [], {}
    for megapixels in [min(NAIVE_MEGAPIXELS, *sizes), *sizes]:
        hr = photograph(megapixels)
        size = hr.shape[0] * hr.shape[1] / 1e6
        rescaler = Rescaler(network, str(device))
        lr = rescaler.downscale(hr)
        ways = {
            "down": (partial(rescaler.downscale, hr), partial(naive_down, network, hr)),
            "up": (partial(rescaler.upscale, lr, seed=0), partial(naive_up, network, lr)),
        }
        for direction, (ours, theirs) in ways.items():
            first = not naive or direction not in naive
            seconds, mib = timed(device, theirs if first else ours, repeats)
            speed = middle([size / each for each in seconds])
            if first:
                naive[direction] = speed["median"]
            rows.append(
                {
                    "model": model,
                    "megapixels": round(size, 2),
                    "way": "naive" if first else "engine",
                    "direction": direction,
                    "megapixels_per_second": speed,
                    "faster": round(speed["median"] / naive[direction], 2),
                    "mib": round(mib),
                    **difference,
                }
            )
            last = rows[-1]
            print(
                f"{model:9} {size:4.1f}  {last['way']:7} {direction:9} {speed['median']:6.1f} "
                f"{last['faster']:7.2f}x {last['mib']:7}",
                flush=True,
            )
    print(f"{model}: {difference}")
    return rows


def _network(model: str) -> InvertibleNetwork:
    network = default_registry().load(model).network
    if not isinstance(network, InvertibleNetwork):
        raise SystemExit(f"{model} is not a rescaling model")
    return network


def compared(
    on_cpu: InvertibleNetwork, network: InvertibleNetwork, device: torch.device
) -> dict[str, float]:
    """Return the largest difference from the pixels of the CPU, and the share that differs."""
    hr = photograph(0.1)
    cpu, ours = Rescaler(on_cpu, "cpu"), Rescaler(network, str(device))
    low = cpu.downscale(hr)
    pairs = (low, ours.downscale(hr)), (cpu.upscale(low, seed=1), ours.upscale(low, seed=1))
    differences = [np.abs(a.astype(int) - b) for a, b in pairs]
    return {
        "most_levels": int(max(each.max() for each in differences)),
        "share_differing": float(max((each > 0).mean() for each in differences)),
    }


@torch.inference_mode()
def naive_down(network: InvertibleNetwork, hr: Any) -> Any:
    low, _ = network(to_tensor(upload(hr, network.latent_sigma.device)).contiguous())
    return to_pixels(low)


@torch.inference_mode()
def naive_up(network: InvertibleNetwork, lr: Any) -> Any:
    device, config = network.latent_sigma.device, network.config
    low = to_tensor(upload(lr, device)).contiguous()
    height, width = (side // config.cell for side in low.shape[2:])
    z = torch.randn(1, config.latent_channels, height, width, device=device)
    return to_pixels(network.inverse(low, z * network.latent_sigma.view(1, -1, 1, 1)))


def training(name: str, device: torch.device, fields: list[str], steps: int) -> dict[str, Any]:
    """Measure steps of training with the recipe of a preset, with z drawn."""
    from irncli.train.recipe import parse_assignments

    recipe = preset(name).changed(parse_assignments(["draw_from=0.0", "crop_end=0", *fields]))
    torch.manual_seed(0)
    network: Network = build(recipe.architecture)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trainer = build_trainer(
        network, recipe, LoadedNetworks(), device=device, seed=0, ranks=Ranks(), say=print
    )
    picture = torch.from_numpy(photograph(4).copy()).permute(2, 0, 1)
    data, zoom = recipe.data, recipe.data.zoom_least
    sampler = CropSampler(
        [picture] * 8, recipe.network.scale, device, 0, zoom_least=zoom, hard=data.hard
    )

    def step() -> None:
        hr, target = sampler.draw(trainer.step, *data.crops_at(0.9))
        hr = hr.contiguous(memory_format=torch.channels_last)
        trainer.update(hr, target, 0.9, measure=trainer.graph is None)

    count, side = data.crops_at(0.9)
    runs, mib = timed(device, lambda: [step() for _ in range(steps)], 3)
    seconds = middle([1000 * each / steps for each in runs])
    speed = count * side**2 / 1e3 / seconds["median"]
    print(f"{name:9} {count:3} of {side:3} {seconds['median']:12.2f} {speed:9.2f} {mib:9.0f}")
    return {
        "preset": name,
        "crops": count,
        "side": side,
        "captured": trainer.graph is not None,
        "milliseconds": seconds,
        "mib": round(mib),
        "skipped": trainer.skipped,
    }


if __name__ == "__main__":
    main()
