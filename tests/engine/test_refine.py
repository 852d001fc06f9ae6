"""Refinement: better or the same, never worse; bounded windows; weights left alone."""

import math

import numpy as np
import pytest
import torch

from irncli.engine import refine as module
from irncli.engine.frozen import restored
from irncli.engine.metrics import psnr
from irncli.engine.refine import PATIENCE, refine
from irncli.engine.rescaler import Rescaler
from irncli.engine.tiles import even_tiles
from irncli.errors import MemoryExhaustedError, UsageError
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.zoo.registry import default_registry
from tests.support.networks import SMALL, shaken


@pytest.fixture(scope="module")
def shipped():
    return Rescaler(default_registry().load("irn-x2").network, "cpu")


@pytest.fixture
def crop(photo):
    return photo[200:296, 300:396]


def small(name="irn-x2"):
    return Rescaler(shaken(SMALL[name], strength=0.02), "cpu")


def jpeg(pixels):
    return decode(encode(Picture(pixels), image_format="jpeg", quality=75)).pixels


def inverted(pixels):
    return 255 - pixels


class Noisy:
    """Another draw at each call, so that what a window saw is not what the whole will see."""

    def __init__(self):
        self.generator = np.random.default_rng(0)

    def __call__(self, pixels):
        noise = self.generator.integers(-40, 41, pixels.shape)
        return np.clip(pixels + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "name", ["irn-x2", "irn-x4", "irn-ld-x3", "irn-e-x4", "color", "color-cells"]
)
def test_gradients_are_those_of_the_network(name):
    network = shaken(SMALL[name], strength=0.05)
    config = network.config
    low = torch.rand(1, config.image_channels, 12 * config.cell, 9 * config.cell)
    pairs = []
    for restore in (
        lambda x: network.inverse(x, x.new_zeros(1, config.latent_channels, 12, 9)),
        lambda x: restored(network, x),
    ):
        x = low.clone().requires_grad_()
        back = restore(x)
        pairs.append((back, torch.autograd.grad(back.sin().sum(), x)[0]))
    for ours, plain in zip(*pairs, strict=True):
        assert torch.allclose(ours, plain, rtol=1e-4, atol=1e-5 * plain.abs().max().item())
    assert pairs[0][1].std() > 0.01


def test_shipped_weights_gain(shipped, crop):
    low = shipped.downscale(crop)
    kept = low.copy()
    result = refine(shipped, crop, low, steps=4)
    assert result.after > result.before + 0.05
    assert 1 <= result.steps <= 4
    assert result.pixels.dtype == np.uint8
    assert result.pixels.shape == low.shape
    assert np.array_equal(low, kept)
    for pixels, value in ((low, result.before), (result.pixels, result.after)):
        back = shipped.upscale(pixels, (96, 96), temperature=0)
        assert psnr(back, crop) == pytest.approx(value, abs=1e-9)


def test_gains_through_a_jpeg(shipped, photo):
    hr = np.ascontiguousarray(photo[100:196, 60:156])
    low = shipped.downscale(hr)
    result = refine(shipped, hr, low, steps=6, as_stored=jpeg)
    assert result.after > result.before + 0.05
    back = shipped.upscale(jpeg(result.pixels), (96, 96), temperature=0)
    assert psnr(back, hr) == pytest.approx(result.after, abs=1e-9)


def test_iterates_are_judged_as_they_come_back(noise):
    """A file that spoils whatever has moved far: only the first steps survive it."""
    rescaler, hr = small(), noise(40, 40)
    low = rescaler.downscale(hr)

    def moved(pixels):
        return np.abs(pixels.astype(int) - low).max()

    assert moved(refine(rescaler, hr, low, steps=6).pixels) > 2
    result = refine(
        rescaler, hr, low, steps=6, as_stored=lambda p: inverted(p) if moved(p) > 2 else p
    )
    assert 0 < moved(result.pixels) <= 2
    assert result.after > result.before


def test_keep_holds_the_small_picture(shipped, crop):
    low = shipped.downscale(crop)
    loose, tight = (refine(shipped, crop, low, steps=4, keep=keep) for keep in (0, 100))
    assert psnr(tight.pixels, low) > psnr(loose.pixels, low) + 0.5


@pytest.mark.parametrize(
    "as_stored", [None, jpeg, inverted, Noisy()], ids=["as-is", "jpeg", "inverted", "noisy"]
)
@pytest.mark.parametrize("rate", [1e-6, 2e-3, 1.0])
@pytest.mark.parametrize("tile", [256, 32])
def test_is_never_worse(as_stored, rate, tile, noise, monkeypatch):
    monkeypatch.setattr(module, "TILE", tile)
    rescaler, hr = small(), noise(66, 70)
    low = rescaler.downscale(hr)
    result = refine(rescaler, hr, low, steps=3, rate=rate, as_stored=as_stored)
    assert result.after >= result.before
    assert (result.steps == 0) == np.array_equal(result.pixels, low)
    assert (result.steps == 0) == (result.after == result.before)


def test_a_worse_whole_is_thrown_away(noise, monkeypatch):
    """The tiles may deceive themselves; the image decides."""
    monkeypatch.setattr(
        module._Search, "_best", lambda self, tile, *_: (255 - self.lr[tile.rows.tile], 3)
    )
    rescaler, hr = small(), noise(40, 40)
    low = rescaler.downscale(hr)
    result = refine(rescaler, hr, low, steps=3)
    assert result.steps == 0
    assert result.after == result.before
    assert np.array_equal(result.pixels, low)


def test_weights_stay_as_they_are(noise):
    rescaler, hr = small(), noise(24, 24)
    network = rescaler.network.requires_grad_()
    network.chain[1].F.requires_grad_(False)
    wanted = [p.requires_grad for p in network.parameters()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert refine(rescaler, hr, rescaler.downscale(hr), steps=2).steps > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [p.requires_grad for p in network.parameters()] == wanted
    assert all(p.grad is None for p in network.parameters())


def test_is_deterministic_and_indifferent_to_surroundings(noise):
    rescaler, hr = small(), noise(50, 41)
    low = rescaler.downscale(hr)
    first = refine(rescaler, hr, low, steps=3)
    torch.manual_seed(5)
    with torch.inference_mode():
        again = refine(rescaler, hr, low, steps=3)
    assert first.steps > 0
    assert np.array_equal(first.pixels, again.pixels)
    assert first.after == again.after


def test_one_tile_and_several_gain_alike(shipped, crop, monkeypatch):
    low = shipped.downscale(crop)
    gains = []
    for tile in (256, 64):
        monkeypatch.setattr(module, "TILE", tile)
        result = refine(shipped, crop, low, steps=2)
        gains.append(result.after - result.before)
    assert gains[0] > 0.05
    assert 0.7 < gains[1] / gains[0] < 1.3


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 40), (300, 140), (129, 257)])
@pytest.mark.parametrize("part", [None, (slice(0, 16), slice(0, 32))])
def test_tiles_cover_each_pixel_once_and_are_bounded(size, part):
    rows, columns = (slice(0, side) for side in size)
    if part:
        rows, columns = (slice(0, min(a.stop, b)) for a, b in zip(part, size, strict=True))
    seen = np.zeros(size, int)
    for tile in even_tiles(rows, columns, 128, size, module.HALO, module.GRAIN):
        seen[tile.rows.tile, tile.columns.tile] += 1
        assert tile.pixels <= (128 + 2 * module.HALO) ** 2
        for axis, limit in zip((tile.rows, tile.columns), size, strict=True):
            assert axis.start % module.GRAIN == 0
            assert axis.low % module.GRAIN == 0
            assert axis.start < axis.stop <= axis.high <= limit
    assert (seen[rows, columns] == 1).all()
    assert seen.sum() == seen[rows, columns].size


def test_windows_see_as_far_in_cells_as_in_pixels():
    lr = np.zeros((8, 8, 1), np.uint8)
    for name, halo in (("color", module.HALO), ("color-cells", 4 * module.HALO)):
        search = module._Search(shaken(SMALL[name]), lr, lambda rows: None, None)
        assert search.halo == halo


def test_tiles_are_even():
    """128 and 12 would be mostly halo."""
    tiles = even_tiles(slice(0, 140), slice(0, 16), 128, (140, 16), 16, module.GRAIN)
    assert [tile.rows.stop - tile.rows.start for tile in tiles] == [80, 60]


@pytest.mark.parametrize("name", ["irn-x2", "irn-x4", "irn-ld-x3", "color", "color-cells"])
@pytest.mark.parametrize("size", [(1, 1), (17, 23)])
def test_any_size_and_network(name, size, noise):
    rescaler, hr = small(name), noise(*size)
    low = rescaler.downscale(hr)
    result = refine(rescaler, hr, low, steps=4)
    assert result.pixels.shape == low.shape
    assert result.after >= result.before
    # z = 0 is far from what this learned transform leaves out: there is nothing to win by steps
    if size != (1, 1) and name != "irn-ld-x3":
        assert result.after > result.before


@pytest.mark.parametrize("scale", [1.5, 2.7, 4])
def test_fractional_scales(scale, photo):
    rescaler, hr = small("irn-x4"), photo[100:165, 200:277]
    low = rescaler.downscale(hr, scale)
    result = refine(rescaler, hr, low, scale, steps=4)
    assert result.after > result.before
    back = rescaler.upscale(result.pixels, (77, 65), scale, temperature=0)
    assert psnr(back, hr) == pytest.approx(result.after, abs=1e-9)


def test_no_steps_change_nothing(noise):
    rescaler, hr = small(), noise(20, 20)
    low = rescaler.downscale(hr)
    result = refine(rescaler, hr, low, steps=0)
    assert np.array_equal(result.pixels, low)
    assert result.steps == 0
    assert result.before == result.after
    assert math.isfinite(result.before)


def test_what_is_perfect_is_left_alone():
    rescaler = Rescaler(shaken(SMALL["irn-x2"], strength=0), "cpu")
    hr, calls = np.full((32, 32, 3), 77, np.uint8), []

    def counted(pixels):
        calls.append(pixels)
        return pixels

    result = refine(rescaler, hr, rescaler.downscale(hr), steps=5, as_stored=counted)
    assert result.before == result.after == math.inf
    assert result.steps == 0
    assert len(calls) == 1


def test_stops_where_nothing_is_gained(noise):
    rescaler, hr, calls = small(), noise(24, 24), []

    def counted(pixels):
        calls.append(pixels)
        return pixels

    low = rescaler.downscale(hr)
    refine(rescaler, hr, low, steps=50, rate=1e-6, as_stored=counted)
    # the whole, the start, and the steps that brought nothing
    assert len(calls) == 1 + 1 + PATIENCE


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": -1},
        {"steps": 1001},
        {"rate": 0},
        {"rate": 1.5},
        {"rate": math.nan},
        {"keep": -1},
        {"keep": math.inf},
        {"keep": math.nan},
        {"scale": 3},
        {"lr": np.zeros((9, 10, 3), np.uint8)},
    ],
    ids=str,
)
def test_options_out_of_range(wrong, noise):
    rescaler, hr = small(), noise(20, 20)
    options = {"lr": rescaler.downscale(hr), "steps": 1} | wrong
    with pytest.raises(UsageError, match=r"expected|LR is"):
        refine(rescaler, hr, **options)


def short_of_memory(monkeypatch, limit):
    """Windows of more pixels than `limit` do not fit; returns those that did."""
    real, fitted = module.restored, []

    def restored(network, low):
        if low[0, 0].numel() > limit:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        fitted.append(low[0, 0].numel())
        return real(network, low)

    monkeypatch.setattr(module, "restored", restored)
    return fitted


def test_halves_tiles_that_do_not_fit(noise, monkeypatch):
    rescaler, hr = small(), noise(120, 130)
    low = rescaler.downscale(hr)
    fitted = short_of_memory(monkeypatch, 3000)
    result = refine(rescaler, hr, low, steps=2)
    assert result.after > result.before
    assert fitted


def test_gives_up_where_nothing_fits(noise, monkeypatch):
    rescaler, hr = small(), noise(120, 130)
    low = rescaler.downscale(hr)
    short_of_memory(monkeypatch, 100)
    with pytest.raises(MemoryExhaustedError, match="refine"):
        refine(rescaler, hr, low, steps=2)


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_ticks_sum_to_one(steps, noise, monkeypatch):
    monkeypatch.setattr(module, "TILE", 32)
    rescaler, hr, shares = small(), noise(66, 70), []
    refine(rescaler, hr, rescaler.downscale(hr), steps=steps, tick=shares.append)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupts_and_errors_pass(error, noise):
    rescaler, hr, calls = small(), noise(24, 24), []

    def interrupted(pixels):
        calls.append(pixels)
        if len(calls) == 3:
            raise error
        return pixels

    with pytest.raises(error):
        refine(rescaler, hr, rescaler.downscale(hr), steps=9, as_stored=interrupted)
