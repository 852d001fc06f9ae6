"""Recomputing instead of storing: the same values and gradients in less memory."""

import pytest
import torch

from irncli.train import reversible
from tests.support.networks import SMALL, shaken


@pytest.mark.parametrize("name", SMALL)
def test_values_and_gradients_are_those_of_the_stored_pass(name):
    config = SMALL[name]
    results = []
    for way in ("stored", "recomputed"):
        network = shaken(config).double().requires_grad_(True)
        side = 4 * config.reduction
        generator = torch.Generator().manual_seed(1)
        x = torch.rand(2, 3, side, side, generator=generator, dtype=torch.float64)
        x.requires_grad_()
        forward = network if way == "stored" else (lambda x, n=network: reversible.forward(n, x))
        low, z = forward(x)
        back = (
            network.inverse(low + 0.1, 0.5 * z)
            if way == "stored"
            else reversible.inverse(network, low + 0.1, 0.5 * z)
        )
        (back.square().sum() + low.sum() + z.square().sum()).backward()
        results.append([low, z, back, x.grad, *(p.grad for p in network.parameters())])
    for stored, recomputed in zip(*results, strict=True):
        assert torch.allclose(stored, recomputed, rtol=1e-7, atol=1e-9)
    assert all(gradient.abs().sum() > 0 for gradient in results[1][4:])


def kept_bytes(run):
    """Bytes of the tensors that autograd keeps for the backward pass of `run`."""
    sizes = {}

    def pack(tensor):
        sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return sum(sizes.values())


def test_memory_does_not_grow_with_depth():
    from dataclasses import replace

    from irncli.config import Level

    x = torch.rand(1, 3, 32, 32)
    kept = {}
    for blocks in (2, 8):
        level = Level(transform="haar", factor=2, blocks=blocks)
        network = shaken(replace(SMALL["irn-x2"], levels=(level,))).requires_grad_(True)
        kept[blocks] = (
            kept_bytes(lambda n=network: n(x)),
            kept_bytes(lambda n=network: reversible.forward(n, x)),
        )
    state = 4 * 12 * 16 * 16
    assert kept[2][1] == kept[8][1] == state
    assert kept[8][0] > 3 * kept[2][0] > 30 * state


def test_in_float32_gradients_are_near(photo):
    results = []
    hr = torch.from_numpy(photo[:32, :32].copy()).permute(2, 0, 1)[None].float() / 255
    for recompute in (False, True):
        network = shaken(SMALL["irn-x4"]).requires_grad_(True)
        low, z = reversible.forward(network, hr) if recompute else network(hr)
        (low.sum() + z.square().sum()).backward()
        results.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert torch.allclose(*results, rtol=1e-3, atol=1e-5 * results[0].abs().max().item())
