"""Training: it learns, skips what is not finite, and continues after a kill as if nothing was."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import SMALL, shaken
from PIL import Image

from irncli.errors import CheckpointError, DataError, UsageError
from irncli.train.data import Pictures
from irncli.train.loop import Budget, initial_network, train
from irncli.train.recipe import PRESETS, Recipe
from irncli.train.step import Trainer
from irncli.train.validate import measure_sigma, validate
from irncli.zoo.checkpoint import Card, read_checkpoint, serialise

RECIPE = Recipe(
    architecture=SMALL["irn-x2"], batch=2, crop=16, crop_end=32, warm_up=2, validate_every=4
)


@pytest.fixture(scope="module")
def pictures(photo):
    parts = [photo[top : top + 64, left : left + 64] for top in (0, 200) for left in (0, 300, 500)]
    tensors = [torch.from_numpy(np.ascontiguousarray(p)).permute(2, 0, 1) for p in parts]
    return Pictures([f"{k}.png" for k in range(6)], tensors)


def batch(pictures):
    hr = torch.stack([p[:, :32, :32] for p in pictures.pixels[:2]]).float() / 255
    return hr, torch.nn.functional.avg_pool2d(hr, 2)


def test_it_learns(pictures):
    torch.manual_seed(0)
    recipe = replace(RECIPE, draw_from=1.0)
    trainer = Trainer(initial_network(recipe, None), recipe, torch.Generator())
    hr, target = batch(pictures)
    first = trainer.update(hr, target, 0.0)
    for _ in range(60):
        last = trainer.update(hr, target, 0.1)
    assert last.hr_psnr > first.hr_psnr + 1


def test_what_is_learnt_from_is_restored_from_8_bit_lr(pictures):
    network = shaken(RECIPE.architecture)
    trainer = Trainer(network, replace(RECIPE, draw_from=1.0), torch.Generator())
    hr, target = batch(pictures)
    with torch.no_grad():
        low, z = network(hr)
        eight_bit = (low.clamp(0, 1) * 255).round() / 255
        error = network.inverse(eight_bit, torch.zeros_like(z)) - hr
        exact = network.inverse(low, torch.zeros_like(z)) - hr
    expected = float(-10 * error.square().mean().log10())
    assert trainer.update(hr, target, 0.0).hr_psnr == pytest.approx(expected, abs=1e-4)
    assert float(-10 * exact.square().mean().log10()) != pytest.approx(expected, abs=1e-3)


def test_the_average_follows_the_weights(pictures):
    recipe = replace(RECIPE, ema=0.75)
    trainer = Trainer(shaken(RECIPE.architecture), recipe, torch.Generator())
    for step in (1, 2, 300):
        trainer.step = step
        before = {name: value.clone() for name, value in trainer.average.state_dict().items()}
        trainer.update(*batch(pictures), 0.0)
        decay = min(0.75, (1 + step) / (10 + step))
        for name, live in trainer.network.state_dict().items():
            expected = decay * before[name] + (1 - decay) * live
            assert torch.allclose(trainer.average.state_dict()[name], expected, atol=1e-7), name
            if name != "latent_sigma":
                assert not torch.equal(live, before[name])


def test_z_is_zero_at_first_and_drawn_in_units_of_its_own_width_later():
    trainer = Trainer(shaken(RECIPE.architecture), RECIPE, torch.Generator().manual_seed(0))
    z = torch.zeros(1, 9, 40, 40)
    assert not trainer._latent(z, RECIPE.draw_from - 0.01).any()
    drawn = trainer._latent(z, RECIPE.draw_from)
    width = RECIPE.draw_temperature * trainer.network.latent_sigma
    assert torch.allclose(drawn.std((0, 2, 3)), width, rtol=0.1)


def test_the_recorded_width_is_the_standard_deviation_of_the_forward_z(pictures):
    network = shaken(RECIPE.architecture)
    held_out = [p.permute(1, 2, 0).numpy() for p in pictures.pixels]
    whole = np.concatenate(held_out, axis=1)
    _, z = network(torch.from_numpy(whole).permute(2, 0, 1)[None].float() / 255)
    sigma = measure_sigma(network, [whole])
    assert torch.allclose(sigma, z.std((0, 2, 3), correction=0), rtol=1e-4)
    assert measure_sigma(network, held_out).shape == (9,)


def test_steps_that_are_not_finite_change_nothing(pictures):
    trainer = Trainer(shaken(RECIPE.architecture), RECIPE, torch.Generator())
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    hr, target = batch(pictures)
    result = trainer.update(torch.full_like(hr, torch.inf), target, 0.5)
    assert result.skipped
    assert trainer.skipped == 1
    after = trainer.network.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not trainer.update(hr, target, 0.5).skipped


def test_gradients_are_clipped(pictures):
    torch.manual_seed(0)
    trainer = Trainer(initial_network(RECIPE, None), RECIPE, torch.Generator())
    result = trainer.update(*batch(pictures), 0.0)
    norm = torch.stack([p.grad.norm() for p in trainer.network.parameters()]).norm().item()
    assert result.gradient_norm > RECIPE.clip
    assert norm == pytest.approx(RECIPE.clip, rel=1e-3)


def test_learning_rate_rises_then_follows_a_cosine():
    trainer = Trainer(shaken(RECIPE.architecture), RECIPE, torch.Generator())
    assert trainer.learning_rate(0.0) == pytest.approx(RECIPE.learning_rate / 2)
    trainer.step = 10
    assert trainer.learning_rate(0.5) == pytest.approx(RECIPE.learning_rate / 2)
    assert trainer.learning_rate(1.0) == pytest.approx(0)


def test_lr_weight_is_steered_to_the_target(pictures):
    for target, rises in ((80.0, True), (5.0, False)):
        recipe = replace(RECIPE, lr_target=target)
        trainer = Trainer(shaken(recipe.architecture), recipe, torch.Generator())
        weight = trainer.lr_weight
        trainer.update(*batch(pictures), 0.0)
        assert (trainer.lr_weight > weight) is rises


def test_x4_grows_from_x2(tmp_path):
    path = tmp_path / "x2.safetensors"
    config = replace(SMALL["irn-x4"], levels=SMALL["irn-x4"].levels[:1])
    source = shaken(config)
    path.write_bytes(serialise(source, Card(name="x2")))
    recipe = replace(RECIPE, architecture=SMALL["irn-x4"])
    grown = initial_network(recipe, path)
    state = grown.state_dict()
    for key, value in source.state_dict().items():
        if key != "latent_sigma":
            assert torch.equal(state[key], value)
    x = torch.rand(1, 3, 16, 16)
    low, _ = grown(x)
    assert torch.allclose(low, torch.nn.functional.avg_pool2d(source(x)[0], 2), atol=1e-5)


def test_what_cannot_start_a_preset_is_refused(tmp_path):
    path = tmp_path / "ld.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-ld-x3"]), Card(name="ld")))
    with pytest.raises(CheckpointError, match="not the beginning"):
        initial_network(RECIPE, path)


@pytest.mark.parametrize("given", [{}, {"steps": 0}, {"minutes": -1}, {"steps": 3, "minutes": 3}])
def test_budgets(given):
    with pytest.raises(UsageError):
        Budget(**given)


def run(pictures, out, steps, **options):
    train(RECIPE, pictures, out, name="t", budget=Budget(steps=steps), **options)
    return {
        name: read_checkpoint(out / f"{name}.safetensors").weights_sha256
        for name in ("last", "best")
    }


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path, pictures):
    torch.manual_seed(0)
    whole = run(pictures, tmp_path / "a", 9)

    def stop(progress):
        if progress.step == 5:
            raise KeyboardInterrupt

    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        run(pictures, tmp_path / "b", 9, report=stop)
    torch.manual_seed(77)
    said = []
    assert run(pictures, tmp_path / "b", 9, say=said.append) == whole
    assert "step 5" in said[0]


def test_the_run_directory_holds_log_state_and_checkpoints(tmp_path, pictures):
    run(pictures, tmp_path / "a", 4)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "best.safetensors",
        "last.safetensors",
        "log.jsonl",
        "state.pt",
    }
    records = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert {"hr_psnr", "hr_psnr_z0", "lr_psnr"} <= set(records[-1]["validation"])
    checkpoint = read_checkpoint(tmp_path / "a" / "last.safetensors")
    assert (checkpoint.network.latent_sigma > 0).all()
    (tmp_path / "a" / "state.pt").write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        run(pictures, tmp_path / "a", 5)


def test_validation_is_that_of_the_tables(pictures):
    network = initial_network(RECIPE, None)
    held_out = [p.permute(1, 2, 0).numpy() for p in pictures.pixels[:2]]
    network.latent_sigma.copy_(measure_sigma(network, held_out))
    measured = validate(network, held_out)
    # An untrained network loses up to 3 dB: what is drawn adds as much error as what was lost.
    assert 1 < measured.hr_psnr_z0 - measured.hr_psnr < 3.1
    assert validate(network, held_out) == measured


@pytest.fixture
def folder(tmp_path, pictures):
    target = tmp_path / "data"
    target.mkdir()
    for name, pixels in zip(pictures.names, pictures.pixels, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(target / name)
    return target


def command(folder, out, *extra):
    arguments = ["train", "--preset", "irn-x2", "--data", folder, "--out", out, "--threads", 1]
    arguments += ["--set", "batch=1", "--set", "crop=16", "--set", "crop_end=16", *extra]
    return [sys.executable, "-m", "irncli", *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT], ids=lambda s: s.name)
def test_the_command_continues_after_a_kill(tmp_path, folder, kill):
    out = tmp_path / "run"
    process = subprocess.Popen(command(folder, out, "--steps", 2000), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (out.exists() and b"step 20" in process.stderr.readline()):
        assert time.monotonic() < deadline
    os.kill(process.pid, kill)
    process.communicate()
    assert process.returncode == (130 if kill == signal.SIGINT else -signal.SIGKILL)
    assert not list(out.glob(".*"))
    done = 0
    if kill == signal.SIGINT:
        done = torch.load(out / "state.pt", weights_only=True)["trainer"]["step"]
        assert done >= 20
    again = subprocess.run(
        command(folder, out, "--steps", done + 2), capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert ("continuing" in again.stderr) is (kill == signal.SIGINT)
    assert read_checkpoint(out / "best.safetensors").architecture == PRESETS["irn-x2"].architecture
