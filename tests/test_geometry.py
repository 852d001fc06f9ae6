"""The grid of blocks and its bitmap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.geometry import MOST_BLOCKS, SIDE, block_side, grid_shape, pack, unpack

sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


@given(sizes, st.integers(0, 2**32))
def test_a_bitmap_survives(size, seed):
    blocks = np.random.default_rng(seed).random(grid_shape(size)) < 0.3
    assert np.array_equal(unpack(pack(blocks), size), blocks)


@given(st.tuples(st.integers(1, 200_000), st.integers(1, 200_000)))
def test_blocks_cover_the_image_and_are_the_smallest_that_are_few_enough(size):
    side, (rows, columns) = block_side(size), grid_shape(size)
    assert (columns - 1) * side < size[0] <= columns * side
    assert (rows - 1) * side < size[1] <= rows * side
    assert rows * columns <= MOST_BLOCKS
    if side > SIDE:
        half = side // 2
        assert -(-size[0] // half) * -(-size[1] // half) > MOST_BLOCKS


def test_the_largest_bitmap_is_small():
    noise = np.random.default_rng(0).random((256, 256)) < 0.5
    assert len(pack(noise)) < 8400


@pytest.mark.parametrize("data", [b"", b"x", pack(np.ones((3, 4), bool))[:-1]])
def test_damaged_bitmaps_are_refused(data):
    with pytest.raises(ValueError, match=r"decompressed|12 bits"):
        unpack(data, (60, 40))
