"""Recipes: valid, the same after JSON, changed by name; losses: their values and gradients."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from irncli.errors import UsageError
from irncli.train.losses import charbonnier, log_mean_square, sum_of_squares
from irncli.train.recipe import PRESETS, Recipe


@pytest.mark.parametrize("name", PRESETS)
def test_json_gives_back_the_same(name):
    record = json.loads(json.dumps(PRESETS[name].as_record()))
    assert Recipe.from_record(record) == PRESETS[name]


def test_numbers_are_changed_by_name():
    recipe = PRESETS["irn-x2"].changed(["batch=3", "learning_rate=1e-3", "lr_target=null"])
    assert (recipe.batch, recipe.learning_rate, recipe.lr_target) == (3, 1e-3, None)
    assert recipe.changed(["lr_target=40"]).lr_target == 40.0


@pytest.mark.parametrize(
    "assignment",
    ["batch", "batch=", "batch=1.5", "batch=x", "speed=3", "architecture=1", "crop=47", "batch=0",
     "clip=null", "draw_from=1.5", "batch=true"],
)  # fmt: skip
def test_what_cannot_be_changed_is_said(assignment):
    with pytest.raises(UsageError):
        PRESETS["irn-x2"].changed([assignment])


@given(progress=st.floats(0, 1))
def test_crops_have_about_as_many_pixels_throughout(progress):
    recipe = PRESETS["irn-x4"]
    count, side = recipe.crops_at(progress)
    assert side % recipe.architecture.scale == 0
    assert count * side**2 == pytest.approx(recipe.batch * recipe.crop**2, rel=0.5)


def test_losses_are_sums_over_a_picture_and_means_over_the_batch():
    a = torch.tensor([[[[3.0, 4.0]]], [[[0.0, 0.0]]]])
    assert sum_of_squares(a).item() == pytest.approx(12.5)
    assert charbonnier(a).item() == pytest.approx((3 + 4 + 0 + 0) / 2, abs=2e-3)


def test_the_logarithmic_loss_is_the_mean_psnr():
    a = 0.1 * torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    psnr = -10 * torch.log10(a.square().mean((1, 2, 3))).mean()
    values = a[0].numel()
    assert -10 / torch.tensor(10.0).log() * log_mean_square(a) / values == pytest.approx(
        psnr.item(), abs=2e-3
    )


@pytest.mark.parametrize("loss", [charbonnier, sum_of_squares, log_mean_square])
def test_gradients(loss):
    a = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (a,))
