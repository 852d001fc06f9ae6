"""Small trainings for tests."""

from dataclasses import replace

import numpy as np
import torch

from irncli.train.data import Images
from irncli.train.objective import RescalingObjective
from irncli.train.presets import preset
from irncli.train.recipe import Recipe
from irncli.train.sections import Network
from irncli.train.step import Trainer
from tests.support.networks import SMALL, shaken

CPU = torch.device("cpu")

RECIPE = preset("irn-x2").changed(
    {
        "blocks": 2, "growth": 16, "batch": 2, "crop": 16, "crop_end": 32, "warm_up": 2,
        "validate_every": 4, "log_every": 1, "precision": "fp32", "lr_target": 0.0,
        "lr_weight": 1.0, "hard": 0.0, "samples": 1,
    }
)  # fmt: skip
"""Of the network SMALL["irn-x2"]."""
assert RECIPE.architecture == SMALL["irn-x2"]

COLOR = RECIPE.changed({"family": "color", "scale": 1, "draw": "never", "crop": 16, "crop_end": 0})
CRM = replace(
    preset("crm-jpeg"),
    network=Network(
        family="crm", scale=2, blocks=1, growth=16, conditioned=True, rescaler="irn-x2"
    ),
).changed({"batch": 2, "crop": 32, "validate_every": 4, "log_every": 1, "precision": "fp32"})


def changed(**fields) -> Recipe:
    """RECIPE with other fields."""
    return RECIPE.changed(fields)


def trainer(recipe=RECIPE, network=None, **options):
    """A trainer of a network whose every weight counts."""
    network = network or shaken(recipe.architecture)
    return Trainer(RescalingObjective(network, recipe), recipe, 0, **options)


def cut(photo, count=6, side=64):
    """Images for training out of the photograph."""
    places = [(top, left) for top in (0, 200) for left in (0, 300, 500)][:count]
    parts = [photo[top : top + side, left : left + side] for top, left in places]
    tensors = [torch.from_numpy(np.ascontiguousarray(p)).permute(2, 0, 1) for p in parts]
    return Images([f"{k}.png" for k in range(count)], tensors)


SMALL_RUN = (
    "--set blocks=1 --set batch=1 --set crop=48 --set crop_end=48 --set precision=fp32 --set hard=0"
)
"""What makes the training commands of the documents brief, beside a few steps."""
