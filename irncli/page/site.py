"""The files of the page: its own, the models, and the runtime."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Any

from irncli.config import InvertibleConfig
from irncli.errors import UsageError
from irncli.export.model_file import Precision, exported
from irncli.model import InvertibleNetwork
from irncli.page.folder import FILES_KEY, MARKER, MARKER_KEY
from irncli.zoo.checkpoint import Checkpoint

__all__ = ["PageModel", "halo_of", "own_files", "page_files", "page_model"]

FORMAT = 1
"""Version of models.json."""

LISTING = "files.js"
"""Script that tells the service worker which files there are, and the hash of each."""

_BLOCK_REACH = 10
"""Reach of a coupling block in pixels of its level: that of two dense blocks in a row."""

_HALO_SHARE = 5
"""Reach of a network over the halo of its tiles. What lies further away changes hardly any value:
at a distance of 16 pixels of LR, of a reach of 80 to 120, no value of a photograph that irn-x2,
irn-x4 or irn-jpeg-x2 restored differed by more than 1 code value, and fewer than 0.01 % by 1. For
irn-color the same holds at 48 of 320."""

_GRAIN = 4
"""Halos are multiples of this, which the side of every cell divides."""

_SUFFIXES = {".html", ".css", ".js", ".svg", ".webmanifest"}


@dataclass(frozen=True)
class PageModel:
    """A model of the page.

    Attributes:
        entry: what models.json says of it. The name of the file has a hash of its content, so that
            neither a cache nor a newer page gives an open page other weights than it has chosen.
        data: the ONNX file.
    """

    entry: dict[str, Any]
    data: bytes


def page_model(checkpoint: Checkpoint, precision: Precision, version: str) -> PageModel:
    """Return the inverse of a model as the page needs it.

    Raises:
        UsageError: the model is a restoration module.
        UnavailableError: an optional package is missing.
        DataError: the ONNX file differs from torch.
    """
    made = exported(checkpoint, "inverse", precision, version)
    network, name = checkpoint.network, checkpoint.card.name
    assert isinstance(network, InvertibleNetwork)  # noqa: S101 -- `exported` refuses others
    config = network.config
    entry = {
        "name": name,
        "file": f"models/{name}-{hashlib.sha256(made.data).hexdigest()[:12]}.onnx",
        "task": config.task,
        "scale": config.scale,
        "weights_sha256": checkpoint.weights_sha256,
        "licence": checkpoint.card.licence,
        "precision": precision,
        "cell": config.cell,
        "multiple": config.reduction,
        "latent_channels": config.latent_channels,
        "latent_sigma": [round(value, 8) for value in network.latent_sigma.tolist()],
        "halo": halo_of(config),
        "bytes": len(made.data),
    }
    return PageModel(entry, made.data)


def halo_of(config: InvertibleConfig) -> int:
    """Return the halo of a tile in pixels of LR."""
    reach, side = 0, 1
    for level in config.levels:
        side *= level.factor
        reach += level.blocks * _BLOCK_REACH * side
    halo = math.ceil(reach / config.scale / _HALO_SHARE)
    return math.ceil(halo / _GRAIN) * _GRAIN


def page_files(
    models: Iterable[PageModel],
    runtime: Mapping[str, bytes],
    licences: Mapping[str, bytes],
    version: str,
) -> dict[str, bytes]:
    """Return all files of the page by their paths in the folder.

    Raises:
        UsageError: two models have the same name.
    """
    content = own_files()
    entries: dict[str, dict[str, Any]] = {}
    for model in models:
        name = model.entry["name"]
        if name in entries:
            raise UsageError(f"two models have the name {name}: give one of them")
        content[model.entry["file"]] = model.data
        entries[name] = model.entry
    content |= {f"ort/{name}": data for name, data in {**runtime, **licences}.items()}
    marker = {
        MARKER_KEY: FORMAT,
        "irn_version": version,
        "models": list(entries.values()),
        FILES_KEY: sorted([*content, MARKER, LISTING]),
    }
    content[MARKER] = (json.dumps(marker, indent=1) + "\n").encode()
    content[LISTING] = _listing(content)
    return content


def own_files() -> dict[str, bytes]:
    """Return the files of the page that come with irn."""
    return dict(_walk(files("irncli.page") / "site", PurePosixPath()))


def _walk(folder: Traversable, path: PurePosixPath) -> Iterable[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        inner = path / each.name
        if each.is_dir():
            yield from _walk(each, inner)
        elif inner.suffix in _SUFFIXES:
            yield str(inner), each.read_bytes()


def _listing(content: Mapping[str, bytes]) -> bytes:
    hashes = {name: hashlib.sha256(data).hexdigest()[:16] for name, data in content.items()}
    return f"self.FILES = {json.dumps(hashes, indent=1, sort_keys=True)};\n".encode()
