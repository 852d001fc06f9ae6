"""Muon on kernels as matrices, Adam on the rest."""

import copy

import pytest
import torch

from irncli.model.dense import DenseBlock
from irncli.train.optimisers import Optimisers
from irncli.train.sections import Optimiser
from tests.support.networks import shaken
from tests.support.training import CRM, RECIPE

RATE = 1e-2


def stepped(*, layout=torch.contiguous_format, steps=1, **fields):
    """A network, its weights before, and after steps on the same random gradients."""
    network = shaken(RECIPE.architecture).to(memory_format=layout)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimisers = Optimisers(network, Optimiser(**fields))
    generator = torch.Generator().manual_seed(3)
    for _ in range(steps):
        for parameter in network.parameters():
            grad = torch.randn(parameter.shape, generator=generator)
            parameter.grad = grad.to(memory_format=layout) if grad.ndim == 4 else grad
        optimisers.step(RATE)
    return network, before


def moves(network, before):
    return {name: p.detach() - before[name] for name, p in network.named_parameters()}


def test_hidden_kernels_move_by_a_matrix_of_singular_values_about_one():
    """The five Newton-Schulz steps leave singular values between 0.6 and 1.3."""
    network, before = stepped(muon_factor=2.0)
    hidden = 0
    for name, move in moves(network, before).items():
        if any(name.endswith(f"conv{k}.weight") for k in (1, 2, 3, 4)):
            matrix = move.flatten(1)
            scale = 0.2 * max(matrix.shape) ** 0.5 * 2.0 * RATE
            singular = torch.linalg.svdvals(matrix) / scale
            assert 0.6 < singular.min() < singular.max() < 1.3, name
            hidden += 1
        else:
            assert move.abs().max().item() == pytest.approx(RATE, rel=1e-3), name
    assert hidden == 4 * sum(isinstance(m, DenseBlock) for m in network.modules())


def test_muon_goes_down_the_gradient():
    network, before = stepped()
    change = moves(network, before)
    for name, parameter in network.named_parameters():
        assert (change[name] * parameter.grad).sum() < 0, name


def test_the_layout_of_kernels_does_not_matter():
    """The order of columns does not; bfloat16 inside Muon rounds the rest."""
    plain, _ = stepped(steps=3)
    last, _ = stepped(steps=3, layout=torch.channels_last)
    for (name, a), b in zip(plain.named_parameters(), last.parameters(), strict=True):
        assert torch.allclose(a, b, atol=0.1 * RATE), name


def test_adam_alone_is_torch_s_adam():
    network, _ = stepped(steps=3, method="adam", weight_decay=0.1, beta2=0.9)
    other = shaken(RECIPE.architecture)
    adam = torch.optim.Adam(other.parameters(), lr=RATE, betas=(0.9, 0.9), weight_decay=0.1)
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        for parameter in other.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        adam.step()
    for (name, a), b in zip(network.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("architecture", [RECIPE.architecture, CRM.architecture])
def test_its_state_goes_on_where_it_was(architecture):
    networks = [shaken(architecture).to(memory_format=torch.channels_last) for _ in range(2)]
    first, second = (Optimisers(network, Optimiser()) for network in networks)

    def step(network, optimisers, seed):
        generator = torch.Generator().manual_seed(seed)
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimisers.step(RATE)

    step(networks[0], first, 1)
    networks[1].load_state_dict(networks[0].state_dict())
    second.restore(copy.deepcopy(first.state()))
    for network, optimisers in zip(networks, (first, second), strict=True):
        step(network, optimisers, 2)
    for a, b in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(a, b)
