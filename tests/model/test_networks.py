"""Laws of the networks: exact inverses, the identity at the start, sizes, and the reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from irncli.config import CrmConfig, InvertibleConfig, Level
from irncli.model import build
from irncli.model.coupling import CouplingBlock, log_scale
from irncli.model.dense import REACH, DenseBlock
from irncli.model.quantize import quantize
from irncli.model.transforms import (
    HAAR_BANDS,
    YUV_ROWS,
    build_transform,
    color_matrix,
    dct_matrix,
)
from irncli.zoo.checkpoint import read_checkpoint
from tests.support.networks import CRM, SMALL, shaken

# float32: 24 bits, and couplings that amplify rounding by a few hundred; float64 shows the law.
TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-11}
GOLDEN = 2e-5
"""Of the largest value; measured: at most 4.2e-7."""

PARAMETERS = {
    InvertibleConfig.irn(2): 1_667_952,
    InvertibleConfig.irn(4): 4_355_136,
    InvertibleConfig.irn(8): 11_119_248,
    InvertibleConfig.irn_ld(3): 3_139_029,
    InvertibleConfig.irn_e(4, blocks=8): 2_687_184,
    InvertibleConfig.irn_color(): 1_413_601,
    CrmConfig(): 5_795_843,
}


@given(st.integers(1, 300), st.integers(1, 40))
def test_scales_are_the_same_however_a_tensor_is_divided(count, piece):
    """Threads divide it as they like, and the last bit must not tell."""
    h = torch.randn(count, generator=torch.Generator().manual_seed(count)) * 3
    pieces = torch.cat([torch.exp(log_scale(part)) for part in h.split(piece)])
    assert torch.equal(pieces, torch.exp(log_scale(h)))
    exact = torch.exp(2 * torch.sigmoid(h.double()) - 1)
    assert torch.allclose(pieces.double(), exact, rtol=4e-7, atol=0)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@given(
    height=st.integers(1, 5), width=st.integers(1, 5), seed=st.integers(0, 99), n=st.integers(1, 2)
)
def test_inverse_undoes_forward(name, dtype, height, width, seed, n):
    network = shaken(SMALL[name], seed, dtype)
    config = network.config
    size = height * config.cell, width * config.cell
    x = torch.rand(n, 3, size[0] * config.scale, size[1] * config.scale, dtype=dtype)
    kept = x.clone()
    low, z = network(x)
    assert low.shape == (n, config.image_channels, *size)
    assert z.shape == (n, config.latent_channels, height, width)
    inputs = low.clone(), z.clone()
    restored = network.inverse(low, z)
    assert (restored - x).abs().max() <= TOLERANCE[dtype]
    assert torch.equal(x, kept)
    assert torch.equal(low, inputs[0])
    assert torch.equal(z, inputs[1])


@pytest.mark.parametrize("name", SMALL)
def test_forward_undoes_inverse(name):
    network = shaken(SMALL[name], 1, torch.float64)
    config = network.config
    size = 3 * config.cell, 4 * config.cell
    low = torch.rand(1, config.image_channels, *size, dtype=torch.float64)
    z = torch.randn(1, config.latent_channels, 3, 4, dtype=torch.float64)
    again_low, again_z = network(network.inverse(low, z))
    assert torch.allclose(again_low, low, atol=1e-10)
    assert torch.allclose(again_z, z, atol=1e-10)


@pytest.mark.parametrize("name", ["irn-x2", "irn-x4", "irn-e-x4", "irn-ld-x2", "irn-ld-x3"])
def test_untrained_network_downscales_by_the_box_average(name):
    config = SMALL[name]
    x = torch.rand(1, 3, 4 * config.scale, 3 * config.scale)
    low, _ = build(config)(x)
    box = torch.nn.functional.avg_pool2d(x, config.scale)
    assert torch.allclose(low, box, atol=1e-6)


@pytest.mark.parametrize(("config", "count"), PARAMETERS.items(), ids=str)
def test_parameter_counts_are_those_of_the_paper(config, count):
    with torch.device("meta"):
        network = build(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(
    "level",
    [
        Level(transform="haar", factor=2, blocks=0),
        Level(transform="learned", factor=2, blocks=0),
        Level(transform="learned", factor=3, blocks=0),
        Level(transform="learned", factor=5, blocks=0),
        Level(transform="color", factor=1, blocks=0),
        Level(transform="color", factor=2, blocks=0),
        Level(transform="color", factor=4, blocks=0),
    ],
    ids=str,
)
def test_transforms_are_inverted_and_band_major(level):
    transform = build_transform(level).double()
    x = torch.rand(2, 3, 2 * level.factor, 3 * level.factor, dtype=torch.float64)
    with torch.no_grad():
        bands = transform(x)
        assert torch.allclose(transform.inverse(bands), x, atol=1e-12)
        if level.factor > 1 and level.transform != "color":
            box = torch.nn.functional.avg_pool2d(x, level.factor)
            assert torch.allclose(bands[:, :3], box, atol=1e-7)


def test_haar_bands_are_mean_horizontal_vertical_diagonal():
    haar = build_transform(Level(transform="haar", factor=2, blocks=0))
    x = torch.tensor([[1.0, 2.0], [4.0, 8.0]]).view(1, 1, 2, 2)
    assert haar(x).flatten().tolist() == [15 / 4, -5 / 4, -9 / 4, 3 / 4]


def test_learned_downsampling_by_two_starts_as_haar():
    x = torch.rand(1, 3, 6, 8)
    haar = build_transform(Level(transform="haar", factor=2, blocks=0))
    learned = build_transform(Level(transform="learned", factor=2, blocks=0))
    assert torch.allclose(haar(x), learned(x).detach(), atol=1e-6)


def test_the_colour_matrix_of_a_pixel_is_the_paper_s():
    paper = [[0.299, 0.587, 0.114], [-0.147, -0.289, 0.436], [0.615, -0.515, -0.100]]
    assert torch.equal(color_matrix(1), torch.tensor(paper))


def test_colour_starts_with_luma():
    colour = build_transform(Level(transform="color", factor=1, blocks=0))
    gray = colour(torch.ones(1, 3, 1, 1))[0, 0]
    assert gray.item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("cell", [2, 4])
def test_a_colour_matrix_of_cells_is_sound_and_keeps_their_mean_luma(cell):
    matrix = color_matrix(cell)
    assert torch.linalg.cond(matrix) < 20
    network = build(InvertibleConfig.irn_color(1, cell))
    x = torch.rand(2, 3, 4 * cell, 3 * cell)
    with torch.no_grad():
        gray, _ = network(x)
    luma = torch.einsum("c,nchw->nhw", torch.tensor(YUV_ROWS[0]), x)[:, None]
    box = torch.nn.functional.avg_pool2d
    assert torch.allclose(box(gray, cell), box(luma, cell), atol=1e-6)


def smooth_colours(side=64):
    y, x = torch.meshgrid(*(torch.linspace(0, 3, side),) * 2, indexing="ij")
    waves = (torch.sin(x + y), torch.cos(2 * x - y), torch.sin(1.5 * y + 1))
    return 0.5 + 0.35 * torch.stack(waves)[None]


def test_an_untrained_network_of_cells_holds_colours_where_a_pixel_cannot():
    x, left = smooth_colours(), {}
    for cell in (1, 2, 4):
        network = build(InvertibleConfig.irn_color(1, cell))
        with torch.no_grad():
            gray, z = network(x)
            error = network.inverse(quantize(gray), torch.zeros_like(z)) - x
        left[cell] = -10 * error.square().mean().log10().item()
    assert left[1] < 15
    assert left[2] > 33
    assert left[4] > 33


def test_a_fresh_coupling_block_is_the_identity():
    state = torch.randn(1, 12, 5, 4)
    assert torch.equal(CouplingBlock(12, 3)(state), state)


def test_log_scale_is_bounded_by_one():
    h = torch.tensor([-1e4, -1.0, 0.0, 1.0, 1e4])
    s = log_scale(h)
    assert s.tolist() == pytest.approx(torch.tanh(h / 2).tolist(), abs=1e-6)


def test_a_dense_block_reaches_five_pixels():
    torch.manual_seed(0)
    block = DenseBlock(3, 3, growth=8)
    torch.nn.init.normal_(block.convs[-1].weight)
    x = torch.rand(1, 3, 25, 25, requires_grad=True)
    block(x)[0, :, 12, 12].sum().backward()
    rows = x.grad[0].abs().sum((0, 2)).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (12 - REACH, 12 + REACH)


def test_crm_keeps_size_and_has_no_picture_skip():
    network = shaken(CRM)
    x = torch.rand(2, 3, 9, 7)
    assert network(x).shape == x.shape
    with torch.no_grad():
        network.conv_last.weight.zero_()
        network.conv_last.bias.fill_(0.25)
    assert torch.equal(network(x), torch.full_like(x, 0.25))


def test_quantize_rounds_clamps_and_lets_gradients_through():
    x = torch.tensor([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 1.0, 1.7], requires_grad=True)
    y = quantize(x)
    assert (y * 255).tolist() == pytest.approx([0, 0, 0, 1, 128, 255, 255], abs=1e-4)
    (y * torch.arange(7.0)).sum().backward()
    assert x.grad.tolist() == list(range(7))


GOLDEN_NAMES = ("irn_x2", "irn_x4", "irn_x8", "irn_ld_x2", "irn_ld_x3", "irn_e_x4", "irn_color")


def off(ours, theirs):
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.shared
@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_matches_the_reference(shared, name):
    network = read_checkpoint(shared / "golden" / f"{name}.pth").network
    io = load_file(shared / "golden" / f"{name}.io.safetensors")
    hr, lr, back = (
        ("rgb", "gray", "rgb_restored") if name == "irn_color" else ("hr", "lr", "hr_restored")
    )
    low, z = network(io[hr])
    assert off(low, io[lr]) <= GOLDEN
    assert off(z, io["z"]) <= GOLDEN
    assert off(quantize(low), io[f"{lr}_quantized"]) <= GOLDEN
    assert off(network.inverse(io[f"{lr}_quantized"], io["z_sampled"]), io[back]) <= GOLDEN
    if name == "irn_color":
        plain = network.inverse(io["gray_quantized"], torch.zeros_like(io["z"]))
        assert off(plain, io["rgb_restored_z0"]) <= GOLDEN


@pytest.mark.shared
def test_crm_matches_the_reference(shared):
    network = read_checkpoint(shared / "golden" / "crm.pth").network
    io = load_file(shared / "golden" / "crm.io.safetensors")
    assert off(network(io["input"]), io["output"]) <= GOLDEN


def test_the_cosine_basis_is_haar_at_two_and_orthogonal_everywhere():
    assert torch.allclose(dct_matrix(2) * 4, torch.tensor(HAAR_BANDS).float(), atol=1e-6)
    for factor in (2, 3, 5):
        matrix = dct_matrix(factor)
        assert torch.allclose(matrix[0], torch.full((factor**2,), 1 / factor**2))
        gram = factor**2 * matrix @ matrix.T
        assert torch.allclose(gram, torch.eye(factor**2), atol=1e-5)
