"""Time of a step of Muon on the kernels of a preset, ours and torch's in turns.

    python benchmarks/muon.py --preset irn-x2 --threads 1 --json out.json

Ours moves all kernels of a shape at once; torch.optim.Muon one after another, in bfloat16.
"""

from __future__ import annotations

import time

import torch
from common import finish, hardware, middle, repeating_parser

from irncli.model import build
from irncli.train.optimisers import Optimisers
from irncli.train.presets import preset
from irncli.train.sections import Optimiser


def main() -> None:
    parser = repeating_parser(__doc__, repeats=5)
    parser.add_argument("--preset", default="irn-x2")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    network = build(preset(options.preset).architecture).to(memory_format=torch.channels_last)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    muon = Optimisers(network, Optimiser())._muon
    if muon is None:
        raise SystemExit(f"{options.preset} has no kernels for Muon")
    kernels = [kernel for group in muon._groups for kernel in group.kernels]
    matrices = [torch.nn.Parameter(kernel.detach().flatten(1)) for kernel in kernels]
    for matrix in matrices:
        matrix.grad = torch.randn_like(matrix)
    theirs = torch.optim.Muon(matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    rate, finite = torch.tensor(1e-3), torch.tensor(True)
    ways = {"ours": lambda: muon.step(rate, finite), "torch": lambda: theirs.step()}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(options.repeats + 1):
        for way, step in ways.items():
            began = time.perf_counter()
            step()
            if turn:  # the first is for warm-up
                seconds[way].append(time.perf_counter() - began)
    result = {way: middle(taken) for way, taken in seconds.items()}
    ratio = result["torch"]["median"] / result["ours"]["median"]
    for way, taken in result.items():
        print(f"{way:6} {taken['median']:.3f} s ({taken['least']:.3f} to {taken['most']:.3f})")
    print(f"{len(kernels)} kernels: {ratio:.1f} times as fast as torch's")
    finish(
        {"hardware": hardware(), "preset": options.preset, "kernels": len(kernels),
         "seconds": result, "ratio": round(ratio, 2)},
        options.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
