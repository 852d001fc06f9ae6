"""irn export: ONNX files that compute what the engine computes, and say what they are."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from irncli import __version__
from irncli.config import from_json
from irncli.errors import StorageError
from irncli.io import paths
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import CRM, SMALL, shaken

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

SIZES = {"one": (47, 61), "another": (24, 40)}
KINDS = ["irn-x2", "irn-x4", "irn-e-x4", "irn-ld-x3", "color", "color-cells"]


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    """Tiny models and two images, where commands are run."""
    monkeypatch.chdir(tmp_path)
    for name, (height, width) in SIZES.items():
        Image.fromarray(photo[190 : 190 + height, 150 : 150 + width]).save(f"{name}.png")
    return tmp_path


def saved(kind, name="tiny", temperature=1.0):
    """A checkpoint file of a tiny network, and the network."""
    network = shaken(kind if kind is CRM else SMALL[kind], strength=0.02)
    card = Card(name=name, temperature=temperature, licence="CC0")
    Path(f"{name}.safetensors").write_bytes(serialise(network, card))
    return network


def session(path):
    return runtime.InferenceSession(path, providers=["CPUExecutionProvider"])


def planes(path, multiple):
    """An image as an input: float32 [1, C, H, W], its last row and column repeated."""
    pixels = np.atleast_3d(np.asarray(Image.open(path), np.float32) / 255).transpose(2, 0, 1)
    sides = [(0, -side % multiple) for side in pixels.shape[1:]]
    return np.pad(pixels, [(0, 0), *sides], "edge")[None]


def pixels(values, like):
    """An output as an image of the size of another one."""
    height, width = like.shape[:2]
    image = np.rint(values[0] * 255).astype(np.uint8).transpose(1, 2, 0)[:height, :width]
    return image if like.ndim == 3 else image[:, :, 0]


def largest_difference(image, path):
    expected = np.asarray(Image.open(path))
    return int(np.abs(pixels(image, expected).astype(int) - expected).max())


@pytest.mark.parametrize("kind", KINDS)
def test_both_parts_agree_with_the_engine(irn, folder, kind):
    config = saved(kind).config
    assert irn("export", "tiny.safetensors", "--part", "both", "-q").status == 0
    forward, inverse = session("tiny_forward.onnx"), session("tiny_inverse.onnx")
    down, up = ("decolor", "colorize") if "color" in kind else ("downscale", "upscale")
    model = ["--model", "tiny.safetensors"]
    for name in SIZES:
        small, back = f"{name}_small.png", f"{name}_back.png"
        assert irn(down, f"{name}.png", "-o", small, "--guard", "off", *model).status == 0
        assert irn(up, small, "-o", back, "--temperature", 0, *model).status == 0
        hr = planes(f"{name}.png", config.reduction)
        lr, z = forward.run(None, {"hr": hr})
        assert z.shape[2] == hr.shape[2] // config.reduction
        assert largest_difference(lr, small) <= 1
        given = planes(small, config.cell)
        zero = np.zeros((1, config.latent_channels, 1, 1), np.float32)
        (hr,) = inverse.run(["hr"], {"lr": given, "z": zero})
        assert largest_difference(hr, back) <= 1


def test_a_batch_with_its_own_z_is_restored_exactly(irn, folder):
    """The inverse undoes the forward pass, for several images at once and with z for each."""
    saved("irn-x4")
    assert irn("export", "tiny.safetensors", "--part", "both", "-o", "t.onnx").status == 0
    generator = np.random.default_rng(0)
    hr = generator.uniform(0.4, 0.6, (3, 3, 20, 28)).astype(np.float32)
    lr, z = session("t_forward.onnx").run(None, {"hr": hr})
    assert 0 < lr.min() < lr.max() < 1, "a clipped image is not undone"
    (back,) = session("t_inverse.onnx").run(None, {"lr": lr, "z": z})
    assert np.abs(back - hr).max() < 1e-3


def test_the_file_says_what_it_is(irn, folder):
    network = saved("irn-x4", temperature=0.5)
    (record,) = map(json.loads, irn("export", "tiny.safetensors", "--json").out.splitlines())
    model = onnx.load("tiny_inverse.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 17)]
    assert (model.producer_name, model.producer_version) == ("irn", __version__)
    said = {each.key: each.value for each in model.metadata_props}
    sigma, architecture = json.loads(said.pop("latent_sigma")), said.pop("architecture")
    assert from_json(json.loads(architecture)) == network.config
    assert torch.allclose(torch.tensor(sigma), network.latent_sigma)
    assert said == {
        "name": "tiny", "task": "rescale", "part": "inverse", "precision": "fp32", "scale": "4",
        "multiple": "4", "cell": "1", "latent_channels": "45", "temperature": "0.5",
        "weights_sha256": record["weights_sha256"], "licence": "CC0", "irn_version": __version__,
    }  # fmt: skip
    assert all(each.doc_string for each in (*model.graph.input, *model.graph.output))
    assert 0 <= record.pop("difference") <= 1
    assert record == {
        "model": "tiny", "output": "tiny_inverse.onnx", "status": 0, "error": None,
        "part": "inverse", "precision": "fp32", "opset": 17,
        "weights_sha256": said["weights_sha256"], "bytes": Path("tiny_inverse.onnx").stat().st_size,
    }  # fmt: skip


def test_the_name_is_that_of_the_file_and_the_line_says_the_difference(irn, folder):
    saved("irn-x2")
    outcome = irn("export", "tiny.safetensors", "-o", "a.onnx")
    assert outcome.status == 0
    assert outcome.err.startswith("tiny -> a.onnx: inverse in fp32, opset 17, ")
    assert outcome.err.endswith(" code values of torch\n")
    assert irn("export", "tiny.safetensors", "-o", "b.onnx", "-q").err == ""
    assert Path("a.onnx").read_bytes() == Path("b.onnx").read_bytes()


def test_half_precision_halves_the_file_and_keeps_float32_outside(irn, folder):
    network = saved("irn-x2")
    for precision in ("fp32", "fp16"):
        words = ("--precision", precision, "-o", f"{precision}.onnx")
        assert irn("export", "tiny.safetensors", *words).status == 0
    whole, half = (Path(f"{name}.onnx").stat().st_size for name in ("fp32", "fp16"))
    assert half < 0.6 * whole
    given = session("fp16.onnx")
    assert {each.type for each in (*given.get_inputs(), *given.get_outputs())} == {"tensor(float)"}
    lr = planes("one.png", 1)
    z = np.zeros((1, network.config.latent_channels, 1, 1), np.float32)
    values = [session(f"{name}.onnx").run(None, {"lr": lr, "z": z})[0] for name in ("fp32", "fp16")]
    assert 0 < np.abs(values[0] - values[1]).max() * 255 <= 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nothing"], 69, "no model 'nothing'"),
        (["crm.safetensors"], 2, "crm is a restoration module for compressed images (CRM)"),
        (["words.safetensors"], 65, "words.safetensors is not a complete safetensors file"),
        (["tiny.safetensors", "-o", "a.bin"], 2, "a.bin: irn export writes .onnx, not .bin"),
        (["tiny.safetensors", "-o", "a"], 2, "a: irn export writes .onnx, add that suffix"),
        (["tiny.safetensors", "-o", "-"], 2, "an ONNX file cannot go to standard output"),
        (["tiny.safetensors", "-o", "no/a.onnx"], 73, "no directory no: create it"),
        (["tiny.safetensors", "-o", "taken.onnx"], 73, "taken.onnx exists already"),
        (["tiny.safetensors", "-o", "t.onnx", "--part", "both"], 73, "t_inverse.onnx exists"),
    ],
)
def test_what_is_refused_leaves_nothing(irn, folder, words, status, said):
    saved("irn-x2")
    saved(CRM, name="crm")
    Path("words.safetensors").write_text("words")
    for name in ("taken.onnx", "t_inverse.onnx"):
        Path(name).write_text("kept")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    outcome = irn("export", *words)
    assert outcome.status == status
    assert outcome.err.startswith(f"irn: {said}")
    assert outcome.err.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_is_replaced_only_if_asked(irn, folder):
    saved("irn-x2")
    Path("a.onnx").write_text("old")
    assert irn("export", "tiny.safetensors", "-o", "a.onnx", "--overwrite").status == 0
    onnx.checker.check_model(onnx.load("a.onnx"))


def test_a_file_that_computes_something_else_is_not_written(irn, folder, monkeypatch):
    monkeypatch.setattr("irncli.export.graph.SLOPE", 0.3)
    saved("irn-x4")
    outcome = irn("export", "tiny.safetensors", "--part", "both", "--json")
    assert outcome.status == 65
    assert "differs from torch under ONNX Runtime by" in outcome.err
    assert json.loads(outcome.out)["error"] in outcome.err
    assert not list(folder.glob("*.onnx"))
    assert not list(folder.glob(".*"))


def test_half_precision_that_overflows_is_refused(irn, folder):
    network = shaken(SMALL["irn-x2"], strength=0.02)
    convolution = network.operations[1].F.conv1
    network.operations[1].F.conv2.weight.data[:, -16:] /= 2**18
    convolution.weight.data *= 2**18
    convolution.bias.data *= 2**18
    Path("large.safetensors").write_bytes(serialise(network, Card(name="large")))
    assert irn("export", "large.safetensors", "-o", "whole.onnx").status == 0
    outcome = irn("export", "large.safetensors", "--precision", "fp16")
    assert outcome.status == 65
    assert outcome.err.endswith(": use --precision fp32\n")
    assert not Path("large_inverse.onnx").exists()


def test_a_disk_that_fills_leaves_whole_files_and_says_which(irn, folder, monkeypatch):
    saved("irn-x2")
    write = paths.atomic_write

    def once(path, data, **details):
        if "inverse" in path.name:
            raise StorageError(f"cannot write {path}: No space left on device")
        write(path, data, **details)

    monkeypatch.setattr(paths, "atomic_write", once)
    outcome = irn("export", "tiny.safetensors", "--part", "both", "--json")
    assert outcome.status == 74
    first, second = map(json.loads, outcome.out.splitlines())
    assert (first["output"], first["status"]) == ("tiny_forward.onnx", 0)
    assert (second["output"], second["status"]) == (None, 74)
    onnx.checker.check_model(onnx.load("tiny_forward.onnx"))
    assert [path.name for path in folder.glob("*.onnx")] == ["tiny_forward.onnx"]


@pytest.mark.parametrize("missing", [["onnx"], ["onnx", "onnxruntime"]])
def test_missing_packages_are_named(irn, folder, monkeypatch, missing):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name in missing else found(name)
    )
    outcome = irn("export", "irn-x2")
    assert outcome.status == 69
    said = " and ".join(missing)
    assert outcome.err == f"irn: irn export needs {said}: pip install 'irncli[onnx]'\n"
