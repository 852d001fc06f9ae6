"""Average the weights before and after a run of fine-tuning, as Wortsman et al. do (CVPR 2022,
"Robust fine-tuning of zero-shot models").

    python benchmarks/average.py BEFORE.safetensors RUN/last.safetensors --data TRAIN
    python benchmarks/average.py BEFORE.safetensors RUN/last.safetensors --data TRAIN \
        --shares 0.4 -o averaged.safetensors

A short run on few crops learns its new task but forgets a little of the old one. An average of the
weights can have the gains of both. The first command measures averages with shares of the run from
0 to 1, as training does, on the held-out images of the data and on hard images. The second command
writes one average.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from irncli.io.paths import atomic_write
from irncli.model import InvertibleNetwork
from irncli.train.data import centre_crop, load_images, split
from irncli.train.hard import hard_images
from irncli.train.validate import HARD_SIDE, measure_hard, validate_invertible
from irncli.zoo.checkpoint import read_checkpoint, serialise

SIDE = 320
"""Side in pixels of the centres of held-out images to measure on; training uses smaller ones."""
COLUMNS = ("hr_psnr", "hr_psnr_z0", "lr_psnr", "hard_worse", "hard_shift")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.2, 0.4, 0.6, 0.8, 1])
    parser.add_argument("--data", type=Path, required=True, help="training images")
    parser.add_argument("-o", dest="output", type=Path, help="file for one average")
    options = parser.parse_args()
    if options.output and len(options.shares) != 1:
        parser.error("-o takes one share")
    _, held_out = split(load_images([options.data]))
    print("| share |", " | ".join(COLUMNS), "|")
    print("|---|" + "---|" * len(COLUMNS))
    for share in options.shares:
        network = average(options.before, options.after, share)
        cell = network.config.reduction
        images = [centre_crop(pixels, cell, SIDE) for pixels in held_out.pixels]
        measured = validate_invertible(network, images, drawn=True)
        hard = hard_images(HARD_SIDE // cell * cell)
        measured |= measure_hard(network, list(hard.values()))
        print(f"| {share:g} |", " | ".join(f"{measured[name]:.2f}" for name in COLUMNS), "|")
        if options.output:
            card = read_checkpoint(options.after).card
            atomic_write(options.output, serialise(network, card), overwrite=True)


def average(before: Path, after: Path, share: float) -> InvertibleNetwork:
    """Return a rescaling network with the weights (1 - share) x `before` + share x `after`.

    Raises:
        SystemExit: the networks have different architectures or are not rescaling networks.
    """
    first, second = (read_checkpoint(path).network for path in (before, after))
    if first.config != second.config or not isinstance(first, InvertibleNetwork):
        raise SystemExit(f"{before} and {after} are not two rescaling networks of one architecture")
    later = second.state_dict()
    mean = {name: torch.lerp(old, later[name], share) for name, old in first.state_dict().items()}
    first.load_state_dict(mean)
    return first


if __name__ == "__main__":
    main()
