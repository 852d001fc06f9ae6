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
YES, NO = torch.tensor(True), torch.tensor(False)


def stepped(*, layout=torch.contiguous_format, steps=1, fused=None, **fields):
    """A network, its weights before, and after steps on the same random gradients."""
    network = shaken(RECIPE.architecture).to(memory_format=layout)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimisers = Optimisers(network, Optimiser(**fields), fused=fused)
    generator = torch.Generator().manual_seed(3)
    for _ in range(steps):
        for parameter in network.parameters():
            grad = torch.randn(parameter.shape, generator=generator)
            parameter.grad = grad.to(memory_format=layout) if grad.ndim == 4 else grad
        optimisers.step(torch.tensor(RATE, dtype=torch.float64), YES)
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


def test_muon_is_torch_s_muon():
    """But for bfloat16, in which torch's iterates: 0.4 % of a value, in each of 15 products."""
    network, _ = stepped(steps=3, muon_factor=1.0)
    other = shaken(RECIPE.architecture)
    kernels = {
        name: parameter
        for name, parameter in other.named_parameters()
        if any(name.endswith(f"conv{k}.weight") for k in (1, 2, 3, 4))
    }
    matrices = [torch.nn.Parameter(kernel.detach().flatten(1)) for kernel in kernels.values()]
    muon = torch.optim.Muon(matrices, lr=RATE, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    generator = torch.Generator().manual_seed(3)
    for _ in range(3):
        for parameter in other.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        for matrix, kernel in zip(matrices, kernels.values(), strict=True):
            matrix.grad = kernel.grad.flatten(1)
        muon.step()
    ours = dict(network.named_parameters())
    for name, kernel in kernels.items():
        assert torch.allclose(ours[name], kernel, atol=0.03 * RATE), name


def test_the_state_of_torch_s_muon_is_taken_over():
    """Runs that were saved while irn used it go on."""
    network = shaken(RECIPE.architecture)
    optimisers = Optimisers(network, Optimiser())
    momenta = optimisers.state()["muon"]["state"]
    saved = {
        number: {"momentum_buffer": torch.full_like(each["momentum_buffer"], number)}
        for number, each in momenta.items()
    }
    state = {"adam": optimisers.state()["adam"], "muon": {"state": saved, "param_groups": [{}]}}
    optimisers.restore(state)
    for number, each in optimisers.state()["muon"]["state"].items():
        assert (each["momentum_buffer"] == number).all()


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_is_not_finite_changes_nothing(fused):
    networks = [shaken(RECIPE.architecture) for _ in range(2)]
    both = [Optimisers(network, Optimiser(), fused=fused) for network in networks]

    def step(network, optimisers, value, finite):
        generator = torch.Generator().manual_seed(1)
        for parameter in network.parameters():
            parameter.grad = value * torch.randn(parameter.shape, generator=generator)
        optimisers.step(torch.tensor(RATE), finite)

    for network, optimisers in zip(networks, both, strict=True):
        step(network, optimisers, 1, YES)
    before = copy.deepcopy(networks[0].state_dict())
    step(networks[0], both[0], torch.nan, NO)
    assert all(torch.equal(before[name], p) for name, p in networks[0].state_dict().items())
    for network, optimisers in zip(networks, both, strict=True):
        step(network, optimisers, 2, YES)
    for a, b in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(a, b)


def test_fused_adam_is_the_other_within_rounding():
    for fields in ({}, {"method": "adam"}):
        (one, _), (other, _) = stepped(steps=3, fused=True, **fields), stepped(steps=3, **fields)
        for (name, a), b in zip(one.named_parameters(), other.parameters(), strict=True):
            assert torch.allclose(a, b, atol=1e-4 * RATE), name


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
        optimisers.step(torch.tensor(RATE), YES)

    step(networks[0], first, 1)
    networks[1].load_state_dict(networks[0].state_dict())
    second.restore(copy.deepcopy(first.state()))
    for network, optimisers in zip(networks, (first, second), strict=True):
        step(network, optimisers, 2)
    for a, b in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(a, b)
