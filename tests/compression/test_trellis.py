"""Levels of blocks: none cost less."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irncli.compression.trellis import best_levels, bits_of_blocks, lengths_of


@pytest.fixture(scope="module")
def lengths():
    random = np.random.default_rng(3)
    levels = np.rint(random.laplace(0, 2, (500, 64)) / (1 + np.arange(64) / 4)).astype(np.int32)
    return lengths_of(levels)


def cost_of(levels, targets, weights, price, lengths):
    error = (weights * np.square(targets - levels))[:, 1:].sum(axis=1)
    return error + price * bits_of_blocks(levels, lengths)


def test_lengths_are_those_of_frequencies():
    levels = np.zeros((8, 64), np.int32)
    levels[:4, 1] = 1  # the pair (0, 1) four times, the end eight times
    lengths = lengths_of(levels)
    assert lengths[0, 0] < lengths[0, 1] < lengths[3, 2]
    assert (2.0**-lengths).sum() == pytest.approx(1)


def test_bits_are_those_of_pairs_and_magnitudes(lengths):
    levels = np.zeros((2, 64), np.int32)
    levels[0, [1, 20, 63]] = 5, -1, 2  # runs 0, 18 and 42
    expected = lengths[0, 3] + 3 + lengths[15, 0] + lengths[2, 1] + 1
    expected += 2 * lengths[15, 0] + lengths[10, 2] + 2
    assert bits_of_blocks(levels, lengths) == pytest.approx([expected, lengths[0, 0]])


def test_without_a_price_levels_are_rounded(lengths):
    targets = np.random.default_rng(0).normal(0, 3, (50, 64))
    assert np.array_equal(best_levels(targets, np.ones(64), 0, lengths), np.rint(targets))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 2))
def test_no_choice_costs_less(lengths, seed, price):
    random = np.random.default_rng(seed)
    waves = np.sort(random.choice(np.arange(1, 64), 4, replace=False))
    targets = random.uniform(-0.49, 0.49, (1, 64))
    targets[0, waves] = random.uniform(0.5, 4, 4) * random.choice([-1, 1], 4)
    weights = random.uniform(0.5, 2, 64)
    found = best_levels(targets, weights, price, lengths)
    least = cost_of(found, targets, weights, price, lengths)[0]
    assert found[0, 0] == np.rint(targets[0, 0])
    for less in itertools.product((0, 1, None), repeat=4):
        levels = found.copy()
        for wave, minus in zip(waves, less, strict=True):
            size = 0 if minus is None else max(0, np.rint(abs(targets[0, wave])) - minus)
            levels[0, wave] = size * np.sign(targets[0, wave])
        assert least <= cost_of(levels, targets, weights, price, lengths)[0] + 1e-9
