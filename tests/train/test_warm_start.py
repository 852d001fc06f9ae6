"""What a network starts from."""

from dataclasses import replace

import pytest
import torch

from irncli.errors import CheckpointError
from irncli.train.warm_start import initial_network
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.training import COLOR, CRM, RECIPE, changed

LD = changed(family="irn-ld", scale=3, blocks=3, basis="dct", crop=18, crop_end=0)
E_X4 = changed(family="irn-e", scale=4, blocks=3)


def test_x4_grows_from_x2(tmp_path):
    path = tmp_path / "x2.safetensors"
    config = replace(SMALL["irn-x4"], levels=SMALL["irn-x4"].levels[:1])
    source = shaken(config)
    path.write_bytes(serialise(source, Card(name="x2")))
    grown = initial_network(changed(scale=4, blocks=1), path)
    state = grown.state_dict()
    for key, value in source.state_dict().items():
        if key != "latent_sigma":
            assert torch.equal(state[key], value)
    x = torch.rand(1, 3, 16, 16)
    low, _ = grown(x)
    assert torch.allclose(low, torch.nn.functional.avg_pool2d(source(x)[0], 2), atol=1e-5)


def test_more_blocks_begin_as_the_identity(tmp_path):
    path = tmp_path / "two.safetensors"
    source = shaken(COLOR.changed({"blocks": 2}).architecture)
    path.write_bytes(serialise(source, Card(name="two")))
    grown = initial_network(COLOR.changed({"blocks": 5}), path)
    x = torch.rand(2, 3, 8, 8)
    for mine, theirs in zip(grown(x), source(x), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)
    with pytest.raises(CheckpointError, match="cannot start from"):
        initial_network(COLOR.changed({"blocks": 1}), path)


def test_what_cannot_start_a_preset_is_refused(tmp_path):
    path = tmp_path / "ld.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-ld-x3"]), Card(name="ld")))
    with pytest.raises(CheckpointError, match=r"x2.*cannot start from.*x3"):
        initial_network(RECIPE, path)
    path.write_bytes(serialise(shaken(CRM.architecture), Card(name="crm")))
    with pytest.raises(CheckpointError, match="CRM"):
        initial_network(RECIPE, path)
    assert initial_network(CRM, path).config == CRM.architecture


@pytest.mark.parametrize(
    ("recipe", "waves"),
    [(LD, [3, 4, 5, 9, 10, 11, 12, 13, 14]), (E_X4, [12, 13, 14, 24, 25, 26, 36, 37, 38])],
    ids=["ld-x3", "e-x4"],
)
def test_larger_cells_grow_from_x2_on_their_slowest_waves(tmp_path, recipe, waves):
    """On those waves the blocks do what they did; what the others hold goes through untouched."""
    path = tmp_path / "x2.safetensors"
    source = shaken(RECIPE.architecture)
    path.write_bytes(serialise(source, Card(name="x2")))
    grown = initial_network(recipe, path)
    channels = [0, 1, 2, *waves]
    others = sorted(set(range(grown.config.state_channels)) - set(channels))
    state = torch.randn(2, grown.config.state_channels, 7, 9)
    mine, theirs = state, state[:, channels]
    for block in grown.chain[-3:]:
        mine = block(mine)
    for block in source.chain[1:]:
        theirs = block(theirs)
    assert torch.allclose(mine[:, channels], theirs, atol=1e-5)
    assert torch.equal(mine[:, others], state[:, others])


@pytest.mark.parametrize("recipe", [LD, E_X4], ids=["ld-x3", "e-x4"])
def test_the_slowest_waves_are_steps_across_the_cell(recipe):
    """An image that rises to the right is in the waves that x2's horizontal band goes to."""
    network = initial_network(recipe, None)
    scale = recipe.network.scale
    columns = torch.linspace(0, 1, 4 * scale)
    x = columns.expand(1, 3, 4 * scale, 4 * scale)
    _, z = network(x)
    strength = z.abs().mean(dim=(0, 2, 3))
    horizontal = {3: range(3), 4: range(9, 12)}[scale]
    assert set(strength.topk(3).indices.tolist()) == set(horizontal)


def test_x2_does_not_grow_into_a_matrix_of_another_basis(tmp_path):
    path = tmp_path / "x2.safetensors"
    path.write_bytes(serialise(shaken(RECIPE.architecture), Card(name="x2")))
    with pytest.raises(CheckpointError, match="cannot start from"):
        initial_network(LD.changed({"basis": "identity"}), path)


def test_learned_downsampling_may_start_from_a_cosine_basis():
    fields = {"family": "irn-ld", "scale": 3, "crop": 18, "crop_end": 0}
    network = initial_network(changed(basis="dct", **fields), None)
    x = torch.rand(1, 3, 9, 9)
    low, z = network(x)
    means = torch.nn.functional.avg_pool2d(x, 3)
    assert torch.allclose(low, means, atol=1e-6)
    flat = network.inverse(low, torch.zeros_like(z))
    assert torch.allclose(flat, means.repeat_interleave(3, 2).repeat_interleave(3, 3), atol=1e-5)
    plain = initial_network(changed(basis="identity", **fields), None)
    assert (plain.inverse(low, torch.zeros_like(z)) - flat).abs().max() > 0.1
