"""Checkpoints: the file alone rebuilds the network, and nothing else is accepted."""

import json
import os
import pickle
import struct

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from irncli.errors import CheckpointError, ExitStatus, InputMissingError
from irncli.zoo.checkpoint import Card, read_checkpoint, read_summary, serialise, weights_sha256
from tests.support.networks import CRM, SMALL, shaken

CARD = Card(name="small", summary="for tests", data=("none",), measured=({"set": "X"},))
ARCHITECTURES = {**SMALL, "crm": CRM}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "small.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-x2"]), CARD))
    return path


def parts(path):
    """Tensors and metadata of a file."""
    with safe_open(path, "pt") as file:
        names = list(file.keys())
        return {name: file.get_tensor(name) for name in names}, file.metadata()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_file_alone_rebuilds_the_network(tmp_path, name):
    network = shaken(ARCHITECTURES[name])
    path = tmp_path / "a.safetensors"
    path.write_bytes(serialise(network, CARD))
    checkpoint = read_checkpoint(path)
    assert checkpoint.architecture == ARCHITECTURES[name]
    assert checkpoint.card == CARD
    again = checkpoint.network.state_dict()
    assert all(torch.equal(again[key], value) for key, value in network.state_dict().items())
    assert read_summary(path) == (ARCHITECTURES[name], CARD)


def test_half_precision_is_float32_in_memory_and_hashes_as_what_it_holds(tmp_path):
    network = shaken(SMALL["irn-x2"])
    path = tmp_path / "half.safetensors"
    path.write_bytes(serialise(network, CARD, torch.float16))
    assert path.stat().st_size < 0.6 * len(serialise(network, CARD))
    checkpoint = read_checkpoint(path)
    state = checkpoint.network.state_dict()
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert checkpoint.weights_sha256 == weights_sha256(state)
    for key, value in network.state_dict().items():
        assert torch.allclose(state[key], value, rtol=1e-3, atol=1e-6)


def test_the_hash_follows_the_weights_and_not_the_card(tmp_path):
    network = shaken(SMALL["irn-x2"])
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    first.write_bytes(serialise(network, CARD))
    second.write_bytes(serialise(network, Card(name="other")))
    assert read_checkpoint(first).weights_sha256 == read_checkpoint(second).weights_sha256
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1
    second.write_bytes(serialise(network, CARD))
    assert read_checkpoint(first).weights_sha256 != read_checkpoint(second).weights_sha256


def refused(path, part=""):
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    assert part in message
    assert caught.value.status == ExitStatus.DATA


@pytest.mark.parametrize("keep", [0, 4, 60, 0.5, -1])
def test_a_truncated_file_is_refused(written, keep):
    data = written.read_bytes()
    stop = round(keep * len(data)) if isinstance(keep, float) else keep
    written.write_bytes(data[:stop])
    refused(written)


def test_bytes_that_are_no_safetensors_are_refused(written):
    written.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    refused(written)
    written.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    refused(written)


def test_a_changed_weight_is_noticed(written):
    data = bytearray(written.read_bytes())
    data[-5] ^= 0x40
    written.write_bytes(bytes(data))
    refused(written)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "nan"])
def test_loading_is_strict(written, change):
    tensors, metadata = parts(written)
    name = "operations.1.F.conv1.weight"
    if change == "missing":
        del tensors[name]
    elif change == "extra":
        tensors["operations.9.F.conv1.weight"] = torch.zeros(1)
    elif change == "shape":
        tensors[name] = tensors[name][:1].clone()
    else:
        tensors[name].view(-1)[0] = torch.nan
    metadata["weights_sha256"] = weights_sha256(tensors)
    written.write_bytes(save(tensors, metadata))
    refused(written)


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("irn_format", "2", "update irn"),
        ("architecture", "{", "metadata"),
        ("architecture", json.dumps({"kind": "invertible", "levels": []}), "metadata"),
        ("architecture", "[" * 100_000, "metadata"),
        ("card", "7", "metadata"),
        ("card", '{"name": "x", "temperature": -1}', "metadata"),
        ("card", None, "metadata"),
        ("irn_format", None, ""),
    ],
    ids=["newer", "broken", "no levels", "deep", "card", "temperature", "no card", "no format"],
)
def test_unusable_metadata_are_refused(written, key, value, part):
    tensors, metadata = parts(written)
    metadata[key] = value
    written.write_bytes(save(tensors, {k: v for k, v in metadata.items() if v is not None}))
    refused(written, part)


def test_a_card_of_a_later_version_is_read_for_what_it_says(written):
    tensors, metadata = parts(written)
    metadata["card"] = json.dumps({**json.loads(metadata["card"]), "new_key": 1})
    written.write_bytes(save(tensors, metadata))
    assert read_checkpoint(written).card == CARD


def test_no_such_file(tmp_path):
    with pytest.raises(InputMissingError):
        read_checkpoint(tmp_path / "none.safetensors")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_a_hostile_pth_runs_nothing(tmp_path, way):
    trace, path = tmp_path / "trace", tmp_path / "model.pth"
    state = {"operations.0.haar_weights": Bomb(trace)}
    if way == "torch":
        torch.save(state, path)
    else:
        path.write_bytes(pickle.dumps(state))
    refused(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"weight": torch.zeros(2)},
        {"operations.0.haar_weights": torch.zeros(12, 1, 2, 2)},
        {"operations.1.haar_weights": torch.zeros(12, 1, 2, 2)},
        {"operations.0.haar_weights": 3},
        {"operations.0.haar_weights": torch.zeros(12, 1, 2, 2), "other": torch.zeros(1)},
        {"operations.0.conv_weights": torch.zeros(5, 5)},
        {"conv_first.weight": torch.zeros(64, 3, 3, 3)},
        [1, 2],
    ],
    ids=str,
)
def test_a_pth_of_another_network_is_refused(tmp_path, state):
    path = tmp_path / "other.pth"
    torch.save(state, path)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


@pytest.mark.shared
@pytest.mark.parametrize("wrap", ["plain", "module", "params"])
def test_a_reference_checkpoint_is_read_in_all_its_wrappings(shared, tmp_path, wrap):
    source = shared / "golden" / "irn_x2.pth"
    state = torch.load(source, weights_only=True)
    wrapped = {
        "plain": state,
        "module": {f"module.{key}": value for key, value in state.items()},
        "params": {"params": state},
    }[wrap]
    path = tmp_path / "a.pth"
    torch.save(wrapped, path)
    assert read_checkpoint(path).weights_sha256 == read_checkpoint(source).weights_sha256
    path.write_bytes(path.read_bytes()[:-1000])
    refused(path)
