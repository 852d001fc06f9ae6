"""Tile geometry: integers, and laws that hold for all of them."""

from hypothesis import given
from hypothesis import strategies as st

from irncli.engine.tiles import cut, recut, spans

sizes = st.integers(1, 300)
sides = st.integers(1, 150)
halos = st.integers(0, 8)


@given(height=sizes, width=sizes, side=sides, halo=halos)
def test_tiles_cover_each_pixel_once(height, width, side, halo):
    seen = [[0] * width for _ in range(height)]
    for tile in cut(height, width, side, halo):
        for row in seen[tile.rows.tile]:
            row[tile.columns.tile] = [n + 1 for n in row[tile.columns.tile]]
    assert all(count == 1 for row in seen for count in row)


@given(size=sizes, side=sides, halo=halos)
def test_windows_are_tiles_with_their_halo_inside_the_picture(size, side, halo):
    for span in spans(0, size, side, halo, size):
        assert span.low == max(0, span.start - halo)
        assert span.high == min(size, span.stop + halo)
        window = list(range(size))[span.window]
        assert window[span.inner] == list(range(size))[span.tile]


@given(size=sizes, side=sides)
def test_a_remainder_is_joined_to_its_neighbour(size, side):
    lengths = [span.stop - span.start for span in spans(0, size, side, 5, size)]
    assert all(length == side for length in lengths[:-1])
    assert min(side, size) <= lengths[-1] < 2 * side or size < side


def test_no_tiling_is_one_tile():
    (tile,) = cut(70, 90, 0, 5)
    assert tile.pixels == 70 * 90


@given(height=sizes, width=sizes, side=sides, smaller=sides, halo=halos)
def test_cutting_a_tile_again_covers_the_same(height, width, side, smaller, halo):
    for tile in cut(height, width, side, halo)[:3]:
        parts = list(recut(tile, smaller, halo, height, width))
        area = sum((p.rows.stop - p.rows.start) * (p.columns.stop - p.columns.start) for p in parts)
        rows, columns = tile.rows, tile.columns
        assert area == (rows.stop - rows.start) * (columns.stop - columns.start)
        assert min(p.rows.start for p in parts) == rows.start
        assert max(p.columns.stop for p in parts) == columns.stop
