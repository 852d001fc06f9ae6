"""The guard: its laws, on networks whose every weight is random and fail at everything."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

import irncli
from irncli.engine.fallback import Fallback, block_weights
from irncli.engine.guard import Guarded, guard
from irncli.engine.guard_measures import MOST_SHIFT_8, MOST_SHIFT_16, texture
from irncli.engine.metrics import psnr
from irncli.engine.rescaler import Rescaler, bicubic, lr_size
from irncli.engine.windows import TOGETHER_PIXELS, grouped, size_of
from irncli.geometry import SIDE, grid_shape
from irncli.pixels import bits_of, to_bits
from tests.support.networks import SMALL, shaken


def fresh(kind):
    """A network that does nothing: the box average, from which z = 0 restores the box average."""
    network = shaken(SMALL[kind])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if not name.endswith("matrix"):
                parameter.zero_()
    return Rescaler(network, "cpu")


def failing(kind, **options):
    return Rescaler(shaken(SMALL[kind], strength=0.3), "cpu", **options)


def image(photo, height=96, width=112, top=100, left=200):
    return np.ascontiguousarray(photo[top : top + height, left : left + width])


def guarded(rescaler, hr, scale=None, **options):
    low = rescaler.downscale(hr, scale, bits=options.pop("bits", 8))
    return guard(rescaler, hr, low, scale, **options)


def restored(rescaler, made, hr, scale=None, **options):
    fallback = Fallback.for_image(made.pixels, made.blocks, rescaler.scale, made.tint)
    size = (hr.shape[1], hr.shape[0])
    return rescaler.upscale(made.pixels, size, scale, fallback=fallback, **options)


def plain_lr(rescaler, hr):
    width, height = lr_size((hr.shape[1], hr.shape[0]), rescaler.scale)
    padding = [(0, n * rescaler.scale - m) for n, m in zip((height, width), hr.shape, strict=False)]
    padded = np.pad(hr, (*padding, (0, 0)), "edge")
    return bicubic(padded, height, width)


def shifts(low, plain, side):
    difference = low.astype(float) - plain
    height, width = (size // side * side for size in low.shape[:2])
    squares = difference[:height, :width].reshape(height // side, side, width // side, side, -1)
    return np.abs(squares.mean(axis=(1, 3)))


KINDS = ["irn-x2", "irn-ld-x3", "irn-x4", "irn-e-x4"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [8, 16])
def test_whatever_the_network_does_lr_is_a_thumbnail_and_nothing_is_worse_than_bicubic(
    photo, kind, bits
):
    rescaler = failing(kind)
    hr = to_bits(image(photo, 131, 149), bits)
    made = guarded(rescaler, hr, bits=bits)
    plain = plain_lr(rescaler, hr)
    unit = (2**bits - 1) / 255
    assert bits_of(made.pixels) == bits
    assert shifts(made.pixels, plain, 8).max() <= (MOST_SHIFT_8 + 0.6) * unit
    assert shifts(made.pixels, plain, 16).max() <= (MOST_SHIFT_16 + 0.6) * unit
    assert psnr(to_bits(made.pixels, 8), to_bits(plain, 8)) > 23.9
    back = restored(rescaler, made, hr, bits=bits)
    simple = bicubic(plain, plain.shape[0] * rescaler.scale, plain.shape[1] * rescaler.scale)
    simple = simple[: hr.shape[0], : hr.shape[1]]
    assert psnr(to_bits(hr, 8), to_bits(back, 8)) > psnr(to_bits(hr, 8), to_bits(simple, 8)) - 0.05
    assert made.bicubic > 0.5
    raw = rescaler.upscale(rescaler.downscale(hr, bits=bits), hr.shape[1::-1], bits=bits)
    assert psnr(to_bits(hr, 8), to_bits(raw, 8)) < psnr(to_bits(hr, 8), to_bits(back, 8)) - 3


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_wholly_marked_is_bicubic_both_ways_to_the_bit(photo, kind):
    rescaler = failing(kind)
    side = 48 * rescaler.scale
    hr = image(photo, side, side)
    made = guarded(rescaler, hr)
    blocks = np.ones(grid_shape((48, 48)), np.bool_)
    whole = Guarded(bicubic(hr, 48, 48), blocks)
    assert made.bicubic > 0.5
    marked = made.blocks.repeat(SIDE, 0).repeat(SIDE, 1)
    assert np.array_equal(made.pixels[marked], whole.pixels[marked])
    assert np.array_equal(restored(rescaler, whole, hr), bicubic(whole.pixels, side, side))


def test_a_harmless_network_is_left_alone(photo):
    """The box average is near bicubic LR; nothing is looked at, blended or marked."""
    rescaler = fresh("irn-x2")
    hr = np.clip(image(photo) * 0.2 + 90, 0, 255).astype(np.uint8)  # too smooth for a probe
    low = rescaler.downscale(hr)
    made = guard(rescaler, hr, low)
    assert made.pixels is low
    assert made.blocks is None
    assert made.repaired == 0


def test_a_block_that_departs_is_blended_as_far_as_is_needed(photo):
    rescaler = fresh("irn-x2")
    hr = np.clip(image(photo, 128, 320) * 0.1 + 90, 0, 255).astype(np.uint8)
    low = rescaler.downscale(hr)
    off = low.astype(int)
    off[16:32, 32:48, 0] += 20
    off = np.clip(off, 0, 255).astype(np.uint8)
    made = guard(rescaler, hr, off)
    plain = plain_lr(rescaler, hr)
    assert 0 < made.repaired + made.bicubic < 0.7
    assert shifts(made.pixels, plain, 16).max() <= MOST_SHIFT_16 + 0.6
    assert np.array_equal(made.pixels[:, 144:], off[:, 144:]), "far away nothing changes"


@pytest.mark.parametrize("tile", [0, 64, 96])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_result_for_every_tile_and_thread_count(photo, tile, threads):
    before = torch.get_num_threads()
    hr = image(photo, 150, 170)
    expected = guarded(failing("irn-x2"), hr, temperature=1.0)
    torch.set_num_threads(threads)
    try:
        made = guarded(failing("irn-x2", tile=tile), hr, temperature=1.0)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(made.pixels, expected.pixels)
    assert np.array_equal(made.blocks, expected.blocks)
    whole = restored(failing("irn-x2"), expected, hr, seed=4)
    tiled = restored(failing("irn-x2", tile=tile), expected, hr, seed=4)
    assert np.array_equal(whole, tiled)


def test_it_can_be_ended_between_its_parts(photo):
    calls = []

    def tick(share):
        calls.append(share)
        if len(calls) == 3:
            raise KeyboardInterrupt

    hr, rescaler = image(photo, 240, 240), failing("irn-x2")
    low = rescaler.downscale(hr)
    with pytest.raises(KeyboardInterrupt):
        guard(rescaler, hr, low, tick=tick)
    assert calls == [0, 0, 0]


def test_what_is_looked_at_is_no_larger_than_what_is_in_doubt(photo, monkeypatch):
    rescaler = irncli.load("irn-x2", device="cpu").rescaler
    hr = image(photo, 288, 288)
    low = rescaler.downscale(hr).copy()
    low[64:80, 64:80] ^= 64
    checked = []
    restore = rescaler.restore_windows
    monkeypatch.setattr(
        rescaler, "restore_windows",
        lambda low, windows, **z: checked.extend(windows) or restore(low, windows, **z),
    )  # fmt: skip
    guard(rescaler, hr, low)
    area = sum((r.stop - r.start) * (c.stop - c.start) for r, c in checked)
    # The block and a probe; where it is worse, its neighbours with the mark and without, to see
    # whether the mark pays. Each has a halo of 4 pixels.
    assert 0 < area <= 2 * (16 + 8) ** 2 + 2 * (3 * 16 + 8) ** 2


def test_fractional_scales(photo):
    rescaler = failing("irn-x4")
    hr = image(photo, 120, 130)
    made = guarded(rescaler, hr, 2.5)
    assert made.pixels.shape == (48, 52, 3)
    back = restored(rescaler, made, hr, 2.5)
    simple = bicubic(bicubic(hr, 48, 52), 120, 130)
    assert psnr(hr, back) > psnr(hr, simple) - 0.3


def test_at_a_fractional_scale_what_counts_is_the_image_after_resizing(photo, monkeypatch):
    """A network that restores the image well but for fine stripes, which resizing removes."""
    rescaler = fresh("irn-x4")
    noise = np.random.default_rng(0).integers(-16, 17, (120, 132, 3))
    hr = np.clip(image(photo, 120, 132) * 0.5 + 60 + noise, 0, 255).astype(np.uint8)

    def bicubic_share(scale):
        low, perfect = rescaler.downscale(hr, scale), rescaler.reading(hr, scale)

        def restore(_, windows, **__):
            for index, window in enumerate(windows):
                rows, columns = (slice(4 * part.start, 4 * part.stop) for part in window)
                stripes = torch.arange(columns.start, columns.stop) % 2 - 0.5
                yield index, perfect.rows(rows)[:, :, :, columns] + 0.2 * stripes

        with monkeypatch.context() as patched:
            patched.setattr(rescaler, "restore_windows", restore)
            patched.setattr("irncli.engine.rescaler.resized_rows", None)  # HR is resized only once
            return guard(rescaler, hr, low, scale).bicubic

    assert bicubic_share(4) > 0.9
    assert bicubic_share(1.5) == 0


def test_gray_stays_gray(photo):
    rescaler = failing("irn-x2")
    gray = image(photo).mean(axis=2, keepdims=True).round().astype(np.uint8).repeat(3, axis=2)
    made = guarded(rescaler, gray, neutral=True)
    assert made.neutral
    assert (made.pixels == made.pixels[:, :, :1]).all()
    assert not guarded(rescaler, image(photo)).neutral


@pytest.mark.parametrize("kind", ["color", "color-cells"])
def test_colour(photo, kind):
    """Gray near the luma; restored no worse than luma with the mean colour of the image."""
    rescaler = failing(kind)
    hr = image(photo, 99, 81)
    made = guarded(rescaler, hr)
    luma = np.rint(hr @ np.array([0.299, 0.587, 0.114]))
    assert made.pixels.shape == (99, 81, 1)
    assert shifts(made.pixels, luma[:, :, None], 8).max() <= MOST_SHIFT_8 + 0.6
    back = restored(rescaler, made, hr)
    tint = hr.mean(axis=(0, 1)) - luma.mean()
    simple = np.clip(np.rint(luma[:, :, None] + tint), 0, 255).astype(np.uint8)
    assert psnr(hr, back) > psnr(hr, simple) - 0.05
    assert made.bicubic > 0.5
    assert made.tint == pytest.approx(tuple(tint), abs=0.05)
    flat = np.full((40, 40, 3), (255, 0, 10), np.uint8)
    made = guarded(rescaler, flat)
    assert np.abs(restored(rescaler, made, flat).astype(int) - flat).max() <= 1


def test_what_a_file_loses_counts(photo):
    """A network that is sound, and a file that ruins what it hides."""
    rescaler = fresh("irn-x2")
    with torch.no_grad():  # an inverse that amplifies what differs from the box average
        block = rescaler.network.chain[-1]
        block.G.convs[-1].weight.normal_(0, 0.4)
    hr = image(photo, 128, 128)
    low = rescaler.downscale(hr)

    def as_stored(pixels):
        noise = np.random.default_rng(0).normal(0, 12, pixels.shape)
        return np.clip(pixels + noise, 0, 255).astype(np.uint8)

    alone = guard(rescaler, hr, low, as_stored=as_stored)
    assert alone.bicubic > guard(rescaler, hr, low).bicubic
    stored = replace(alone, pixels=as_stored(alone.pixels))
    simple = bicubic(as_stored(bicubic(hr, 64, 64)), 128, 128)
    assert psnr(hr, restored(rescaler, stored, hr)) > psnr(hr, simple) - 0.1


def test_drawn_and_noisy_blocks_are_told_from_photographs(photo):
    letters = np.full((128, 128, 3), 255, np.uint8)
    letters[::8, ::8] = letters[1::8, 2::8] = 0
    letters[3::8, ::2] = 90
    noise = image(photo, 128, 128) + np.random.default_rng(0).normal(0, 20, (128, 128, 3))
    noise = np.clip(noise, 0, 255).astype(np.uint8)
    hr = np.concatenate((image(photo, 128, 128), letters, noise), axis=1)
    found = texture(hr, (4, 12), 32)
    assert not found.synthetic[:, :3].any()
    assert found.synthetic[:, 4:8].all()
    assert found.synthetic[:, 9:].all()
    assert found.growth[:, 8:].median() < 1.2
    assert found.growth[:, :4].median() > 1.8
    deep = texture(hr.astype(np.uint16) * 257, (4, 12), 32)
    assert torch.equal(deep.synthetic, found.synthetic)
    coarse = texture(hr, (2, 5), 78.5)
    assert coarse.synthetic[:, 4].all()
    assert not texture(hr[:, :2], (4, 1), 32).synthetic.any()


@pytest.mark.parametrize("period", [2, 3, 4, 5, 8])
def test_stripes_are_drawn_in_whichever_direction_they_run(period):
    colours = np.array([(250, 20, 30), (10, 200, 90)], np.uint8)
    stripes = colours[(np.arange(96) % period) * 2 // period]
    for hr in (np.tile(stripes[None], (96, 1, 1)), np.tile(stripes[:, None], (1, 96, 1))):
        assert texture(hr, (3, 3), 32).synthetic.all()


def test_the_roughest_blocks_are_probed_and_others_like_them_are_looked_at_if_they_fail(photo):
    """A network that makes a good LR and restores nothing well, of a photograph."""
    rescaler = fresh("irn-x2")
    with torch.no_grad():
        rescaler.network.chain[-1].G.convs[-1].weight.normal_(0, 0.4)
    hr = image(photo, 128, 256)
    found = texture(hr, (4, 8), 32)
    assert not found.synthetic.any()
    rough = (found.growth <= 1.2 * found.growth.min()).numpy()
    made = guarded(rescaler, hr)
    assert rough.sum() > 1
    assert made.blocks[rough].all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (5, 3), (17, 33)])
@pytest.mark.parametrize("kind", ["irn-x2", "irn-x4", "color-cells"])
def test_small_images(photo, kind, size):
    rescaler = failing(kind)
    hr = image(photo, *size)
    made = guarded(rescaler, hr, temperature=1.0)
    plain = plain_lr(rescaler, hr) if made.pixels.shape[2] == 3 else None
    if plain is not None and max(size) <= 5:
        shift = (made.pixels.astype(float) - plain).mean(axis=(0, 1))
        assert np.abs(shift).max() <= MOST_SHIFT_8 + 0.6
    assert restored(rescaler, made, hr).shape == hr.shape


def test_weights_of_blocks():
    grid = torch.zeros(5, 6)
    grid[2, 3] = 1
    weights = block_weights(grid, 16, slice(0, 80), slice(0, 96))
    assert (weights[32:48, 48:64] == 1).all()
    assert weights.min() == 0
    assert weights[:20].max() == 0
    assert (weights[32:48, 48 - 12 - 1 : 48 + 16 + 12 + 1].diff(dim=1).abs() <= 0.13).all()
    part = block_weights(grid, 16, slice(20, 50), slice(30, 90))
    assert torch.equal(part, weights[20:50, 30:90])
    assert (block_weights(torch.ones(2, 2), 16, slice(0, 32), slice(0, 32)) == 1).all()


def test_marks_of_an_lr_of_another_size_are_not_used(photo):
    low = image(photo, 40, 60)
    blocks = np.ones((3, 4), np.bool_)
    assert Fallback.for_image(low, blocks, 2, None) is not None
    assert Fallback.for_image(low[:20], blocks, 2, None) is None
    assert Fallback.for_image(low, None, 2, None) is None


def test_a_window_is_restored_nearly_as_in_the_whole(photo):
    rescaler = failing("irn-x2")
    low = image(photo, 120, 120)
    whole = rescaler.upscale(low, seed=3)
    rows, columns = slice(32, 96), slice(48, 120)
    ((_, part),) = rescaler.restore_windows(low, [(rows, columns)], seed=3, temperature=1.0)
    assert part.shape == (1, 3, 128, 144)
    pixels = (part[0].clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()
    inner = np.abs(pixels[60:-60, 60:] - whole[124:132, 156:240].astype(float))
    assert inner.max() <= 1


@pytest.mark.parametrize("kind", ["irn-x2", "irn-x4", "color-cells"])
def test_windows_restored_together_are_those_restored_alone(photo, kind, monkeypatch):
    rescaler = Rescaler(shaken(SMALL[kind]), "cpu")
    low = image(photo, 40, 60)[:, :, : rescaler.network.config.image_channels]
    windows = [
        (slice(max(0, top - 4), top + 20), slice(max(0, left - 4), left + 20))
        for top in (0, 16) for left in (0, 16, 32)
    ]  # fmt: skip
    alone = dict(rescaler.restore_windows(low, windows, seed=3, temperature=1.0))
    assert list(alone) == list(range(len(windows)))
    groups = grouped(windows, TOGETHER_PIXELS)
    monkeypatch.setattr("irncli.engine.rescaler.grouped", lambda *_: groups)
    together = dict(rescaler.restore_windows(low, windows, seed=3, temperature=1.0))
    assert len(groups) == 4
    assert sorted(together) == list(alone)
    for index, values in together.items():
        torch.testing.assert_close(values, alone[index], rtol=0, atol=5e-4)


def test_groups_of_windows_are_of_one_size_and_not_too_large():
    places = [0, 4, 5, 9, 20, 24, 25]
    windows = [(slice(a, b), slice(0, b - a)) for a, b in pairwise(places)]
    groups = grouped(windows, 32)
    assert sorted(index for group in groups for index in group) == list(range(len(windows)))
    assert grouped(windows, 0) == [[index] for index in range(len(windows))]
    for group in groups:
        sizes = {size_of(windows[index]) for index in group}
        assert len(sizes) == 1
        ((height, width),) = sizes
        assert len(group) == 1 or len(group) * height * width <= 32
    assert [0, 2] in groups
