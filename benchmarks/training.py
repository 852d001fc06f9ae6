"""Steps per second and peak memory of training, compared with a plain loop.

    python benchmarks/training.py --preset irn-x2 --repeats 3 --json out.json

The plain loop follows the reference: eager float32 in the default layout; the image of each sample
is decoded, cropped and resized on the CPU, and copied to the device. It is compared with the step
of `irn train` and its crops in several ways of computing; each measurement is a separate process,
and the ways alternate. Peak memory is that of the process above that of `import torch` or, on CUDA,
that of the device. The images are crops of the bundled photograph.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import bare_torch, child, finish, hardware, middle, photograph

WAYS: dict[str, list[str]] = {
    "plain": [],
    "fp32": ["precision=fp32", "compile=off"],
    "bf16": ["precision=bf16", "compile=off"],
    "compiled": ["precision=fp32", "compile=on"],
    "bf16 compiled": ["precision=bf16", "compile=on"],
    "recomputed": ["precision=fp32", "compile=off", "recompute=true"],
}
PICTURES, PICTURE_SIDE = 8, 480


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--preset", default="irn-x2")
    parser.add_argument("--recipe", default="irn", choices=["irn", "paper"])
    parser.add_argument("--set", action="append", default=[], help="fields of the recipe")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--steps", type=int, default=8, help="timed, after two for warm-up")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=list(WAYS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(work(options.worker, options)))
        return
    rows = measure(options)
    finish(
        {"hardware": hardware(), "preset": options.preset, "recipe": options.recipe,
         "set": options.set, "steps": options.steps, "repeats": options.repeats, "ways": rows},
        options.json,
    )  # fmt: skip


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all ways alternately."""
    base = bare_torch()
    seconds: dict[str, list[float]] = {way: [] for way in options.ways}
    mib: dict[str, list[float]] = {way: [] for way in options.ways}
    for _ in range(options.repeats):
        for way in options.ways:
            output, _, peak = child([*sys.argv, "--worker", way])
            result = json.loads(output.splitlines()[-1])
            seconds[way].append(result["seconds"])
            mib[way].append(result.get("mib", peak - base))
    rows = {way: {"seconds": middle(seconds[way]), "mib": middle(mib[way])} for way in seconds}
    print(f"{options.preset}, {options.recipe} recipe, medians of {options.repeats}")
    print("way            s/step  steps/s  x plain      MiB")
    for way, row in rows.items():
        step = row["seconds"]["median"]
        ratio = rows.get("plain", row)["seconds"]["median"] / step
        row["ratio"] = round(ratio, 3)
        print(f"{way:13} {step:7.3f} {1 / step:8.2f} {ratio:8.2f} {row['mib']['median']:8.0f}")
    return rows


def work(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Return the seconds per step of one way, measured in this process."""
    import torch

    from irncli.engine.device import resolve_device, use_exact_fp32
    from irncli.train.presets import preset
    from irncli.train.recipe import parse_assignments

    use_exact_fp32()
    device = resolve_device(options.device)
    fields = parse_assignments([*options.set, *WAYS[way], "draw=normal", "draw_from=0.0"])
    recipe = preset(options.preset, options.recipe).changed(fields)
    step = (plain_step if way == "plain" else our_step)(recipe, device)
    times = []
    for _ in range(options.steps + 2):
        began = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    result = {"seconds": sorted(times[2:])[options.steps // 2]}
    if device.type == "cuda":
        result["mib"] = torch.cuda.max_memory_allocated() / 2**20
    return result


def our_step(recipe: Any, device: Any) -> Any:
    """Return a function that takes a step of `irn train`."""
    import torch

    from irncli.model import build
    from irncli.train.crops import CropSampler
    from irncli.train.parallel import Ranks
    from irncli.train.setup import LoadedNetworks, build_trainer

    torch.manual_seed(0)
    trainer = build_trainer(
        build(recipe.architecture), recipe, LoadedNetworks(),
        device=device, seed=0, ranks=Ranks(), say=print,
    )  # fmt: skip
    images = [torch.from_numpy(p.copy()).permute(2, 0, 1) for p in cuts()]
    sampler = CropSampler(images, recipe.network.scale, device, 0)

    def step() -> None:
        hr, target = sampler.draw(trainer.step, recipe.data.batch, recipe.data.crop)
        trainer.update(hr.contiguous(memory_format=torch.channels_last), target, 0.3)

    return step


def cuts() -> list[Any]:
    """Return images of the size of the training tiles of the reference."""
    whole = photograph(4)
    places = [(k * 150, k * 150) for k in range(PICTURES)]
    return [whole[top : top + PICTURE_SIDE, left : left + PICTURE_SIDE] for top, left in places]


def plain_step(recipe: Any, device: Any) -> Any:
    """Return a function that takes a step of the plain loop."""
    import numpy as np
    import torch

    from irncli.io.encoding import encode
    from irncli.io.image_file import decode
    from irncli.io.picture import Picture
    from irncli.model import build
    from irncli.model.bicubic import shrink
    from irncli.model.quantize import quantize

    torch.manual_seed(0)
    network = build(recipe.architecture).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-4, weight_decay=1e-5)
    folder = Path(tempfile.mkdtemp())
    files = []
    for k, pixels in enumerate(cuts()):
        files.append(folder / f"{k}.png")
        files[-1].write_bytes(encode(Picture(np.ascontiguousarray(pixels)), image_format="png"))
    rng, side, scale = np.random.default_rng(0), recipe.data.crop, recipe.network.scale

    def sample() -> tuple[torch.Tensor, torch.Tensor]:
        pixels = decode(files[rng.integers(len(files))].read_bytes()).pixels
        hr = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
        lr = shrink(hr, scale)
        top, left = (scale * int(rng.integers((PICTURE_SIDE - side) // scale)) for _ in range(2))
        rows, columns = slice(top, top + side), slice(left, left + side)
        low = (slice(top // scale, (top + side) // scale),
               slice(left // scale, (left + side) // scale))  # fmt: skip
        return hr[:, rows, columns], lr[:, low[0], low[1]]

    def step() -> None:
        hr, target = (torch.stack(t).to(device) for t in
                      zip(*(sample() for _ in range(recipe.data.batch)), strict=True))  # fmt: skip
        low, z = network(hr)
        restored = network.inverse(quantize(low), torch.randn_like(z))
        loss = recipe.loss.lr_weight * (low - target).square().flatten(1).sum(1).mean()
        loss = loss + torch.sqrt((restored - hr).square() + 1e-6).flatten(1).sum(1).mean()
        loss = loss + z.square().flatten(1).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10)
        optimiser.step()
        loss.item()

    return step


if __name__ == "__main__":
    main()
