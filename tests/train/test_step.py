"""One step: it learns, averages, clips, steers, and skips what is not finite."""

import copy
import math

import pytest
import torch

from irncli.errors import UsageError
from irncli.model import build
from irncli.train import step as step_module
from irncli.train.crops import CropSampler, to_luma
from irncli.train.presets import PRESETS, VARIANTS, preset
from irncli.train.warm_start import initial_network
from tests.support.networks import SMALL, shaken
from tests.support.training import COLOR, RECIPE, changed, trainer


def test_it_learns(batch):
    torch.manual_seed(0)
    learner = trainer(changed(draw="never"), build(RECIPE.architecture))
    first = learner.update(*batch, 0.0)
    for _ in range(30):
        last = learner.update(*batch, 0.1)
    assert last.values["hr_psnr"] > first.values["hr_psnr"] + 1
    assert last.values["loss"] < first.values["loss"]


def test_what_is_learnt_from_is_restored_from_8_bit_lr(batch):
    learner = trainer(changed(draw="never"))
    hr, target = batch
    with torch.no_grad():
        low, z = learner.network(hr)
        eight_bit = (low.clamp(0, 1) * 255).round() / 255
        error = learner.network.inverse(eight_bit, torch.zeros_like(z)) - hr
        exact = learner.network.inverse(low, torch.zeros_like(z)) - hr
    expected = float(-10 * error.square().mean().log10())
    assert learner.update(hr, target, 0.0).values["hr_psnr"] == pytest.approx(expected, abs=1e-4)
    assert float(-10 * exact.square().mean().log10()) != pytest.approx(expected, abs=1e-3)


def test_the_average_follows_the_weights(batch):
    learner = trainer(changed(ema=0.75))
    for step in (1, 2, 300):
        learner.step = step
        before = {name: value.clone() for name, value in learner.average.state_dict().items()}
        learner.update(*batch, 0.0)
        decay = min(0.75, (1 + step) / (10 + step))
        for name, live in learner.network.state_dict().items():
            expected = decay * before[name] + (1 - decay) * live
            assert torch.allclose(learner.average.state_dict()[name], expected, atol=1e-7), name
            if name != "latent_sigma":
                assert not torch.equal(live, before[name])


def test_without_an_average_it_is_the_weights(batch):
    learner = trainer(changed(ema=0.0))
    learner.update(*batch, 0.0)
    for name, live in learner.network.state_dict().items():
        assert torch.allclose(learner.average.state_dict()[name], live, atol=1e-8)


def test_z_is_zero_at_first_and_drawn_later(batch):
    hr, _ = batch
    learner = trainer()
    start = RECIPE.latent.draw_from
    assert learner._draws(hr, start - 0.01).z is None
    z = learner._draws(hr, start).z
    assert z.shape == (2, 9, 16, 16)
    own = trainer(changed(draw="own", draw_width=2.5))._draws(hr, start).z
    assert own.std().item() == pytest.approx(2.5, abs=0.1)
    assert trainer(changed(draw="never"))._draws(hr, 1.0).z is None


@pytest.mark.parametrize("count", [1, 2, 5])
def test_mixed_draws_are_none_for_half_of_the_crops_and_of_all_widths_for_the_others(count):
    learner = trainer(changed(draw="mixed", draw_width=2.5, draw_from=0))
    hr = torch.zeros(count, 3, 32, 32)
    zeros, widths = 0, []
    for learner.step in range(200):
        each = learner._draws(hr, 1.0).z.flatten(1).std(1)
        zeros += int((each == 0).sum())
        widths += each[each > 0].tolist()
        assert abs(int((each == 0).sum()) - count / 2) < 1
    assert zeros / (200 * count) == pytest.approx(0.5, abs=0.1)
    assert 0 < min(widths) < 0.2
    assert 2.2 < max(widths) < 2.7
    assert sum(widths) / len(widths) == pytest.approx(1.25, abs=0.15)


def test_draws_depend_on_seed_step_and_rank_alone(batch):
    from irncli.train.parallel import Ranks

    hr, _ = batch
    learner = trainer()
    first = learner._draws(hr, 1.0).z
    assert torch.equal(first, trainer()._draws(hr, 1.0).z)
    learner.step = 1
    assert not torch.equal(first, learner._draws(hr, 1.0).z)
    learner.step, learner.ranks = 0, Ranks(1, 2)
    assert not torch.equal(first, learner._draws(hr, 1.0).z)


def test_noise_comes_with_its_chance_and_qualities_in_their_range(batch):
    hr, _ = batch
    learner = trainer(changed(noise_chance=0.5, noise_width=0.01, jpeg_least=30, jpeg_most=40))
    noisy, qualities = 0, set()
    for learner.step in range(200):
        draws = learner._draws(hr, 0.0)
        noisy += draws.noise is not None
        qualities |= set(draws.qualities)
    assert 75 < noisy < 125
    assert qualities == set(range(30, 41))


def test_the_width_of_z_is_followed(batch):
    learner = trainer()
    before = learner.network.latent_sigma.clone()
    _, z = learner.network(batch[0])
    learner.update(*batch, 0.0)
    decay = step_module.SIGMA_DECAY
    expected = decay * before + (1 - decay) * z.std((2, 3)).median(0).values
    assert torch.allclose(learner.network.latent_sigma, expected, rtol=1e-5)
    normal = trainer(changed(draw="normal"))
    before = normal.network.latent_sigma.clone()
    normal.update(*batch, 0.0)
    assert torch.equal(normal.network.latent_sigma, before)


def test_steps_that_are_not_finite_change_nothing(batch):
    learner = trainer()
    before = {key: value.clone() for key, value in learner.network.state_dict().items()}
    hr, target = batch
    result = learner.update(torch.full_like(hr, torch.inf), target, 0.5)
    assert result.skipped
    assert (learner.skipped, learner.skipped_in_a_row) == (1, 1)
    after = learner.network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not learner.update(hr, target, 0.5).skipped
    assert (learner.skipped, learner.skipped_in_a_row) == (1, 0)


def test_the_state_gives_back_everything(batch):
    learner, other = trainer(), trainer(network=shaken(RECIPE.architecture, 9))
    for hr in (
        batch[0],
        torch.full_like(batch[0], torch.inf),
        torch.full_like(batch[0], torch.inf),
    ):
        learner.update(hr, batch[1], 0.5)
    other.restore(copy.deepcopy(learner.state()))
    assert (other.step, other.skipped, other.skipped_in_a_row) == (3, 2, 2)
    left, right = (t.update(*batch, 0.5).values for t in (learner, other))
    assert left == right
    for a, b in zip(learner.average.parameters(), other.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learned_matrices_may_learn_slower(batch):
    for factor in (1.0, 0.1):
        recipe = changed(
            family="irn-ld", blocks=1, matrix_factor=factor, learning_rate=1e-3, warm_up=1
        )
        learner = trainer(recipe)
        before = {n: p.detach().clone() for n, p in learner.network.named_parameters()}
        learner.update(*batch, 0.0)
        moved = {
            n: (p - before[n]).abs().max().item() for n, p in learner.network.named_parameters()
        }
        assert moved["operations.0.matrix"] == pytest.approx(factor * 1e-3, rel=0.05)
        assert moved["operations.1.F.conv5.weight"] == pytest.approx(1e-3, rel=0.05)


def test_a_run_that_does_not_stay_finite_is_given_up(batch, monkeypatch):
    monkeypatch.setattr(step_module, "MOST_SKIPPED", 3)
    learner = trainer()
    hr = torch.full_like(batch[0], torch.nan)
    learner.update(hr, batch[1], 0.5)
    learner.update(hr, batch[1], 0.5)
    with pytest.raises(UsageError, match="learning_rate"):
        learner.update(hr, batch[1], 0.5)


def test_gradients_are_clipped(batch):
    torch.manual_seed(0)
    learner = trainer(network=build(RECIPE.architecture))
    result = learner.update(*batch, 0.0)
    norm = torch.stack([p.grad.norm() for p in learner.network.parameters()]).norm().item()
    clip = RECIPE.optimiser.clip
    assert result.values["gradient_norm"] > clip
    assert norm == pytest.approx(clip, rel=1e-3)


def test_the_learning_rate_is_the_schedule_s(batch):
    learner = trainer(changed(schedule="steps", halve_at=[1], warm_up=1, learning_rate=1e-3))
    assert learner.update(*batch, 0.0).values["learning_rate"] == 1e-3
    assert learner.update(*batch, 0.0).values["learning_rate"] == 5e-4
    assert learner.optimisers.adam.param_groups[0]["lr"] == 5e-4


@pytest.mark.parametrize("fields", [{"recompute": True}, {"precision": "bf16"}, {"compile": "on"}])
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_ways_of_computing_take_nearly_the_same_step(batch, fields):
    from irncli.train.parallel import Ranks
    from irncli.train.setup import LoadedNetworks, build_trainer

    values = []
    said = []
    # Compiled code is the same for every block, and takes the compiler its time.
    few = {"blocks": 1} if "compile" in fields else {}
    for recipe in (changed(**few), changed(**few, **fields)):
        learner = build_trainer(
            shaken(recipe.architecture), recipe, LoadedNetworks(),
            device=torch.device("cpu"), seed=0, ranks=Ranks(), say=said.append,
        )  # fmt: skip
        values.append([learner.update(*batch, 0.1).values for _ in range(3)])
        assert not any(getattr(m, "autocast", None) for m in learner.average.modules())
    tolerance = 0.02 if "precision" in fields else 1e-4
    if "compile" not in fields:
        assert values[0] != values[1], "it was computed otherwise"
    for plain, other in zip(*values, strict=True):
        assert other["loss"] == pytest.approx(plain["loss"], rel=tolerance)
        assert other["gradient_norm"] == pytest.approx(plain["gradient_norm"], rel=5 * tolerance)
    assert not said or "compile" in fields, said


def test_where_compiling_fails_the_run_goes_on(batch, monkeypatch):
    from irncli.train.compute import prepare
    from irncli.train.sections import Compute

    def broken(*args, **kwargs):
        raise RuntimeError("no compiler\nhere")

    monkeypatch.setattr(torch, "compile", broken)
    said = []
    network = shaken(SMALL["irn-x2"])
    prepare(network, Compute(compile="on"), torch.device("cpu"), said.append)
    assert said == ["torch.compile does not work here (no compiler): continuing without it"]
    assert network(batch[0])[0].shape == (2, 3, 16, 16)


def test_records_are_plain_numbers(batch):
    values = trainer().update(*batch, 0.0).values
    assert {"loss", "lr_loss", "means_loss", "hr_loss", "z_loss", "hr_psnr", "lr_psnr", "z_rms",
            "gradient_norm", "learning_rate"} == set(values)  # fmt: skip
    assert all(type(value) is float and math.isfinite(value) for value in values.values())


RESCALERS = [n for n in PRESETS if not n.startswith("crm") and n != "irn-plus-x4"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", RESCALERS)
def test_every_preset_takes_steps(name, variant, photo):
    recipe = preset(name, variant).changed({"blocks": 1, "growth": 8, "batch": 2, "crop": 48})
    recipe = recipe.changed({"crop_end": 0, "precision": "fp32"})
    pixels = torch.from_numpy(photo[:96, :96].copy()).permute(2, 0, 1)
    sampler = CropSampler([pixels], recipe.network.scale, torch.device("cpu"), 0)
    learner = trainer(recipe, initial_network(recipe, None))
    results = [
        learner.update(*sampler.draw(k, 2, 48), share) for k, share in enumerate((0.0, 0.99))
    ]
    assert not any(result.skipped for result in results)
    assert all(math.isfinite(result.values["loss"]) for result in results)


def test_cells_of_colours_learn_and_draws_have_the_shape_of_their_state():
    recipe = COLOR.changed({"cell": 4, "draw": "own", "draw_from": 0.0, "noise_chance": 1.0})
    learner = trainer(recipe, build(recipe.architecture))
    hr = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    draws = learner._draws(hr, 0.5)
    assert draws.z.shape == (2, 32, 4, 6)
    assert draws.noise.shape == (2, 1, 16, 24)
    first = learner.update(hr, to_luma(hr), 0.5)
    for _ in range(20):
        last = learner.update(hr, to_luma(hr), 0.5)
    assert not last.skipped
    assert last.values["loss"] < first.values["loss"]
