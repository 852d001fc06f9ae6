"""What the kernels compute with, in plain Python: planes, packed weights, tiles and tunings."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from irncli.kernels.packing import GROWTH, PackedBlocks, Widths, unpack_gradient
from irncli.kernels.plane import MOST_TILE_ROWS, Plane
from irncli.kernels.tiles import tiles
from irncli.kernels.tuning import TABLE, Launch, Tuning, default_tuning, kind_of
from irncli.model.dense import DenseBlock

CHANNELS = [1, 2, 3, 9, 15, 16, 24, 32, 45, 63, 64, 189]
sizes = st.integers(1, 6)


@given(sizes, sizes, sizes, sizes)
def test_images_survive_the_layout(count, channels, height, width):
    images = torch.randn(count, channels, height, width)
    plane = Plane.of(images)
    rows = plane.flatten(images)
    assert rows.shape == (plane.rows, channels)
    assert torch.equal(plane.images(rows), images)
    assert not rows[~plane.inside(rows.device)[:, 0]].any()
    assert int(plane.inside(rows.device).sum()) == count * height * width


@given(sizes, sizes, sizes)
def test_every_neighbour_is_a_pixel_or_zero(count, height, width):
    """One column and one line of zeros serve as border on both sides of every image."""
    plane = Plane(count, height, width)
    images = torch.arange(1.0, 1 + count * height * width).view(count, 1, height, width)
    rows = plane.zeros(1, torch.float32, torch.device("cpu"))
    rows.copy_(plane.flatten(images))
    buffer = rows.as_strided((plane.rows + 2 * plane.guard,), (1,), 0)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            begin = plane.guard + dy * plane.line + dx
            moved = plane.images(buffer[begin : begin + plane.rows])
            expected = padded[:, :, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
            assert torch.equal(moved, expected)


@given(sizes, sizes, sizes, st.sampled_from([16, 64, MOST_TILE_ROWS]))
def test_programs_store_every_row_and_read_no_others(count, height, width, rows):
    """A program computes `rows` rows from one before the rows that it stores, to one after."""
    plane = Plane(count, height, width)
    first = [-1 + program * (rows - 2) for program in range(plane.programs(rows))]
    stored = [row for begin in first for row in range(begin + 1, begin + rows - 1)]
    assert stored == list(range(len(stored)))
    assert plane.rows <= len(stored) < plane.rows + rows - 2
    assert -plane.guard <= first[0] - plane.line
    assert first[-1] + rows - 1 + plane.line < plane.rows + plane.guard


def test_a_plane_has_pixels():
    with pytest.raises(ValueError, match="at least one image and one pixel"):
        Plane(1, 0, 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 9), (16, 32), (64, 1), (189, 3), (3, 189)])
def test_unpacking_undoes_packing(inputs, outputs, dtype):
    """The forward weights, put where their gradients would be, are the parameters, rounded."""
    block = shaken_block(inputs, outputs)
    packed = PackedBlocks([shaken_block(inputs, outputs), block], dtype)
    w = packed.widths
    total = torch.full((9, w.feature_columns, w.gradient_columns), float("nan"))
    for k in range(5):
        total[:, : w.read(k), w.gradient(k)] = packed.forward[k][1].float()
    own = [p for conv in block.convs for p in (conv.weight, conv.bias)]
    for got, parameter in zip(unpack_gradient(total, w), own, strict=True):
        assert torch.equal(got, parameter.detach().to(dtype).float())


def test_packed_weights_follow_the_block():
    block = shaken_block(3, 9)
    packed = PackedBlocks([block], torch.float16)
    addresses = [each.data_ptr() for each in (*packed.forward, *packed.backward)]
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.mul_(2)
    packed.update()
    fresh = PackedBlocks([block], torch.float16)
    for name in ("forward", "backward"):
        assert all(map(torch.equal, getattr(packed, name), getattr(fresh, name)))
    assert torch.equal(packed.backward_input, fresh.backward_input)
    assert addresses == [each.data_ptr() for each in (*packed.forward, *packed.backward)]


def shaken_block(inputs, outputs, growth=GROWTH):
    block = DenseBlock(inputs, outputs, growth)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    return block


@pytest.mark.parametrize(
    ("blocks", "dtype", "message"),
    [
        ([DenseBlock(3, 9, 16)], torch.float16, "the growth is 16, the kernels expect 32"),
        ([DenseBlock(3, 9), DenseBlock(9, 3)], torch.float16, "blocks of 2 shapes, expected one"),
        ([DenseBlock(3, 9)], torch.float32, "expected float16 or bfloat16"),
    ],
)
def test_what_cannot_be_packed(blocks, dtype, message):
    with pytest.raises(ValueError, match=message):
        PackedBlocks(blocks, dtype)


@pytest.mark.parametrize("inputs", CHANNELS)
@pytest.mark.parametrize("outputs", CHANNELS)
def test_tiles_cover_what_convolutions_have_once(inputs, outputs):
    w = Widths(inputs, outputs)
    needed = torch.zeros(w.feature_columns, w.gradient_columns, dtype=torch.int64)
    for k in range(5):
        needed[: w.read(k), w.gradient(k)] = 1
    covered = torch.zeros_like(needed)
    for tile in tiles(w):
        assert {tile.height, tile.width} <= {16, 32, 64}
        assert tile.row % 16 == tile.column % 16 == 0
        covered[tile.row : tile.row + tile.height, tile.column : tile.column + tile.width] += 1
    assert torch.equal(covered, needed)


def test_every_shape_has_a_tuning():
    for rows in (1, 40_000, 40_001, 10**9):
        for channels in CHANNELS:
            w = Widths(channels, 3)
            padded = max(w.padded_inputs, w.padded_outputs)
            tuning = default_tuning(rows, padded)
            assert tuning is TABLE[kind_of(rows, padded)]
            assert tuning.gradient_kernel == "tiles" or padded <= 64


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 48}, "rows is 48, expected 16, 32"),
        ({"rows": 64, "warps": 3}, "warps is 3"),
        ({"rows": 64, "stages": 0}, "stages is 0"),
    ],
)
def test_launches_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        Launch(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gradient_kernel": "best"}, "expected whole, triangle, tiles"),
        ({"gradient_splits": 0}, "gradient_splits is 0"),
    ],
)
def test_tunings_are_checked(fields, message):
    with pytest.raises(ValueError, match=message):
        Tuning(convolution=Launch(rows=64), **fields)
