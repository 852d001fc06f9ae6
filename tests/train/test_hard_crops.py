"""Synthetic crops: every kind is what it says, and training draws them from the seed alone."""

import numpy as np
import pytest
import torch

from irncli.model.bicubic import shrink
from irncli.train.crops import CropSampler, to_luma
from irncli.train.hard import KINDS, hard_crop, hard_images
from irncli.train.loop import Budget, Hooks, Run, train
from irncli.train.validate import measure_hard, validator
from tests.support.networks import SMALL, shaken
from tests.support.training import CPU, changed

FINE = {"stripes", "checker", "ordered_dither", "random_dither", "text"}


@pytest.fixture(scope="module")
def crop(photo):
    return np.ascontiguousarray(photo[200:264, 300:372])


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_gives_8_bit_images_from_the_seed_alone(crop, name):
    before = crop.copy()
    first = [KINDS[name](np.random.default_rng(seed), crop) for seed in range(8)]
    again = [KINDS[name](np.random.default_rng(seed), crop) for seed in range(8)]
    for one, other in zip(first, again, strict=True):
        assert one.dtype == np.uint8
        assert one.shape == crop.shape
        assert np.array_equal(one, other)
    assert len({image.tobytes() for image in first}) > 1 or name == "gray_photo"
    assert np.array_equal(crop, before)


def colours(image):
    return len(np.unique(image.reshape(-1, 3), axis=0))


def test_kinds_are_what_they_say(crop):
    drawn = {
        name: [kind(np.random.default_rng(seed), crop) for seed in range(20)]
        for name, kind in KINDS.items()
    }
    for name in ("stripes", "checker"):
        assert {colours(image) for image in drawn[name]} <= {1, 2}
    for name in ("ordered_dither", "random_dither"):
        assert all(set(np.unique(image)) <= {0, 255} for image in drawn[name])
    levels = {tuple(np.unique(image)) for image in drawn["diffused_dither"]}
    assert levels == {(0, 255), (0, 128, 255)}
    assert all(colours(image) == 1 for image in drawn["flat"])
    assert max(colours(image) for image in drawn["blocks"]) > 6
    assert all(np.ptp(image[:4, :4], axis=(0, 1)).max() == 0 for image in drawn["blocks"])
    assert all((image == image[:, :, :1]).all() for image in drawn["gray_photo"])
    for image in drawn["gray_noise"]:
        noise = image.astype(int) - crop
        inner = (image > 0) & (image < 255)
        steps = np.ptp(noise, axis=2)[inner.all(axis=2)]
        assert image.mean() < 0.7 * crop.mean() or steps.max() <= 1
    for image in drawn["pixel_art"]:
        assert colours(image) <= -(-64 // 2) * -(-72 // 2)


def test_error_diffusion_keeps_the_mean_and_is_floyd_and_steinberg_s(crop):
    """By the definition, pixel after pixel."""
    from irncli.train.hard import _diffuse

    gray = crop.mean(axis=2, keepdims=True)[:24, :20]
    expected = gray.copy()
    height, width = expected.shape[:2]
    for y in range(height):
        for x in range(width):
            old = expected[y, x, 0]
            new = 255.0 * (np.rint(old / 255) > 0)
            expected[y, x] = new
            for down, right, share in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
                if y + down < height and 0 <= x + right < width:
                    expected[y + down, x + right] += (old - new) * share / 16
    assert np.array_equal(_diffuse(gray, 2), expected)
    assert _diffuse(gray, 2).mean() == pytest.approx(gray.mean(), abs=6)


def test_every_kind_is_drawn(crop, monkeypatch):
    drawn = []

    def spy(name, kind):
        def draw(rng, photo):
            drawn.append(name)
            return kind(rng, photo)

        return draw

    for name, kind in KINDS.items():
        monkeypatch.setitem(KINDS, name, spy(name, kind))
    for seed in range(300):
        hard_crop(np.random.default_rng(seed), crop)
    shares = {name: drawn.count(name) / 300 for name in KINDS}
    assert min(shares.values()) > 0.015
    assert max(shares.values()) < 0.3


def sampler(photo, hard, scale=2, **options):
    pixels = torch.from_numpy(photo[:160, :160].copy()).permute(2, 0, 1)
    return CropSampler([pixels], scale, CPU, 3, hard=hard, **options)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_target_is_the_bicubic_lr_of_what_was_drawn(photo, scale):
    hr, target = sampler(photo, 1.0, scale).draw(5, 6, 48)
    levels = hr * 255
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    if scale == 1:
        assert torch.equal(target, to_luma(hr))
        return
    # Inside, where the kernel does not reach beyond the crop.
    inner = slice(3, -3)
    assert torch.allclose(
        target[:, :, inner, inner], shrink(hr, scale)[:, :, inner, inner], atol=1e-5
    )


def test_a_share_of_the_crops_is_drawn_and_depends_on_seed_and_step_alone(photo):
    plain, some = sampler(photo, 0.0), sampler(photo, 0.3)
    changed_crops = total = 0
    for step in range(30):
        photos, _ = plain.draw(step, 8, 32)
        hr, target = some.draw(step, 8, 32)
        other_hr, other_target = sampler(photo, 0.3).draw(step, 8, 32)
        assert torch.equal(hr, other_hr)
        assert torch.equal(target, other_target)
        changed_crops += int((hr != photos).flatten(1).any(1).sum())
        total += 8
    assert changed_crops / total == pytest.approx(0.3, abs=0.1)


def test_ranks_share_what_one_process_draws(photo):
    whole, _ = sampler(photo, 0.5).draw(2, 6, 32)
    for rank in range(2):
        part, _ = sampler(photo, 0.5, rank=rank, ranks=2).draw(2, 6, 32)
        assert torch.equal(part, whole[rank::2])


def test_the_hard_set_is_fixed_and_has_every_kind():
    images = hard_images(32)
    assert {name.rpartition("-")[0] for name in images} == set(KINDS)
    for name, image in hard_images(32).items():
        assert np.array_equal(image, images[name])


def test_failures_on_hard_images_are_counted():
    """An untrained network makes the box average, which is no failure; a shaken one fails."""
    images = list(hard_images(32).values())
    fresh = shaken(SMALL["irn-x2"])
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.zero_()
    harmless = measure_hard(fresh, images)
    assert harmless["hard_shift"] <= 2
    failing = measure_hard(shaken(SMALL["irn-x2"]), images)
    assert failing["hard_worse"] > 20 > harmless["hard_worse"]
    assert failing["hard_shift"] > 10


def test_validation_measures_them_where_they_are_trained_on(photo):
    held_out = [np.ascontiguousarray(photo[:64, :64])]
    network = shaken(SMALL["irn-x2"])
    with_them = validator(changed(hard=0.2), held_out, None)(network)
    assert {"hard_worse", "hard_shift"} <= set(with_them)
    assert "hard_worse" not in validator(changed(hard=0.0), held_out, None)(network)


def test_what_gets_worse_on_hard_images_is_not_the_best(tmp_path, pictures, monkeypatch):
    """Scores rise at each validation; failures do, too, at the second."""
    from irncli.train import loop as module

    measured = iter([(30.0, 3.0), (31.0, 4.0), (30.5, 3.0), (32.0, 2.0)])

    def validate(recipe, held_out, rescaler):
        def run(network):
            score, worse = next(measured)
            return {"score": score, "hard_worse": worse, "hard_shift": 0.0}

        return run

    monkeypatch.setattr(module, "validator", validate)
    out = tmp_path / "run"
    saved = []
    original = module.RunDirectory.save_checkpoint

    def save(self, name, data):
        saved.append(name)
        original(self, name, data)

    monkeypatch.setattr(module.RunDirectory, "save_checkpoint", save)
    recipe = changed(draw_from=0.0, validate_every=2, hard=0.2)
    train(recipe, pictures, Run(name="t", out=out, budget=Budget(steps=8)), None, Hooks())
    assert saved == ["last", "best", "last", "last", "best", "last", "best"]
