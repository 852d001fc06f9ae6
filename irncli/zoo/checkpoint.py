"""Checkpoints: safetensors files whose metadata suffice to rebuild the network.

Metadata (all values are strings, as safetensors requires):

    irn_format       "1"
    architecture     the architecture as JSON (config.to_json)
    card             the model card as JSON
    weights_sha256   hash of the tensors, see `weights_sha256`

Weights may be stored in half precision; they are float32 in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.overrides import TorchFunctionMode

from irncli.config import Architecture, from_json, to_json
from irncli.errors import CheckpointError, InputMissingError, StorageError
from irncli.model import Network, build
from irncli.wording import with_article
from irncli.zoo.adapter import adapt_reference

__all__ = [
    "FORMAT",
    "Card",
    "Checkpoint",
    "read_checkpoint",
    "read_summary",
    "serialise",
    "weights_sha256",
]

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Card:
    """Information that users should have about a model before they trust it.

    Attributes:
        name: name of the model on the command line.
        summary: description in one sentence.
        licence: licence of the weights.
        data: sources of the training images, with their licences.
        recipe: description of the training, one line per round.
        hardware: hardware of the training.
        minutes: training time of all rounds, in minutes.
        temperature: default temperature of restoration, 0 to 100; 0 means z = 0.
        measured: measured values, one row per test set.
        stored: dtype of the stored weights and its cost in quality.
        source: for an imported model, its original file and the SHA-256 of that file.
    """

    name: str
    summary: str = ""
    licence: str = ""
    data: tuple[str, ...] = ()
    recipe: tuple[str, ...] = ()
    hardware: str = ""
    minutes: float | None = None
    temperature: float = 1.0
    measured: tuple[dict[str, Any], ...] = ()
    stored: str = ""
    source: str = ""

    @classmethod
    def from_record(cls, record: object) -> Card:
        """Rebuild a card from a result of `asdict`; ignore the keys of later versions.

        Raises:
            ValueError: the name is missing, or the temperature is not 0 to 100.
        """
        if not isinstance(record, dict) or not isinstance(record.get("name"), str):
            raise ValueError("the card has no name")
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in record.items()
            if key in known
        }
        temperature = values.get("temperature", 1.0)
        if not isinstance(temperature, int | float) or not 0 <= temperature <= 100:
            raise ValueError(f"the card's temperature is {temperature!r}, expected 0 to 100")
        return cls(**values)


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """Network with its card, and the hash of its weights that LR files refer to."""

    network: Network
    card: Card
    weights_sha256: str

    @property
    def architecture(self) -> Architecture:
        """Architecture from which the network was built."""
        return self.network.config


def weights_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of all tensors in order of name.

    For each tensor it covers the name, the shape, and the values as little-endian float32. A
    half-precision file and the network loaded from it have the same hash, and editing the card does
    not change the hash, so LR files stay restorable.
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def serialise(network: Network, card: Card, dtype: torch.dtype = torch.float32) -> bytes:
    """Return the contents of a checkpoint file.

    With dtype float16, values are rounded, and the hash is that of the rounded values. The width of
    z and learned matrices stay float32, since they are few and sensitive.
    """
    state = {
        name: tensor.detach().to("cpu", dtype if tensor.ndim == 4 else torch.float32).contiguous()
        for name, tensor in network.state_dict().items()
    }
    metadata = {
        "irn_format": str(FORMAT),
        "architecture": json.dumps(to_json(network.config)),
        "card": json.dumps(asdict(card)),
        "weights_sha256": weights_sha256(state),
    }
    return save(state, metadata=metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Load a checkpoint of irn, or one with the reference's key names (.pth or .safetensors).

    Files of the reference get a card with their name and hash. `.pth` files are read by the
    weights-only loader.

    Raises:
        InputMissingError: the file does not exist.
        StorageError: the file cannot be read.
        CheckpointError: the file is damaged or hostile, or has another format or an unknown
            network.
    """
    if not path.is_file():
        raise InputMissingError(f"no checkpoint at {path}")
    try:
        if path.suffix.lower() in (".pth", ".pt"):
            return _read_foreign(path, _load_pth(path))
        return _read_safetensors(path)
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def read_summary(path: Path) -> tuple[Architecture, Card]:
    """Return the architecture and the card of a checkpoint of irn, without reading its tensors.

    Raises:
        CheckpointError: the file is not a checkpoint of irn, or is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, ValueError, OSError) as error:
        raise CheckpointError(f"{path.name} is not a complete safetensors file: {error}") from error
    if "irn_format" not in metadata:
        raise CheckpointError(f"{path.name} has no card: import it with 'irn models import'")
    return _parse_metadata(path, metadata)


def _read_safetensors(path: Path) -> Checkpoint:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path.name} is not a complete safetensors file: {error}") from error
    if "irn_format" not in metadata:
        return _read_foreign(path, state)
    architecture, card = _parse_metadata(path, metadata)
    network = _assemble(path, architecture, state)
    actual = weights_sha256(network.state_dict())
    if actual != metadata.get("weights_sha256"):
        raise CheckpointError(
            f"{path.name} is damaged: its tensors hash to {actual[:12]}, "
            f"the file says {metadata.get('weights_sha256', 'nothing')[:12]}; replace the file"
        )
    return Checkpoint(network=network, card=card, weights_sha256=actual)


def _parse_metadata(path: Path, metadata: dict[str, str]) -> tuple[Architecture, Card]:
    if metadata["irn_format"] != str(FORMAT):
        raise CheckpointError(
            f"{path.name} has checkpoint format {metadata['irn_format'][:20]}, "
            f"this irn reads format {FORMAT}: update irn"
        )
    try:
        architecture = from_json(json.loads(metadata["architecture"]))
        card = Card.from_record(json.loads(metadata["card"]))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path.name} has unusable metadata: {error}") from error
    return architecture, card


def _load_pth(path: Path) -> dict[str, object]:
    # The whole file is read first, so that a later OSError means damage, not a failing disk.
    file = io.BytesIO(path.read_bytes())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of pickle protocols that it refuses
            data = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damage can make the unpickler raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it is empty"
        raise CheckpointError(
            f"{path.name} is not a file of plain tensors ({reason}); no code was run"
        ) from error
    for key in ("params", "state_dict"):
        if isinstance(data, dict) and isinstance(data.get(key), dict):
            data = data[key]
    if not isinstance(data, dict):
        raise CheckpointError(
            f"{path.name} holds {with_article(type(data).__name__)}, expected a state dict"
        )
    return data


def _read_foreign(path: Path, state: Mapping[str, object]) -> Checkpoint:
    try:
        architecture, adapted = adapt_reference(state)
    except CheckpointError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    network = _assemble(path, architecture, adapted)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    temperature = 0.0 if getattr(architecture, "task", "") == "color" else 1.0
    card = Card(
        name=path.stem,
        summary="imported from a checkpoint of the reference implementation",
        temperature=temperature,
        source=f"{path.name}, SHA-256 {digest}",
    )
    return Checkpoint(
        network=network, card=card, weights_sha256=weights_sha256(network.state_dict())
    )


class _Unallocated(TorchFunctionMode):
    """Mode in which the weights of a new network take neither memory nor time.

    The weights are on the meta device, and initialisers skip them: torch would run initialisers
    with reference code in Python, which takes two seconds to load.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.empty:
            kwargs["device"] = "meta"
        elif func in _INITIALISERS:
            # Those of torch.nn.init hand over their first argument by its name.
            tensor: torch.Tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


_INITIALISERS = {
    torch.Tensor.normal_, torch.Tensor.uniform_, torch.Tensor.zero_, torch.Tensor.fill_,
    torch.nn.init.kaiming_uniform_, torch.nn.init.uniform_,
}  # fmt: skip


def _assemble(path: Path, architecture: Architecture, state: dict[str, torch.Tensor]) -> Network:
    """Build a network without allocating or initialising weights, then assign all tensors."""
    with _Unallocated():
        network = build(architecture)
    try:
        network.load_state_dict(
            {name: tensor.float() for name, tensor in state.items()}, strict=True, assign=True
        )
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise CheckpointError(
            f"{path.name} does not fit its architecture: {'; '.join(lines)[:300]}"
        ) from error
    if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
        raise CheckpointError(f"{path.name} holds values that are not finite")
    return network.eval().requires_grad_(False)
