"""Whatever the bytes are, a checkpoint is read or refused."""

import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from irncli.errors import CheckpointError
from irncli.zoo.checkpoint import Card, read_checkpoint, read_summary, serialise
from tests.support.mutations import fuzz, mutated
from tests.support.networks import CRM, SMALL, shaken

NETWORK = shaken(SMALL["irn-e-x4"])
OURS = serialise(NETWORK, Card(name="small"))
HEAD = 8 + int.from_bytes(OURS[:8], "little")
WORDS = [
    b"{", b"}", b"[", b"]", b'"', b",", b"null", b"-1", b"1e999", b"F16", b"BF16", b"I64", b"BOOL",
    b"F8_E4M3", b"\\ud800", b"\\u0000", b"data_offsets", b"operations.", b"NaN",
]  # fmt: skip


def read_or_refused(path):
    for read in (read_checkpoint, read_summary):
        if read is read_summary and path.suffix == ".pth":
            continue
        try:
            read(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
            assert path.name in str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@fuzz(200)
@given(mutated(OURS[:HEAD], WORDS))
def test_a_damaged_header_is_read_or_refused(folder, head):
    path = folder / "a.safetensors"
    path.write_bytes(head + OURS[HEAD:])
    read_or_refused(path)


@fuzz(1200)
@given(mutated(OURS[8:HEAD], WORDS))
def test_a_damaged_header_of_the_right_length_is_read_or_refused(folder, head):
    path = folder / "b.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + OURS[HEAD:])
    read_or_refused(path)


METADATA = json.loads(OURS[8:HEAD])["__metadata__"]


@pytest.mark.parametrize("key", ["architecture", "card"])
def test_damaged_metadata_are_read_or_refused(folder, key):
    @fuzz(500)
    @given(mutated(METADATA[key].encode(), WORDS))
    def check(damaged):
        header = json.loads(OURS[8:HEAD])
        header["__metadata__"][key] = damaged.decode("utf-8", "replace")
        head = json.dumps(header).encode()
        path = folder / "c.safetensors"
        path.write_bytes(struct.pack("<Q", len(head)) + head + OURS[HEAD:])
        read_or_refused(path)

    check()


PICKLE = [b"cos\nsystem\n", b"R.", b"}", b"PK\x05\x06", b"K\x01", b"\x80\x02"]


@pytest.fixture(scope="module")
def pickled(folder):
    state = {
        "operations.0.haar_weights": torch.zeros(12, 1, 2, 2),
        "operations.1.haar_weights": torch.zeros(48, 1, 2, 2),
    }
    for part in "FGH":
        state[f"operations.2.{part}.conv1.weight"] = torch.zeros(2, 2)
    path = folder / "state.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    old = path.read_bytes()
    torch.save(state, path)
    return {"old": old, "zip": path.read_bytes()}


@pytest.mark.parametrize("kind", ["old", "zip"])
def test_a_damaged_pth_is_read_or_refused(folder, pickled, kind):
    @fuzz(750)
    @given(mutated(pickled[kind], PICKLE))
    def check(damaged):
        path = folder / "d.pth"
        path.write_bytes(damaged)
        read_or_refused(path)

    check()


def foreign(name):
    """The state dict of the reference for a network of ours."""
    network = shaken(CRM if name == "crm" else SMALL[name])
    state = dict(network.state_dict())
    if name == "crm":
        return {key.replace("trunk.", "RRDB_trunk.", 1): value for key, value in state.items()}
    del state["latent_sigma"]
    renamed = {key.replace(".matrix", ".conv_weights"): value for key, value in state.items()}
    places = [key for key in renamed if key.endswith("conv_weights")]
    return renamed if places else {"operations.0.haar_weights": torch.zeros(12, 1, 2, 2)} | renamed


FOREIGN = {name: foreign(name) for name in ("irn-x2", "irn-ld-x2", "color", "crm")}
KEYS = sorted({key for state in FOREIGN.values() for key in state})
ODD_KEYS = [
    *KEYS, "", "a\nb", "operations.-1.x", f"operations.{'9' * 5000}.x", "conv_first.weight",
    "operations.7.haar_weights", "module.operations.0.conv_weights", "RRDB_trunk.",
    "RRDB_trunk.99.RDB1.conv1.weight",
]  # fmt: skip
SHAPES = st.lists(st.integers(0, 20), max_size=5).map(torch.zeros)
ODD_VALUES = SHAPES | st.sampled_from(
    [
        torch.tensor(float("nan")), torch.zeros(3, 3, dtype=torch.int64), torch.eye(2).to_sparse(),
        None, 1, "text", [1.0], {"a": 1},
    ]
)  # fmt: skip
EDITS = st.tuples(
    st.sampled_from(["drop", "rename", "replace", "add"]),
    st.integers(0, 100),
    st.sampled_from(ODD_KEYS),
    ODD_VALUES,
)


def edited(name, edits):
    """A state dict of the reference with a few entries gone, renamed, added, or of other shapes."""
    state = dict(FOREIGN[name])
    for kind, place, key, value in edits:
        keys = sorted(state)
        if kind == "add" or not keys:
            state[key] = value
            continue
        old = keys[place % len(keys)]
        if kind == "replace":
            state[old] = value
            continue
        kept = state.pop(old)
        if kind == "rename":
            state[key] = kept
    return state


@fuzz(400)
@given(st.sampled_from(sorted(FOREIGN)), st.lists(EDITS, min_size=1, max_size=4))
def test_an_odd_state_dict_is_read_or_refused(folder, name, edits):
    path = folder / "e.pth"
    torch.save(edited(name, edits), path)
    read_or_refused(path)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_state_dict_that_is_not_odd_is_read(folder, name):
    path = folder / "f.pth"
    torch.save(FOREIGN[name], path)
    assert read_checkpoint(path).architecture == (CRM if name == "crm" else SMALL[name])
