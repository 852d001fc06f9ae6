"""The commands that `faults.py` disturbs, and their undisturbed results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from common import PHOTO
from faulting import SYNC_SECONDS, Scene, Work, run

from irncli.config import InvertibleConfig, Level
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.model import build
from irncli.zoo.checkpoint import Card, serialise


def undisturbed(folder: Path, work: Work) -> Work:
    """Run a work undisturbed, and return it with its outputs and times.

    Raises:
        RuntimeError: the command fails.
    """
    folder.mkdir()
    scene = Scene(folder, work)
    scene.lay_inputs()
    outcome = run(scene)
    paths = sorted(scene.target.iterdir())
    if outcome.status or len(paths) != len(work.inputs):
        raise RuntimeError(f"{work.name} failed: {outcome.lines}")
    # Both are sorted by the name of the input.
    made = dict(zip(sorted(work.inputs), (path.name for path in paths), strict=True))
    outputs = {path.name: path.read_bytes() for path in paths}
    times = [path.stat().st_mtime for path in paths]
    first, writing = min(times) - outcome.began, max(times) - min(times) + SYNC_SECONDS
    return Work(work.name, work.words, work.inputs, made, outputs, first, writing)


def works(folder: Path, pictures: int) -> list[Work]:
    """Return the commands to disturb, with `pictures` small images and a tiny network."""
    model = folder / "tiny.safetensors"
    model.write_bytes(_checkpoint())
    photo = decode(PHOTO.read_bytes()).pixels
    corners = [(40 * k % 360, 60 * k % 600) for k in range(pictures)]
    large = {
        f"p{k:02}.png": encode(
            Picture(np.ascontiguousarray(photo[y : y + 120, x : x + 160])), image_format="png"
        )
        for k, (y, x) in enumerate(corners)
    }
    use = ("--model", str(model))
    down = undisturbed(
        folder / "down", Work("downscale", ("downscale", "--scale", "2", *use), large)
    )
    up = Work("upscale", ("upscale", "--seed", "0", *use), down.outputs)
    squeeze = Work("compress", ("compress", *use), large)
    keep = Work(
        "models import", ("models", "import", "--name", "kept"), {model.name: _checkpoint()}
    )
    others = [undisturbed(folder / w.words[0], w) for w in (up, squeeze, keep)]
    return [down, *others]


def _checkpoint() -> bytes:
    torch.manual_seed(0)
    levels = (Level(transform="haar", factor=2, blocks=1),)
    return serialise(build(InvertibleConfig(levels=levels, growth=16)), Card(name="tiny"))
