"""ONNX files: a network in one direction, with its metadata, checked by ONNX Runtime."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from typing import Any, Literal

from irncli.config import CrmConfig, to_json
from irncli.errors import DataError, UnavailableError, UsageError
from irncli.model import InvertibleNetwork
from irncli.zoo.checkpoint import Checkpoint

__all__ = [
    "LATENT_LIMIT",
    "LIMIT",
    "Exported",
    "Part",
    "Precision",
    "exported",
    "metadata",
    "require",
]

Part = Literal["forward", "inverse"]
Precision = Literal["fp32", "fp16"]

LIMIT = 1.0
"""Largest difference of an image from that of torch, in code values of 8 bits."""

LATENT_LIMIT = 0.02
"""Largest difference of z, as a share of its largest value. No file stores z, and in half precision
it differs by up to 0.003."""

PACKAGES = ("onnx", "onnxruntime")

_LARGEST = 2**31 - 2**20
"""Number of bytes of weights above which an ONNX file cannot be one file."""


@dataclass(frozen=True)
class Exported:
    """An ONNX file.

    Attributes:
        data: content of the file.
        difference: largest difference of its images from those of torch, in code values of 8 bits.
        opset: version of the operators.
    """

    data: bytes
    difference: float
    opset: int


def require(command: str = "irn export") -> None:
    """Check that the optional packages are installed.

    Args:
        command: command that needs them, for the message.

    Raises:
        UnavailableError: one is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UnavailableError(
            f"{command} needs {' and '.join(missing)}: pip install 'irncli[onnx]'"
        )


def exported(checkpoint: Checkpoint, part: Part, precision: Precision, version: str) -> Exported:
    """Return the ONNX file of a model in one direction, after comparing it with torch.

    Args:
        checkpoint: the model, a rescaling or colour network.
        part: direction.
        precision: precision of the dense blocks; fp16 also halves the size of the file.
        version: version of irn.

    Raises:
        UsageError: the model is a restoration module, or too large.
        UnavailableError: an optional package is missing.
        DataError: the outputs differ from those of torch by more than the limits.
    """
    network = checkpoint.network
    name = checkpoint.card.name
    if not isinstance(network, InvertibleNetwork):
        raise UsageError(
            f"{name} is a restoration module for compressed images (CRM): irn export takes "
            "rescaling and colour models"
        )
    require()
    width = 2 if precision == "fp16" else 4
    if sum(each.numel() for each in network.parameters()) * width > _LARGEST:
        raise UsageError(f"{name} has more than 2 GB of weights: an ONNX file cannot hold them")
    import onnx

    from irncli.export.check import differences
    from irncli.export.graph import IR_VERSION, OPSET, build_graph

    model = onnx.helper.make_model(
        build_graph(network, part, half=precision == "fp16"),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="irn",
        producer_version=version,
        doc_string=f"{name}, {part}: {checkpoint.card.summary}".removesuffix(": "),
    )
    onnx.helper.set_model_props(model, metadata(checkpoint, network, part, precision, version))
    data: bytes = model.SerializeToString(deterministic=True)
    found = differences(data, network, part)
    if not (found.image <= LIMIT and found.latent <= LATENT_LIMIT):
        advice = "use --precision fp32" if precision == "fp16" else "nothing was written"
        raise DataError(
            f"the {part} of {name} in {precision} differs from torch under ONNX Runtime by "
            f"{found.image:.3g} code values and {found.latent:.2g} of z, expected at most "
            f"{LIMIT:g} and {LATENT_LIMIT:g}: {advice}"
        )
    return Exported(data, found.image, OPSET)


def metadata(
    checkpoint: Checkpoint, network: InvertibleNetwork, part: Part, precision: str, version: str
) -> dict[str, str]:
    """Return the metadata properties of the file; all values are strings, as ONNX requires."""
    config, card = network.config, checkpoint.card
    assert not isinstance(config, CrmConfig)  # noqa: S101
    values: dict[str, Any] = {
        "name": card.name,
        "task": config.task,
        "part": part,
        "precision": precision,
        "scale": config.scale,
        "multiple": config.reduction,
        "cell": config.cell,
        "latent_channels": config.latent_channels,
        "latent_sigma": json.dumps([round(value, 8) for value in network.latent_sigma.tolist()]),
        "temperature": f"{card.temperature:g}",
        "weights_sha256": checkpoint.weights_sha256,
        "architecture": json.dumps(to_json(config)),
        "licence": card.licence,
        "irn_version": version,
    }
    return {key: str(value) for key, value in values.items()}
