"""Checkpoints of the reference implementation; no other module knows their key names.

The reference stores bare state dicts. `operations.{i}` counts all operations in forward order, and
Haar filters are stored as frozen parameters. The architecture is not stored, so it is derived from
the shapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch

from irncli.config import Architecture, CrmConfig, InvertibleConfig, Level
from irncli.errors import CheckpointError
from irncli.wording import with_article

__all__ = ["adapt_reference"]

State = dict[str, torch.Tensor]

_OPERATION = re.compile(r"operations\.(\d{1,6})\.(.+)")


def adapt_reference(state: Mapping[str, object]) -> tuple[Architecture, State]:
    """Return the architecture and the state dict, with names of irn, of a reference state dict.

    A `module.` prefix, left by data-parallel training, is dropped.

    Raises:
        CheckpointError: keys or shapes are not those of a network of the paper.
    """
    tensors = _tensors(state)
    if "conv_first.weight" in tensors:
        return _adapt_crm(tensors)
    if any(_OPERATION.match(key) for key in tensors):
        return _adapt_invertible(tensors)
    found = ", ".join(sorted(tensors)[:3]) or "nothing"
    raise CheckpointError(
        f"not a checkpoint of the paper's networks: its keys begin with {found}, "
        "expected operations.0... or conv_first..."
    )


def _tensors(state: Mapping[str, object]) -> State:
    tensors: State = {}
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"entry {key!r} holds {with_article(type(value).__name__)}, expected a tensor: "
                "give the state dict of the network (the reference's *_G.pth)"
            )
        if not value.is_floating_point() or value.layout != torch.strided:
            raise CheckpointError(f"entry {key!r} is {value.dtype}, expected floating point")
        tensors[key.removeprefix("module.")] = value.detach().float()
    return tensors


def _out_channels(tensors: State, key: str) -> int:
    """Return the number of output channels of a convolution."""
    weight = tensors[key]
    if weight.ndim != 4:
        raise CheckpointError(f"{key} has shape {list(weight.shape)}, expected [out, in, 3, 3]")
    return weight.shape[0]


def _adapt_crm(tensors: State) -> tuple[Architecture, State]:
    blocks = {key.split(".")[1] for key in tensors if key.startswith("RRDB_trunk.")}
    if "RRDB_trunk.0.RDB1.conv1.weight" not in tensors:
        raise CheckpointError("a restoration module without RRDB_trunk.0: the file is incomplete")
    growth = _out_channels(tensors, "RRDB_trunk.0.RDB1.conv1.weight")
    features = _out_channels(tensors, "conv_first.weight")
    config = CrmConfig(blocks=len(blocks), features=features, growth=growth)
    return config, {re.sub(r"^RRDB_trunk", "trunk", key): value for key, value in tensors.items()}


def _adapt_invertible(tensors: State) -> tuple[Architecture, State]:
    operations = _group_operations(tensors)
    levels: list[Level] = []
    growth = low_channels = None
    state: State = {}
    for index, operation in enumerate(operations):
        if "haar_weights" in operation:
            levels.append(Level(transform="haar", factor=2, blocks=0))
        elif "conv_weights" in operation:
            levels.append(_learned_level(operation["conv_weights"]))
            state[f"operations.{index}.matrix"] = operation["conv_weights"]
        elif levels and "F.conv1.weight" in operation and "F.conv5.weight" in operation:
            last = levels[-1]
            levels[-1] = Level(transform=last.transform, factor=last.factor, blocks=last.blocks + 1)
            growth = _out_channels(operation, "F.conv1.weight")
            low_channels = _out_channels(operation, "F.conv5.weight")
            state |= {f"operations.{index}.{name}": value for name, value in operation.items()}
        else:
            raise CheckpointError(
                f"operations.{index} is neither a transform nor a coupling block: "
                f"it holds {', '.join(sorted(operation)[:3])}"
            )
    if growth is None or low_channels is None:
        raise CheckpointError("the checkpoint holds no coupling block: the file is incomplete")
    try:
        config = InvertibleConfig(levels=tuple(levels), low_channels=low_channels, growth=growth)
    except ValueError as error:
        raise CheckpointError(f"not a network of the paper: {error}") from error
    state["latent_sigma"] = torch.ones(config.latent_channels)
    return config, state


def _group_operations(tensors: State) -> list[State]:
    """Return the tensors of each operation in order; the numbers must count from 0."""
    groups: dict[int, State] = {}
    for key, value in tensors.items():
        match = _OPERATION.fullmatch(key)
        if match is None:
            raise CheckpointError(f"unexpected key {key[:80]!r} beside operations.*")
        groups.setdefault(int(match[1]), {})[match[2]] = value
    missing = set(range(len(groups))) - groups.keys()
    if missing:
        raise CheckpointError(f"operations.{min(missing)} is missing: the file is incomplete")
    return [groups[index] for index in range(len(groups))]


def _learned_level(matrix: torch.Tensor) -> Level:
    size = matrix.shape[0] if matrix.ndim else 0
    if matrix.shape == (3, 3):
        return Level(transform="color", factor=1, blocks=0)
    factor = math.isqrt(size)
    if matrix.shape != (size, size) or factor**2 != size or factor < 2:
        raise CheckpointError(
            f"conv_weights has shape {list(matrix.shape)}, expected [3, 3] or [N*N, N*N]"
        )
    return Level(transform="learned", factor=factor, blocks=0)
