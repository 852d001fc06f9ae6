"""Networks for tests: with weights that are not zero, so that every term counts."""

import torch

from irncli.config import CrmConfig, InvertibleConfig, Level
from irncli.model import build

SMALL = {
    "irn-x2": InvertibleConfig(levels=(Level(transform="haar", factor=2, blocks=2),), growth=16),
    "irn-x4": InvertibleConfig(
        levels=(Level(transform="haar", factor=2, blocks=1),) * 2, growth=16
    ),
    "irn-x8": InvertibleConfig(
        levels=(Level(transform="haar", factor=2, blocks=1),) * 3, growth=16
    ),
    "irn-e-x4": InvertibleConfig(
        levels=(
            Level(transform="haar", factor=2, blocks=0),
            Level(transform="haar", factor=2, blocks=1),
        ),
        growth=16,
    ),
    "irn-ld-x2": InvertibleConfig(
        levels=(Level(transform="learned", factor=2, blocks=1),), growth=16
    ),
    "irn-ld-x3": InvertibleConfig(
        levels=(Level(transform="learned", factor=3, blocks=2),), growth=16
    ),
    "color": InvertibleConfig(
        levels=(Level(transform="color", factor=1, blocks=2),), low_channels=1, growth=16
    ),
    "color-cells": InvertibleConfig(
        levels=(Level(transform="color", factor=4, blocks=2),), low_channels=16, growth=16
    ),
}
CRM = CrmConfig(blocks=1, features=16, growth=16)


def shaken(config, seed=0, dtype=torch.float32, strength=0.1):
    """A network whose every parameter is random; transforms stay near where they start."""
    torch.manual_seed(seed)
    network = build(config).to(dtype)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("matrix"):
                parameter.add_(0.05 * torch.randn_like(parameter))
            else:
                fan = parameter[0].numel() if parameter.ndim > 1 else 1
                parameter.copy_(strength * torch.randn_like(parameter) * fan**-0.5)
                if parameter.ndim > 1:
                    parameter.mul_(10)
        if hasattr(network, "latent_sigma"):
            network.latent_sigma.uniform_(0.02, 0.1)
    return network.eval().requires_grad_(False)
