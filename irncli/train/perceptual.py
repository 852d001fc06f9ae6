"""VGG19 features, with which IRN+ compares images; irn may not ship the weights of VGG19."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from irncli.errors import CheckpointError, InputMissingError, UnavailableError
from irncli.wording import with_article

__all__ = ["Vgg19Features", "load_vgg19"]

_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512)
"""Channels of the 16 convolutions; 0 stands for a layer that halves the size."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Vgg19Features(nn.Module):
    """VGG19 up to conv5_4, before its rectifier: [N, 3, H, W] to [N, 512, H/16, W/16].

    The input is RGB in [0, 1], which is normalised with the mean and deviation of ImageNet. The
    weights are frozen, and the tensors are named as in torchvision's `vgg19().features`.

    Source: Simonyan and Zisserman 2015; ESRGAN, section 3.2, for features before the rectifier.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in _WIDTHS:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        self.features = nn.Sequential(*layers[:-1])
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Return the features of images."""
        return self.features((rgb - self.mean) / self.std)  # type: ignore[no-any-return]


def load_vgg19(path: str) -> Vgg19Features:
    """Load VGG19 features with the weights of a file, or with those of torchvision.

    Args:
        path: `.pth` (read by the weights-only loader) or `.safetensors` file with torchvision's
            names (`features.0.weight`, ...); "": the weights of torchvision, if it is installed.

    Raises:
        InputMissingError: the file does not exist.
        CheckpointError: the file does not hold VGG19.
        UnavailableError: no file was named, and torchvision is not installed or has no weights.
    """
    state = _read(Path(path)) if path else _from_torchvision()
    features = Vgg19Features()
    wanted = features.state_dict()
    missing = [name for name in wanted if name not in state]
    if missing:
        raise CheckpointError(f"{path} is not VGG19: it lacks {missing[0]} (names of torchvision)")
    try:
        features.load_state_dict({name: state[name] for name in wanted})
    except RuntimeError as error:
        raise CheckpointError(f"{path} is not VGG19: {str(error).splitlines()[-1]}") from error
    return features


def _read(path: Path) -> Mapping[str, torch.Tensor]:
    if not path.is_file():
        raise InputMissingError(f"no VGG19 weights at {path}: set vgg19 to a file that holds them")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} is not a file of plain tensors; no code was run") from error
    if not isinstance(state, dict):
        raise CheckpointError(
            f"{path} holds {with_article(type(state).__name__)}, expected a state dict"
        )
    return state


def _from_torchvision() -> Mapping[str, torch.Tensor]:
    advice = "give a file of VGG19 weights with --set vgg19=FILE"
    try:
        from torchvision.models import VGG19_Weights, vgg19
    except (ImportError, RuntimeError) as error:
        raise UnavailableError(f"torchvision is not installed: {advice}") from error
    try:
        state: Mapping[str, torch.Tensor] = vgg19(weights=VGG19_Weights.IMAGENET1K_V1).state_dict()
    except (OSError, RuntimeError) as error:
        raise UnavailableError(f"torchvision could not fetch VGG19 ({error}): {advice}") from error
    return state
