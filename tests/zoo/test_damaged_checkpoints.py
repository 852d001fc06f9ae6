"""Whatever the bytes are, a checkpoint is read or refused."""

import json
import struct

import pytest
import torch
from hypothesis import given, settings
from mutations import mutated
from networks import SMALL, shaken

from irncli.errors import CheckpointError
from irncli.zoo.checkpoint import Card, read_checkpoint, read_summary, serialise

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


@settings(max_examples=60)
@given(mutated(OURS[:HEAD], WORDS))
def test_a_damaged_header_is_read_or_refused(folder, head):
    path = folder / "a.safetensors"
    path.write_bytes(head + OURS[HEAD:])
    read_or_refused(path)


@settings(max_examples=100)
@given(mutated(OURS[8:HEAD], WORDS))
def test_a_damaged_header_of_the_right_length_is_read_or_refused(folder, head):
    path = folder / "b.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + OURS[HEAD:])
    read_or_refused(path)


METADATA = json.loads(OURS[8:HEAD])["__metadata__"]


@pytest.mark.parametrize("key", ["architecture", "card"])
def test_damaged_metadata_are_read_or_refused(folder, key):
    @settings(max_examples=70)
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
    @settings(max_examples=150)
    @given(mutated(pickled[kind], PICKLE))
    def check(damaged):
        path = folder / "d.pth"
        path.write_bytes(damaged)
        read_or_refused(path)

    check()
