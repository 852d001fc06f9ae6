"""Verdicts of the guard: worse blocks, groups of marks, and what they cost around them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw, ImageFont

import irncli
from irncli.engine.fallback import Fallback
from irncli.engine.guard import guard
from irncli.engine.guard_measures import MOST_IN_FLAT, clamp_flat, flat_blocks
from irncli.engine.guard_verdict import (
    MARGIN,
    MAX_ERROR_IF_PLAIN_IS_PERFECT,
    PERFECT,
    STRONG_TINT,
    TINT_COST,
    BlockErrors,
    block_errors,
    cheapest,
    components,
    costs,
    is_worse,
)
from irncli.engine.metrics import psnr

grids = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=7))


def errors(square, shift=0.0, most=0.0):
    return BlockErrors(*(torch.tensor([[value]]) for value in (square, shift, most)))


@pytest.mark.parametrize(
    ("network", "plain", "worse"),
    [
        (errors(100.0), errors(100.0), False),
        (errors(100.0 * MARGIN - 1), errors(100.0), False),
        (errors(100.0 * MARGIN + 1), errors(100.0), True),
        (errors(90.0, shift=3.5), errors(100.0), True),  # a tint of a level beyond the limit
        (errors(90.0, shift=3.5), errors(100.0, shift=3.6), False),  # the plain method has it, too
        (errors(72.0, shift=3.5), errors(100.0), False),  # much better otherwise
        (errors(74.0, shift=3.5), errors(100.0), True),
        (errors(69.0, shift=5.5), errors(100.0), True),  # a strong tint
        (errors(62.0, shift=9.0), errors(100.0), False),
        (errors(90.0, shift=2.7), errors(100.0), False),  # hardly a tint
        (errors(0.9 * PERFECT, most=1.0), errors(0.0), False),
        (errors(0.9 * PERFECT, most=2.0), errors(0.0), True),
        (errors(0.9 * PERFECT, most=9.0), errors(1.1 * PERFECT), False),
        (errors(torch.nan), errors(1e6), True),
    ],
)
def test_worse_blocks(network, plain, worse):
    assert MAX_ERROR_IF_PLAIN_IS_PERFECT == 1.5
    assert is_worse(network, plain).item() is worse


def test_a_tint_costs_a_share_of_the_error():
    plain = errors(100.0)
    assert costs(errors(50.0, shift=2.5), plain).item() == 50
    assert costs(errors(50.0, shift=3.0), plain).item() == pytest.approx(50 * (1 + TINT_COST / 2))
    most = pytest.approx(50 * (1 + TINT_COST * STRONG_TINT))
    assert [costs(errors(50.0, shift=shift), plain).item() for shift in (4, 20)] == [most, most]
    assert costs(errors(torch.nan), plain).item() == torch.inf


def test_errors_of_blocks():
    error = torch.zeros(1, 3, 32, 64)
    error[0, 1, :16, 32:48] = 4
    error[0, 2, 5, 3] = -60
    found = block_errors(error, 32)
    assert found.square[0].tolist() == pytest.approx([60**2 / 3 / 32**2, 16 / 3 / 4])
    assert found.shift.tolist() == [[60 / 256, 4]]
    assert found.most.tolist() == [[60, 4]]


@given(grids)
def test_groups_are_those_that_a_search_finds(blocks):
    numbers = components(torch.from_numpy(blocks)).numpy()
    assert ((numbers > 0) == blocks).all()
    left, count = set(zip(*np.nonzero(blocks), strict=True)), 0
    while left:
        reached, front = set(), {next(iter(left))}
        while front:
            reached |= front
            near = {(r + i, c + j) for r, c in front for i in (-1, 0, 1) for j in (-1, 0, 1)}
            front = (near & left) - reached
        left -= reached
        count += 1
        assert len({int(numbers[place]) for place in reached}) == 1
    assert len(np.unique(numbers[blocks])) == count
    assert numbers.max(initial=0) == count


@given(grids, st.data())
def test_in_each_group_the_cheapest_marks_are_taken(blocks, data):
    groups = components(torch.from_numpy(blocks))
    some = arrays(np.bool_, blocks.shape)
    numbers = arrays(np.float32, blocks.shape, elements=st.integers(0, 9).map(float))
    choices = [torch.from_numpy(data.draw(some)) for _ in range(3)]
    prices = [torch.from_numpy(data.draw(numbers)) for _ in range(3)]
    taken = cheapest(choices, prices, groups)
    assert not taken[groups == 0].any()
    for group in range(1, int(groups.max()) + 1):
        here = groups == group
        totals = [price[here].sum().item() for price in prices]
        expected = choices[totals.index(min(totals))]
        assert torch.equal(taken[here], expected[here])


@pytest.mark.parametrize("bits", [8, 16])
@given(st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_flat_blocks_are_clamped_and_others_left_alone(bits, seed, level):
    unit, random = (2**bits - 1) // 255, np.random.default_rng(seed)
    low, plain = (random.integers(0, 2**bits, (40, 37, 3)).astype(f"uint{bits}") for _ in range(2))
    plain[16:32, :16] = level * unit
    low[20:24, :16] = plain[20:24, :16]
    flat = flat_blocks(torch.from_numpy(plain.astype(np.float32) / unit).movedim(2, 0)[None], 16)
    assert flat.tolist() == [[False] * 3, [True, False, False], [False] * 3]
    near, changed = clamp_flat(low, plain, flat, 16)
    inside = np.zeros((40, 37), bool)
    inside[16:32, :16] = True
    off = near[inside].astype(int) - plain[inside]
    assert np.abs(off).max() == MOST_IN_FLAT * unit
    assert np.array_equal(np.sign(off), np.sign(low[inside].astype(int) - plain[inside]))
    assert np.array_equal(near[~inside], low[~inside])
    assert torch.equal(changed, flat)
    again, unchanged = clamp_flat(near, plain, flat, 16)
    assert again is near
    assert not unchanged.any()


def slide():
    """A slide: flat grounds, which bicubic restores exactly, beside large text."""
    image = Image.new("RGB", (288, 192), (227, 154, 43))
    draw = ImageDraw.Draw(image)
    draw.rectangle((160, 0, 287, 191), fill="white")
    draw.text((40, 70), "How to", fill="white", font=ImageFont.load_default(26))
    draw.text((166, 40), "Power", fill="black", font=ImageFont.load_default(44))
    return np.array(image)


@pytest.mark.parametrize("name", ["irn-x2", "irn-x3", "irn-x4"])
def test_what_the_guard_gains_in_a_block_is_not_lost_around_it(name):
    rescaler, hr = irncli.load(name, device="cpu").rescaler, slide()
    low, size = rescaler.downscale(hr), (288, 192)
    made = guard(rescaler, hr, low)
    fallback = Fallback.for_image(made.pixels, made.blocks, rescaler.scale, None)
    bare = rescaler.upscale(low, size, temperature=0)
    checked = rescaler.upscale(made.pixels, size, temperature=0, fallback=fallback)
    assert psnr(checked, hr) > psnr(bare, hr) - 0.1
