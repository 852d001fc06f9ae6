"""The CRM over images: the network's own result for every plan, in bounded memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from irncli.config import CrmConfig, from_json, to_json
from irncli.engine import stream
from irncli.engine.dense import DenseBlocks, Evaluator
from irncli.engine.restorer import Restorer
from irncli.engine.stream import Plan, Stream, reach_of
from irncli.engine.tensors import to_pixels, to_tensor
from irncli.errors import MemoryExhaustedError, UnavailableError, UsageError
from irncli.model import build
from irncli.model.crm import describe_tables
from irncli.zoo.checkpoint import read_checkpoint
from tests.support.networks import CRM, shaken
from tests.support.scarce import Scarce

CONFIGS = {
    "plain": CRM,
    "deep": CrmConfig(blocks=3, features=16, growth=16),
    "residual": CrmConfig(blocks=1, features=48, growth=32, residual=True),
    "conditioned": CrmConfig(blocks=2, features=32, growth=16, conditioned=True),
    "both": CrmConfig(blocks=1, features=16, growth=16, conditioned=True, residual=True),
}
SIZES = ((1, 1), (1, 9), (9, 1), (17, 23), (5, 700), (700, 3), (70, 150), (110, 130))
PLANS = (None, Plan(64, 32, 32), Plan(100, 50, 90), Plan(40, 300, 64))
TABLES = np.random.default_rng(1).integers(1, 60, (2, 64), dtype=np.uint8)


def lively(config):
    """A random CRM whose far pixels matter and whose output is mostly inside 0 to 1."""
    network = shaken(config)
    with torch.no_grad():
        for block in network.trunk:
            for dense in block.dense_blocks:
                dense.convs[-1].weight.mul_(8)
        network.conv_last.weight.div_(network(_probe(), torch.ones(1, 2, 64)).std() / 0.2)
        network.conv_last.bias.add_(0.5 - network(_probe(), torch.ones(1, 2, 64)).mean())
    return network


def _probe():
    return torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(5))


def tables_of(config):
    return TABLES if config.conditioned else None


@torch.inference_mode()
def whole(network, lr):
    """What the network gives for the whole image, float32 [1, 3, h, w]."""
    return network(to_tensor(lr), torch.from_numpy(TABLES)[None])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_plan_gives_what_the_network_gives(name, size, noise):
    network, lr = lively(CONFIGS[name]), noise(*size)
    restorer = Restorer(network, "cpu")
    expected = to_pixels(whole(network, lr))
    for plan in PLANS:
        restorer.plan = plan
        restored = restorer.restore(lr, tables_of(CONFIGS[name]))
        assert restored.dtype == np.uint8
        assert np.array_equal(restored, expected), plan


@pytest.mark.parametrize("name", ["deep", "both"])
@pytest.mark.parametrize("plan", [Plan(999, 32, 64), Plan(999, 47, 65)], ids=str)
def test_a_stream_gives_the_networks_values_to_the_last_bit(name, plan, noise):
    network, lr = lively(CONFIGS[name]), noise(233, 150)
    Restorer(network, "cpu")
    bands = run(network, to_tensor(lr), plan)
    assert len(bands) >= 3
    assert torch.equal(torch.cat(bands, dim=2), whole(network, lr))


@torch.inference_mode()
def run(network, low, plan):
    """What a stream gives for an image, float32, band by band."""
    described = describe_tables(torch.from_numpy(TABLES)[None])
    height, width = low.shape[2:]
    part = Stream(
        network,
        described if network.config.conditioned else None,
        plan.fitted(height, width),
        Evaluator(DenseBlocks(network, torch.float32)),
    )
    return list(part.run(lambda rows: low[:, :, rows], height, lambda share: None))


@pytest.mark.parametrize("blocks", [1, 2])
def test_reach_is_that_of_the_network(blocks):
    torch.manual_seed(0)
    network = shaken(CrmConfig(blocks=blocks, features=4, growth=4), dtype=torch.float64)
    reach = reach_of(network.config)
    centre, side = reach + 2, 2 * reach + 5
    x = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    network(x)[0, :, centre, centre].sum().backward()
    rows = x.grad[0].abs().sum((0, 2)).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (centre - reach, centre + reach)


def test_the_papers_reach_is_123():
    assert reach_of(CrmConfig()) == 123


def test_the_number_of_threads_does_not_matter(noise):
    network, lr = lively(CONFIGS["deep"]), noise(150, 180)
    threads, results = torch.get_num_threads(), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        results.append(Restorer(network, "cpu").restore(lr))
    torch.set_num_threads(threads)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize("conditioned", [False, True])
def test_an_untrained_residual_one_is_the_identity(conditioned, noise):
    config = CrmConfig(blocks=1, features=8, growth=8, residual=True, conditioned=conditioned)
    lr = noise(90, 40)
    assert np.array_equal(Restorer(build(config), "cpu").restore(lr, TABLES), lr)


def test_an_architecture_of_before_there_were_residual_ones_still_loads():
    old = {key: value for key, value in to_json(CRM).items() if key != "residual"}
    assert from_json(old) == CRM
    with pytest.raises(ValueError, match="residual"):
        from_json({**old, "residual": 1})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (None, "quantisation tables"),
        (TABLES[:1], r"\[1, 64\]"),
        (TABLES * np.uint8(0), "steps from 0"),
    ],
)
def test_a_conditioned_one_needs_the_tables(tables, message, noise):
    with pytest.raises(UsageError, match=message):
        Restorer(lively(CONFIGS["both"]), "cpu").restore(noise(9, 9), tables)


def test_tables_and_picture_matter_and_are_not_changed(noise):
    restorer, lr, tables = Restorer(lively(CONFIGS["both"]), "cpu"), noise(40, 40), TABLES.copy()
    kept = lr.copy()
    restored = restorer.restore(lr, tables)
    assert (restored != restorer.restore(lr, 4 * tables)).mean() > 0.1
    assert np.array_equal(lr, kept)
    assert np.array_equal(tables, TABLES)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_close_and_is_used(precision, noise):
    network, lr = lively(CONFIGS["residual"]), noise(60, 60)
    full = Restorer(network, "cpu").restore(lr)
    half = Restorer(network, "cpu", precision).restore(lr)
    assert 0 < np.abs(full.astype(int) - half).max() <= 8


def test_a_strip_that_overflows_half_precision_is_run_again_in_float32(noise):
    network, lr = lively(CONFIGS["residual"]), noise(60, 60)
    with torch.no_grad():
        for dense in network.trunk[0].dense_blocks:
            dense.convs[0].weight.mul_(1e6)
            dense.convs[-1].weight.mul_(1e-6)
    full = Restorer(network, "cpu").restore(lr)
    half = Restorer(network, "cpu", "fp16").restore(lr)
    assert np.array_equal(full, half)


def test_after_a_failed_allocation_parts_shrink_and_the_result_stays(monkeypatch, noise):
    restorer, lr, shares = Restorer(lively(CONFIGS["deep"]), "cpu"), noise(240, 320), []
    expected = restorer.restore(lr)
    scarce = Scarce(monkeypatch, 120 * 120)
    assert np.array_equal(restorer.restore(lr, tick=shares.append), expected)
    assert 1 <= scarce.failures <= 4
    assert sum(shares) == pytest.approx(1)


def test_without_memory_for_the_smallest_parts_it_gives_up_in_words(monkeypatch, noise):
    restorer = Restorer(lively(CRM), "cpu")
    Scarce(monkeypatch, 10)
    with pytest.raises(MemoryExhaustedError, match="not enough memory"):
        restorer.restore(noise(80, 80))


def test_a_device_that_is_too_small_is_given_up_with_a_warning(monkeypatch, noise):
    warnings, lr = [], noise(80, 80)
    network = lively(CRM)
    expected = Restorer(network, "cpu").restore(lr)
    scarce = Scarce(monkeypatch, 10)

    def warn(message):
        warnings.append(message)
        scarce.limit = 1 << 30

    restorer = Restorer(network, "cpu", warn=warn)
    restorer._device = torch.device("mps")
    assert np.array_equal(restorer.restore(lr), expected)
    assert warnings == [
        "mps has too little memory for this image: continuing on the CPU, which is slower"
    ]
    assert restorer._device.type == "cpu"


def test_other_errors_are_not_taken_for_lack_of_memory(monkeypatch, noise):
    def output(block, x, **options):
        raise RuntimeError("something else")

    restorer = Restorer(lively(CRM), "cpu")
    monkeypatch.setattr(stream.DenseBlock, "output", output)
    with pytest.raises(RuntimeError, match="something else"):
        restorer.restore(noise(8, 8))


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_progress_adds_up_to_one(plan, noise):
    shares = []
    Restorer(lively(CRM), "cpu", plan=plan).restore(noise(150, 211), tick=shares.append)
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("width", [1, 100, 3000, 4096, 4097, 9000, 30000])
def test_no_strip_is_wider_than_planned(width):
    plan = Plan.chosen(width, torch.device("cpu"))
    widths = [
        s.stop - s.start for s in stream.spans(0, width, plan.fitted(500, width).strip, 0, width)
    ]
    assert sum(widths) == width
    assert max(widths) <= plan.strip + 1


def test_options_out_of_range():
    with pytest.raises(UsageError):
        Restorer(build(CRM), "tpu")
    with pytest.raises(UnavailableError):
        Restorer(build(CRM), "cuda:999")
    with pytest.raises(UsageError):
        Restorer(build(CRM), "cpu", "fp8")


@pytest.mark.shared
def test_is_the_reference_within_one_code_value(shared):
    io = load_file(shared / "golden" / "crm.io.safetensors")
    network = read_checkpoint(shared / "golden" / "crm.pth").network
    low, expected = io["input"], io["output"]
    Restorer(network, "cpu")
    # by the stream, as the reference's input is not of 8 bits
    (restored,) = run(network, low, Plan(64, 32, 64))
    assert float((restored - expected).abs().max() / expected.abs().max()) <= 2e-5
    assert np.abs(to_pixels(restored).astype(int) - to_pixels(expected)).max() <= 1
    ours = Restorer(network, "cpu").restore(to_pixels(low))
    # rounding the input moves 4% of the values by one
    assert np.abs(ours.astype(int) - to_pixels(expected)).max() <= 1


PEAK = """
import os, sys
import numpy as np, torch
from irncli.config import CrmConfig
from irncli.engine.restorer import Restorer
from irncli.model import build

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

torch.set_num_threads(1)
network = build(CrmConfig(blocks=1, features=32, growth=8))
restorer = Restorer(network, "cpu")
def run(what, height):
    if what == "restorer":
        restorer.restore(np.zeros((height, 256, 3), np.uint8))
    else:
        network(torch.zeros(1, 3, height, 256))
    return peak()
for what in ("network", "restorer"):
    if not os.fork():
        with torch.inference_mode():
            print(*(run(what, height) for height in (256, 1792)), flush=True)
        os._exit(0)
    os.wait()
"""


def peaks():
    """MiB by which the peak grows with the height: of the network, and of the restorer."""
    command = [sys.executable, "-c", PEAK]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    pairs = (map(float, line.split()) for line in result.stdout.splitlines())
    return [high - low for low, high in pairs]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_height():
    # 400,000 pixels more: 50 MB for each copy of the features, 3 MB of images. The allocator
    # gives memory back in its own time: the same run grew by 4 to 21 MB in turns.
    network, restorer = peaks()
    assert network > 100
    assert restorer < 40
