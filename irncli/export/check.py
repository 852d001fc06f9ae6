"""Comparison of an ONNX file under ONNX Runtime with the network under torch."""

from __future__ import annotations

from typing import Any, NamedTuple

import onnxruntime
import torch
from torch.nn import functional

from irncli.export.graph import Part
from irncli.model import InvertibleNetwork

__all__ = ["Differences", "differences"]

CASES = ((1, 9, 11, True), (2, 6, 5, False))
"""Batch, rows and columns of cells; whether z is drawn, or is zero and given for one cell."""

_ERRORS_ONLY = 3


class Differences(NamedTuple):
    """Largest differences of the outputs from those of torch; NaN if a value is.

    Attributes:
        image: of images, clipped to [0, 1] as in the file, in code values of 8 bits.
        latent: of z, as a share of its largest value; 0 if there is no such output.
    """

    image: float
    latent: float


@torch.inference_mode()
def differences(data: bytes, network: InvertibleNetwork, part: Part) -> Differences:
    """Run a file by ONNX Runtime on smooth images with a little noise, of two sizes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    image = latent = torch.zeros(())
    for case in CASES:
        (ours, theirs), *rest = _outputs(session, network, part, case, generator)
        image = torch.maximum(image, (ours - theirs).abs().max() * 255)
        for z, found in rest:
            latent = torch.maximum(latent, (z - found).abs().max() / z.abs().max())
    return Differences(float(image), float(latent))


def _outputs(
    session: Any,
    network: InvertibleNetwork,
    part: Part,
    case: tuple[int, int, int, bool],
    generator: torch.Generator,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return pairs of outputs, the image first: of torch, and of ONNX Runtime."""
    config = network.config
    batch, rows, columns, drawn = case
    if part == "forward":
        hr = _image(batch, 3, rows * config.reduction, columns * config.reduction, generator)
        low, z = network(hr)
        given = {"hr": hr}
        expected = [low.clamp(0, 1), z]
    else:
        shape = (rows * config.cell, columns * config.cell)
        lr = _image(batch, config.image_channels, *shape, generator)
        z = torch.zeros(1, config.latent_channels, 1, 1)
        whole = z.expand(batch, -1, rows, columns)
        if drawn:
            sigma = network.latent_sigma.view(1, -1, 1, 1)
            z = whole = torch.randn(whole.shape, generator=generator) * sigma
        given = {"lr": lr, "z": z}
        expected = [network.inverse(lr, whole).clamp(0, 1)]
    found = session.run(None, {name: each.numpy() for name, each in given.items()})
    return [(ours, torch.from_numpy(each)) for ours, each in zip(expected, found, strict=True)]


def _image(
    batch: int, channels: int, height: int, width: int, generator: torch.Generator
) -> torch.Tensor:
    """Return smooth images with a little noise, [batch, channels, height, width] in [0, 1]."""
    coarse = torch.rand(batch, channels, 4, 5, generator=generator)
    smooth = functional.interpolate(coarse, (height, width), mode="bilinear")
    return (smooth + 0.02 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)
