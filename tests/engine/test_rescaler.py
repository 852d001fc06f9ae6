"""The engine: exact sizes, one result for every tile and thread count, graceful with memory."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from irncli.engine.latent import draw_row
from irncli.engine.rescaler import Rescaler, bicubic, resize_plane, to_gray
from irncli.errors import MemoryExhaustedError, UnavailableError, UsageError
from irncli.geometry import lr_size
from irncli.model.coupling import CouplingBlock
from irncli.model.dense import DenseBlock
from irncli.model.quantize import quantize
from irncli.zoo.registry import default_registry
from tests.support.networks import SMALL, shaken
from tests.support.scarce import Scarce

TILES = (0, None, 64, 65, 100, 128, 200)


def naive(network, hr, seed=0, temperature=1.0):
    """LR and the restored image by the network alone, whole and contiguous."""
    scale = network.config.scale
    height, width = hr.shape[:2]
    x = torch.from_numpy(hr.copy()).permute(2, 0, 1)[None].float() / 255
    pad = (0, -width % scale, 0, -height % scale)
    low, z = network(torch.nn.functional.pad(x, pad, mode="replicate"))
    low = quantize(low)
    rows = [draw_row(seed, row, z.shape[1], z.shape[3]) for row in range(z.shape[2])]
    noise = torch.from_numpy(np.stack(rows, axis=1))[None]
    noise *= temperature * network.latent_sigma.view(1, -1, 1, 1)
    back = network.inverse(low, noise)[0, :, :height, :width]
    return (
        low[0].mul(255).round().byte().permute(1, 2, 0).numpy(),
        back.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy(),
    )


@pytest.mark.parametrize("name", ["irn-x2", "irn-x4", "irn-e-x4", "irn-ld-x3", "color"])
def test_is_the_network_on_the_padded_picture(name, noise):
    network = shaken(SMALL[name])
    hr = noise(67, 53)
    low, back = naive(network, hr, seed=4)
    rescaler = Rescaler(network, "cpu")
    # one code value: the layouts differ, and with them the order of sums
    ours = rescaler.downscale(hr)
    assert np.abs(ours.astype(int) - low).max() <= 1
    assert (ours != low).mean() < 1e-3
    restored = rescaler.upscale(low, (53, 67), seed=4)
    assert np.abs(restored.astype(int) - back).max() <= 1
    assert (restored != back).mean() < 1e-3


@pytest.mark.parametrize("name", ["irn-x2", "irn-x4", "irn-ld-x3", "irn-x8", "color-cells"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 700), (270, 67), (260, 262), (531, 3)])
def test_every_tile_gives_the_same_pixels(name, height, width, noise):
    network = shaken(SMALL[name])
    hr = noise(height, width)
    results = []
    for tile in TILES:
        rescaler = Rescaler(network, "cpu", tile=tile)
        low = rescaler.downscale(hr)
        results.append((low, rescaler.upscale(low, (width, height), seed=2)))
    for low, back in results[1:]:
        assert np.array_equal(low, results[0][0])
        assert np.array_equal(back, results[0][1])


@pytest.mark.parametrize(("height", "width"), [(8, 12), (17, 23), (1, 1), (1, 9)])
def test_gray_of_cells_is_that_of_the_network_on_the_picture_made_whole(height, width, noise):
    """Its last row and column are repeated up to a cell, on both ways."""
    network = shaken(SMALL["color-cells"])
    hr = noise(height, width)
    pads = ((0, -height % 4), (0, -width % 4), (0, 0))

    def whole(pixels):
        return torch.from_numpy(np.pad(pixels, pads, mode="edge")).permute(2, 0, 1)[None] / 255

    rescaler = Rescaler(network, "cpu")
    gray = rescaler.downscale(hr)
    assert gray.shape == (height, width, 1)
    low, z = network(whole(hr))
    expected = (low.clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy()[:height, :width]
    assert np.abs(gray - expected).max() <= 1
    back = network.inverse(whole(gray), torch.zeros_like(z))[0].permute(1, 2, 0).numpy()
    restored = rescaler.upscale(gray, temperature=0)
    assert restored.shape == hr.shape
    expected = np.rint(back.clip(0, 1) * 255)[:height, :width]
    assert np.abs(restored - expected).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["irn-x2", "irn-x4"])
def test_every_tile_and_thread_count_gives_the_same_pixels_with_shipped_weights(name, photo):
    network = default_registry().load(name).network
    hr = photo[150:271, 200:350]
    expected = None
    threads = torch.get_num_threads()
    for tile, count in ((0, 2), (64, 2), (100, 1), (None, 1)):
        torch.set_num_threads(count)
        rescaler = Rescaler(network, "cpu", tile=tile)
        low = rescaler.downscale(hr)
        pair = low, rescaler.upscale(low, (150, 121), seed=9)
        expected = expected or pair
        assert all(np.array_equal(a, b) for a, b in zip(pair, expected, strict=True)), tile
    torch.set_num_threads(threads)


@settings(max_examples=40)
@given(
    name=st.sampled_from(["irn-x2", "irn-x4", "irn-ld-x3"]),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    scale=st.none() | st.floats(1.05, 2),
)
def test_sizes_come_back_exactly(name, size, scale):
    width, height = size
    network = shaken(SMALL[name])
    rescaler = Rescaler(network, "cpu")
    hr = np.full((height, width, 3), 90, np.uint8)
    low = rescaler.downscale(hr, scale)
    factor = scale or rescaler.scale
    assert low.shape == (
        math.ceil(height / factor - 1e-9),
        math.ceil(width / factor - 1e-9),
        3,
    )
    assert lr_size(size, factor) == low.shape[1::-1]
    assert rescaler.upscale(low, size, scale).shape == hr.shape
    assert rescaler.upscale(low, None, scale).dtype == np.uint8


def test_seed_and_temperature(noise):
    rescaler = Rescaler(shaken(SMALL["irn-x2"]), "cpu")
    low = noise(24, 31)
    first = rescaler.upscale(low, seed=1)
    assert np.array_equal(first, rescaler.upscale(low, seed=1))
    assert (first != rescaler.upscale(low, seed=2)).mean() > 0.1
    still = rescaler.upscale(low, seed=1, temperature=0)
    assert np.array_equal(still, rescaler.upscale(low, seed=2, temperature=0))
    half = rescaler.upscale(low, seed=1, temperature=0.5)
    far, near = (np.abs(x.astype(int) - still).mean() for x in (first, half))
    assert 0 < near < far


def test_a_batch_of_rescalers_draws_alike(noise):
    network = shaken(SMALL["irn-x4"])
    low = noise(9, 9)
    small = Rescaler(network, "cpu").upscale(low, seed=3)
    wide = np.concatenate([low, low], axis=1)
    assert small.shape[1] * 2 == Rescaler(network, "cpu").upscale(wide, seed=3).shape[1]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_close(precision, noise):
    network = shaken(SMALL["irn-x2"])
    hr = noise(40, 40)
    full = Rescaler(network, "cpu").downscale(hr)
    half = Rescaler(network, "cpu", precision).downscale(hr)
    assert np.abs(full.astype(int) - half).max() <= 4


@pytest.mark.parametrize("name", ["irn-x2", "irn-x4"])
def test_a_pass_that_overflows_half_precision_is_run_again_in_float32(name, noise):
    network = shaken(SMALL[name])
    with torch.no_grad():
        for block in filter(lambda each: isinstance(each, CouplingBlock), network.chain):
            block.G.convs[0].weight.mul_(1e6)
            block.G.convs[-1].weight.mul_(1e-6)
    hr = noise(40, 40)
    exact, half = Rescaler(network, "cpu"), Rescaler(network, "cpu", "fp16")
    shares = []
    low = half.downscale(hr, tick=shares.append)
    assert low.std() > 10
    assert np.array_equal(low, exact.downscale(hr))
    assert sum(shares) == pytest.approx(1)
    shares.clear()
    back = half.upscale(low, seed=3, tick=shares.append)
    assert np.array_equal(back, exact.upscale(low, seed=3))
    assert sum(shares) == pytest.approx(1)


def test_after_a_failed_allocation_tiles_shrink_and_the_result_stays(monkeypatch, noise):
    network = shaken(SMALL["irn-x2"])
    hr = noise(400, 420)
    expected = Rescaler(network, "cpu").downscale(hr)
    scarce = Scarce(monkeypatch, 90 * 90)
    assert np.array_equal(Rescaler(network, "cpu", tile=0).downscale(hr), expected)
    assert 1 <= scarce.failures <= 10


def test_without_memory_for_the_smallest_tile_it_gives_up_in_words(monkeypatch, noise):
    Scarce(monkeypatch, 10)
    with pytest.raises(MemoryExhaustedError, match="not enough memory"):
        Rescaler(shaken(SMALL["irn-x2"]), "cpu").downscale(noise(80, 80))


def test_other_errors_are_not_taken_for_lack_of_memory(monkeypatch, noise):
    def output(block, x, **options):
        raise RuntimeError("something else")

    monkeypatch.setattr(DenseBlock, "output", output)
    with pytest.raises(RuntimeError, match="something else"):
        Rescaler(shaken(SMALL["irn-x2"]), "cpu").downscale(noise(8, 8))


def test_progress_adds_up_to_one(noise):
    for name in ("irn-x2", "irn-x4"):
        rescaler, shares = Rescaler(shaken(SMALL[name]), "cpu", tile=64), []
        low = rescaler.downscale(noise(150, 211), tick=shares.append)
        assert sum(shares) == pytest.approx(1)
        shares.clear()
        rescaler.upscale(low, tick=shares.append)
        assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda n: Rescaler(n, "cpu", tile=63), UsageError),
        (lambda n: Rescaler(n, "tpu"), UsageError),
        (lambda n: Rescaler(n, "cuda:999"), UnavailableError),
        (lambda n: Rescaler(n, "cpu", "fp8"), UsageError),
        (lambda n: Rescaler(n, "cpu").downscale(np.zeros((4, 4, 3), "u1"), 1), UsageError),
        (lambda n: Rescaler(n, "cpu").downscale(np.zeros((4, 4, 3), "u1"), 2.5), UsageError),
        (lambda n: Rescaler(n, "cpu").upscale(np.zeros((4, 4, 3), "u1"), (9, 8)), UsageError),
        (lambda n: Rescaler(n, "cpu").upscale(np.zeros((4, 4, 3), "u1"), seed=-1), UsageError),
        (
            lambda n: Rescaler(n, "cpu").upscale(np.zeros((4, 4, 3), "u1"), temperature=math.nan),
            UsageError,
        ),
    ],
)
def test_options_out_of_range(call, error):
    with pytest.raises(error):
        call(shaken(SMALL["irn-x2"]))


def test_helpers_for_the_rest_of_a_picture(noise):
    hr = noise(20, 30)
    assert bicubic(hr, 10, 15).shape == (10, 15, 3)
    assert np.array_equal(resize_plane(hr[:, :, 0], 20, 30), hr[:, :, 0])
    gray = to_gray(hr)
    assert np.array_equal(gray[:, :, 0], gray[:, :, 2])
    assert np.abs(gray[:, :, 0] - hr.mean(axis=2)).max() <= 0.5


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["irn-x2", "irn-x4"])
def test_cuda_is_within_one_code_value(name, photo):
    network = default_registry().load(name).network
    hr = photo[:301, :407]
    low = Rescaler(network, "cpu").downscale(hr)
    back = Rescaler(network, "cpu").upscale(low, (407, 301), seed=1)
    cuda = Rescaler(network, "cuda")
    for ours, theirs in ((cuda.downscale(hr), low), (cuda.upscale(low, (407, 301), seed=1), back)):
        assert np.abs(ours.astype(int) - theirs).max() <= 1
        assert (ours != theirs).mean() < 1e-3
