"""Losses: their values and gradients."""

import math

import pytest
import torch

from irncli.train.losses import charbonnier, fit, log_bits, log_mean_square, sum_of_squares


def test_losses_are_sums_over_a_picture_and_means_over_the_batch():
    a = torch.tensor([[[[3.0, 4.0]]], [[[0.0, 0.0]]]])
    assert sum_of_squares(a).item() == pytest.approx(12.5)
    assert charbonnier(a).item() == pytest.approx((3 + 4 + 0 + 0) / 2, abs=2e-3)
    assert fit("l2", a) == sum_of_squares(a)
    assert fit("l1", a) == charbonnier(a)


def test_the_logarithmic_loss_is_the_mean_psnr():
    a = 0.1 * torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    psnr = -10 * torch.log10(a.square().mean((1, 2, 3))).mean()
    values = a[0].numel()
    assert -10 / torch.tensor(10.0).log() * log_mean_square(a) / values == pytest.approx(
        psnr.item(), abs=2e-3
    )


def test_bits_are_weighed_by_their_logarithm():
    bits = torch.tensor([0.4, 1.9])
    expected = 10 * (math.log(0.5) + math.log(2.0)) / 2
    assert log_bits(bits, 10).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("loss", [charbonnier, sum_of_squares, log_mean_square])
def test_gradients(loss):
    a = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (a,))
