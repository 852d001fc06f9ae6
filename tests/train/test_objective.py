"""What a step asks for: each loss by hand, and what lies between LR and its restoring."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile
from irncli.io.picture import Picture
from irncli.model import build
from irncli.model.bicubic import resize
from irncli.train.codec import jpeg_bits, jpeg_round_trip, straight_through
from irncli.train.losses import charbonnier, log_mean_square, missing_psnr, sum_of_squares
from irncli.train.objective import Draws, RescalingObjective, RestorationObjective
from tests.support.networks import SMALL, shaken
from tests.support.training import COLOR, CRM, changed


def eight_bit(low):
    return (low.clamp(0, 1) * 255).round() / 255


def unit_z(hr, channels=9, seed=3):
    shape = (hr.shape[0], channels, hr.shape[2] // 2, hr.shape[3] // 2)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_paper_s_losses_by_hand(batch):
    hr, target = batch
    recipe = changed(
        draw="normal", draw_from=0, draw_width=1, z_weight=1, psnr_from=1, lr_weight=4, lr_means=0
    )
    network = shaken(recipe.architecture)
    z = unit_z(hr)
    loss, parts = RescalingObjective(network, recipe)(hr, target, Draws(z=z), 0.5)
    low, forward_z = network(hr)
    restored = network.inverse(eight_bit(low), z)
    expected = {
        "lr_loss": 4 * (low - target).square().sum((1, 2, 3)).mean(),
        "hr_loss": torch.sqrt((restored - hr).square() + 1e-6).sum((1, 2, 3)).mean(),
        "z_loss": forward_z.square().sum((1, 2, 3)).mean(),
    }
    for name, value in expected.items():
        assert parts[name].item() == pytest.approx(value.item(), rel=1e-5), name
    assert loss.item() == pytest.approx(sum(v.item() for v in expected.values()), rel=1e-5)
    assert parts["hr_mse"].item() == pytest.approx((restored - hr).square().mean().item(), rel=1e-5)
    assert torch.allclose(parts["sigma"], forward_z.std((2, 3)).median(0).values)


@pytest.mark.parametrize(("norm", "law"), [("l1", charbonnier), ("l2", sum_of_squares)])
def test_lr_norms(batch, norm, law):
    hr, target = batch
    recipe = changed(lr_norm=norm, lr_weight=2)
    network = shaken(recipe.architecture)
    _, parts = RescalingObjective(network, recipe)(hr, target, Draws(), 0)
    assert parts["lr_loss"].item() == pytest.approx(2 * law(network(hr)[0] - target).item())


def test_hr_is_fitted_by_psnr_late_in_our_recipe(batch):
    hr, target = batch
    recipe = changed(psnr_from=0.6, psnr_weight=0.005)
    network = shaken(recipe.architecture)
    objective = RescalingObjective(network, recipe)
    low, z = network(hr)
    error = network.inverse(eight_bit(low), torch.zeros_like(z)) - hr
    early, late = (objective(hr, target, Draws(), s)[1]["hr_loss"] for s in (0.59, 0.6))
    assert early.item() == pytest.approx(charbonnier(error).item(), rel=1e-5)
    assert late.item() == pytest.approx(0.005 * log_mean_square(error).item(), rel=1e-5)


def test_z_is_in_units_of_its_own_width_or_of_one(batch):
    hr, _ = batch
    for draw in ("own", "mixed", "normal"):
        recipe = changed(draw=draw)
        network = shaken(recipe.architecture)
        objective = RescalingObjective(network, recipe)
        z = unit_z(hr)
        low, _, restored, _ = objective.restore(hr, Draws(z=z))
        sigma = 1 if draw == "normal" else network.latent_sigma.view(1, -1, 1, 1)
        expected = network.inverse(eight_bit(low), sigma * z)
        assert torch.allclose(restored, expected, rtol=1e-4, atol=1e-5)


def test_noise_is_added_to_what_was_quantised(batch):
    hr, _ = batch
    recipe = changed(noise_chance=1, noise_width=0.01)
    network = shaken(recipe.architecture)
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    low, z, restored, _ = RescalingObjective(network, recipe).restore(hr, Draws(noise=noise))
    expected = network.inverse(eight_bit(low) + 0.01 * noise, torch.zeros_like(z))
    assert torch.allclose(restored, expected, atol=1e-6)


def test_jpeg_is_passed_straight_through(batch):
    hr, _ = batch
    recipe = changed(jpeg_least=50, jpeg_most=50)
    network = shaken(recipe.architecture).requires_grad_(True)
    low, z, restored, read = RescalingObjective(network, recipe).restore(
        hr, Draws(qualities=[50, 90])
    )
    coded, tables = jpeg_round_trip(eight_bit(low.detach()), [50, 90])
    assert torch.allclose(restored, network.inverse(coded, torch.zeros_like(z)), atol=1e-5)
    assert torch.equal(read, tables)
    assert tables[0].float().mean() > 2 * tables[1].float().mean()
    restored.sum().backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)


def test_the_round_trip_is_that_of_files(batch):
    hr, _ = batch
    low = eight_bit(hr)
    before = low.clone()
    coded, _ = jpeg_round_trip(low, [95, 95])
    assert torch.equal(low, before)
    assert torch.equal(eight_bit(coded), coded)
    assert 0.001 < (coded - low).abs().mean() < 0.02
    same, ones = jpeg_round_trip(torch.full((1, 3, 16, 16), 128 / 255), [100])
    assert torch.allclose(same, torch.tensor(128 / 255), atol=1.01 / 255)
    assert (ones == 1).all()


def test_straight_through():
    like = torch.rand(3, requires_grad=True)
    out = straight_through(torch.ones(3), like)
    assert torch.allclose(out, torch.ones(3))
    out.sum().backward()
    assert torch.equal(like.grad, torch.ones(3))


def test_colour(batch):
    hr, _ = batch
    network = shaken(COLOR.architecture)
    gray = hr.mean(1, keepdim=True)
    _, parts = RescalingObjective(network, COLOR.changed({"lr_weight": 3}))(hr, gray, Draws(), 0)
    low, z = network(hr)
    assert parts["lr_loss"].item() == pytest.approx(3 * sum_of_squares(low - gray).item(), rel=1e-5)
    restored = network.inverse(eight_bit(low), torch.zeros_like(z))
    assert parts["hr_mse"].item() == pytest.approx((restored - hr).square().mean().item(), rel=1e-4)


@pytest.mark.parametrize(("hr_weight", "psnr_from"), [(0.0, 1.0), (2.0, 1.0), (2.0, 0.0)])
def test_a_crm_learns_what_jpeg_did_to_lr(batch, hr_weight, psnr_from):
    hr, _ = batch
    rescaler = shaken(SMALL["irn-x2"])
    crm = build(CRM.architecture)
    recipe = CRM.changed({"hr_weight": hr_weight, "psnr_from": psnr_from, "lr_weight": 3})
    objective = RestorationObjective(crm, rescaler, recipe)
    loss, parts = objective(hr, hr, Draws(qualities=[30, 80]), 0.5)
    low, z = rescaler(hr)
    low = eight_bit(low)
    coded, tables = jpeg_round_trip(low, [30, 80])
    restored = crm(coded, tables)
    error = rescaler.inverse(eight_bit(restored), torch.zeros_like(z)) - hr
    fit = recipe.loss.psnr_weight * log_mean_square(error) if psnr_from == 0 else charbonnier(error)
    expected = 3 * sum_of_squares(restored - low) + hr_weight * fit
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert parts["coded_mse"].item() == pytest.approx((coded - low).square().mean().item())
    loss.backward()
    assert all(p.grad is None for p in rescaler.parameters())
    assert all(p.grad is not None for p in crm.parameters())


def test_each_crop_s_lr_is_held_to_the_target_by_itself(batch):
    """By hand; and what is above the target gains nothing."""
    hr, target = batch
    recipe = changed(lr_target=35.0, lr_weight=1.5)
    network = shaken(recipe.architecture)
    _, parts = RescalingObjective(network, recipe)(hr, target, Draws(), 0)
    square = (network(hr)[0] - target).square().mean((1, 2, 3))
    missing = torch.log(square) + 3.5 * math.log(10)
    bend = torch.log(1 + torch.exp(4 * missing)) / 4
    expected = 1.5 * recipe.loss.psnr_weight * hr[0].numel() / 4 * bend.mean()
    assert parts["lr_loss"].item() == pytest.approx(expected.item(), rel=1e-3)
    errors = torch.zeros(2, 3, 16, 16)
    errors[0] += 10 ** (-30 / 20)  # one crop at 30 dB, the other far above the target
    errors[1] += 10 ** (-48 / 20)
    one_short = missing_psnr(errors, 36.0) / errors[0].numel()
    assert one_short.item() == pytest.approx(6 * math.log(10) / 10 / 2, rel=0.01)
    assert missing_psnr(errors, 20.0).item() < 0.2


def test_a_busy_crop_s_lr_is_held_to_less():
    """So many dB more than interpolation restores, and no more than the target."""
    rng = torch.Generator().manual_seed(0)
    smooth = torch.linspace(0, 1, 32).expand(1, 3, 32, 32)
    hr = torch.cat((smooth, torch.rand(1, 3, 32, 32, generator=rng).round()))
    recipe = changed(lr_target=35.0, lr_masked=13.0)
    target = resize(hr, 32 // recipe.architecture.scale, 32 // recipe.architecture.scale)
    network = shaken(recipe.architecture)
    _, parts = RescalingObjective(network, recipe)(hr, target, Draws(), 0)
    lost = (hr[1] - resize(target, 32, 32)[1]).square().mean().item()
    busy = 13 - 10 * math.log10(lost)
    assert busy < 25
    error = network(hr)[0] - target
    weight = recipe.loss.lr_weight * recipe.loss.psnr_weight
    expected = [missing_psnr(error[k : k + 1], (35.0, busy)[k]).item() for k in range(2)]
    assert parts["lr_loss"].item() == pytest.approx(weight * sum(expected) / 2, rel=1e-4)


def test_a_tint_of_lr_costs_what_its_missing_db_say(batch):
    hr, target = batch
    recipe = changed(lr_target=35.0, lr_means=48.0)
    network = shaken(recipe.architecture)
    loss, parts = RescalingObjective(network, recipe)(hr, target, Draws(), 0)
    without, _ = RescalingObjective(network, recipe.changed({"lr_means": 0.0}))(
        hr, target, Draws(), 0
    )
    error = network(hr)[0].clamp(0, 1) - target
    height, width = error.shape[2:]
    squares = [
        error[:, :, top : top + 8, left : left + 8].mean((2, 3))
        for top in range(0, height, 8)
        for left in range(0, width, 8)
    ]
    means = torch.stack(squares, dim=-1)[..., None]
    values = hr[0].numel() / means[0].numel()
    weight = recipe.loss.lr_weight * recipe.loss.psnr_weight * values
    expected = weight * missing_psnr(means, 48.0).item()
    assert expected > 0
    assert parts["means_loss"].item() == pytest.approx(expected, rel=1e-4)
    assert loss.item() - without.item() == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("hard", [0.0, 0.2])
def test_gray_crops_go_through_a_gray_lr(batch, hard):
    hr, _ = batch
    hr = torch.cat((hr[:1], hr[:1].mean(1, keepdim=True).expand(-1, 3, -1, -1)))
    recipe = changed(hard=hard)
    network = shaken(recipe.architecture)
    low, _, restored, _ = RescalingObjective(network, recipe).restore(hr, Draws())
    assert bool((low[1] == low[1, :1]).all()) is bool(hard)
    assert bool((restored[1] == restored[1, :1]).all()) is bool(hard)
    assert torch.allclose(low[0], network(hr)[0][0], atol=1e-6), "colours stay as they are"
    if hard:
        mean = network(hr)[0][1].mean(0)
        assert torch.allclose(low[1, 0], mean, atol=1e-6)
        expected = network.inverse(eight_bit(low), torch.zeros_like(_z_of(network, hr)))
        assert torch.allclose(restored[1, 0], expected[1].mean(0), atol=1e-5)


def _z_of(network, hr):
    return network(hr)[1]


def test_bits_weigh_what_they_are_told_to(batch):
    hr, target = batch
    recipe = changed(jpeg_least=50, jpeg_most=50)
    network = shaken(recipe.architecture)
    draws = Draws(qualities=[50, 90])
    free, _ = RescalingObjective(network, recipe)(hr, target, draws, 0)
    priced = recipe.changed({"rate_weight": 0.5})
    loss, parts = RescalingObjective(network, priced)(hr, target, draws, 0)
    low, _ = network(hr)
    _, tables = jpeg_round_trip(eight_bit(low), [50, 90])
    bits = jpeg_bits(low, tables)
    expected = 0.5 * recipe.loss.psnr_weight * hr[0].numel() * torch.log(bits + 0.1).mean()
    assert parts["rate_loss"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert loss.item() - free.item() == pytest.approx(expected.item(), rel=1e-3)


def test_estimated_bits_follow_those_of_files():
    """On images of all kinds of detail, at all qualities: their logarithms go together."""
    generator = torch.Generator().manual_seed(0)
    estimated, real = [], []
    for smoothness in (1, 2, 4, 8):
        coarse = torch.rand((1, 3, 128 // smoothness, 128 // smoothness), generator=generator)
        low = eight_bit(functional.interpolate(coarse, size=(128, 128), mode="bicubic"))
        pixels = low[0].permute(1, 2, 0).mul(255).round().byte().numpy()
        for quality in (30, 60, 90):
            data = encode(
                Picture(np.ascontiguousarray(pixels)), image_format="jpeg", quality=quality
            )
            tables = torch.from_numpy(ImageFile(data).tables)[None]
            estimated.append(jpeg_bits(low, tables).log().item())
            real.append(math.log(8 * len(data) / 128**2))
    assert np.corrcoef(estimated, real)[0, 1] > 0.97


def test_estimated_bits_by_hand():
    """Two flat blocks side by side: the step of their means, by the table of its plane."""
    left, right = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.5, 0.5, 0.6])
    low = torch.cat([c.view(1, 3, 1, 1).expand(1, 3, 8, 8) for c in (left, right)], dim=3)
    tables = torch.stack((torch.full((64,), 5.0), torch.full((64,), 20.0)))[None]
    steps = [8 * 255 * 0.1 * weight for weight in (0.114, 0.5, -0.081312)]
    halves = [
        0.5 * math.log2(1 + (2 * s / q) ** 2) for s, q in zip(steps, (5, 20, 20), strict=True)
    ]
    assert jpeg_bits(low, tables).item() == pytest.approx(sum(halves) / 128, rel=1e-4)


def test_a_flat_picture_has_no_bits_but_those_of_its_first_blocks():
    flat = torch.full((1, 3, 16, 32), 0.7)
    assert jpeg_bits(flat, torch.ones(1, 2, 64)).item() < 1e-3


def test_a_crm_is_told_the_tables():
    torch.manual_seed(0)
    crm = shaken(CRM.architecture)
    low = torch.rand(1, 3, 8, 8)
    coarse, fine = (torch.full((1, 2, 64), v, dtype=torch.uint8) for v in (60, 3))
    assert not torch.allclose(crm(low, coarse), crm(low, fine))
    with pytest.raises(AssertionError, match="tables"):
        crm(low)
