"""The loop: budgets, run directory, validation, and continuing as if nothing had happened."""

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from irncli.errors import (
    CheckpointError,
    DataError,
    MemoryExhaustedError,
    OutputError,
    StorageError,
    UsageError,
)
from irncli.model import build
from irncli.train.data import Images
from irncli.train.loop import Budget, Hooks, Run, train
from irncli.train.recipe import parse_toml
from irncli.train.setup import LoadedNetworks, load_networks
from irncli.train.state import RunDirectory
from irncli.train.validate import measure_sigma, sample, validate_crm, validate_invertible
from irncli.zoo.checkpoint import Card, Checkpoint, read_checkpoint, serialise
from tests.support.networks import SMALL, shaken
from tests.support.training import COLOR, CRM, RECIPE, changed

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:tensorboard")


@pytest.mark.parametrize("given", [{}, {"steps": 0}, {"minutes": -1}, {"steps": 3, "minutes": 3}])
def test_budgets(given):
    with pytest.raises(UsageError):
        Budget(**given)


def test_shares_of_budgets():
    assert Budget(steps=10).share(5, 1e9) == 0.5
    assert Budget(minutes=2).share(10**9, 30) == 0.25


def run(pictures, out, steps, recipe=RECIPE, hooks=None, networks=None, **options):
    done = train(
        recipe, pictures, Run(name="t", out=out, budget=Budget(steps=steps), **options),
        networks, hooks,
    )  # fmt: skip
    return done, hashes(out)


def hashes(out):
    return {path.stem: read_checkpoint(path).weights_sha256 for path in out.glob("*.safetensors")}


def records(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_run_that_was_told_to_stop_ends_as_an_undisturbed_one(tmp_path, pictures):
    _, whole = run(pictures, tmp_path / "a", 9)
    steps = []
    hooks = Hooks(report=lambda p: steps.append(p.step), stopping=lambda: len(steps) == 5)
    torch.manual_seed(77)
    done, _ = run(pictures, tmp_path / "b", 9, hooks=hooks)
    assert not done
    assert steps == [1, 2, 3, 4, 5]
    said = []
    torch.manual_seed(78)
    done, resumed = run(pictures, tmp_path / "b", 9, hooks=Hooks(say=said.append), resume=True)
    assert done
    assert resumed == whole
    assert set(whole) == {"best", "last"}
    assert "step 5" in said[0]
    for name in ("a", "b"):
        logged = [r["step"] for r in records(tmp_path / name) if "loss" in str(r)]
        assert logged == list(range(1, 10))


def test_an_old_run_is_not_overwritten_and_an_absent_one_is_begun(tmp_path, pictures):
    run(pictures, tmp_path / "a", 2, resume=True)
    with pytest.raises(OutputError, match="--resume"):
        run(pictures, tmp_path / "a", 3)


def test_another_recipe_or_seed_does_not_continue_a_run(tmp_path, pictures):
    run(pictures, tmp_path / "a", 2)
    with pytest.raises(UsageError, match=r"data\.batch: 3, not 2"):
        run(pictures, tmp_path / "a", 3, recipe=changed(batch=3), resume=True)
    with pytest.raises(UsageError, match="--seed: 5, not 0"):
        run(pictures, tmp_path / "a", 3, seed=5, resume=True)
    said = []
    fewer = Images(pictures.names[:3], pictures.pixels[:3])
    run(fewer, tmp_path / "a", 3, hooks=Hooks(say=said.append), resume=True)
    assert "warning: the run was started on other images" in said


def test_the_run_directory_holds_everything(tmp_path, pictures):
    run(pictures, tmp_path / "a", 4)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "best.safetensors", "last.safetensors", "log.jsonl", "recipe.toml", "run.lock", "samples",
        "state.pt", "tensorboard",
    }  # fmt: skip
    steps = [r["step"] for r in records(tmp_path / "a")[:-1]]
    assert steps == [1, 2, 3, 4]
    first = records(tmp_path / "a")[0]
    assert {"loss", "hr_psnr", "lr_psnr", "learning_rate", "gradient_norm", "steps_per_second",
            "data_wait", "skipped"} <= set(str(first).replace("'", " ").split())  # fmt: skip
    assert {"hr_psnr", "hr_psnr_z0", "lr_psnr", "lr_shift", "score"} == set(
        records(tmp_path / "a")[-1]["validation"]
    )
    checkpoint = read_checkpoint(tmp_path / "a" / "last.safetensors")
    assert (checkpoint.network.latent_sigma > 0).all()
    with Image.open(tmp_path / "a" / "samples" / "step-0000004-0.png") as picture:
        assert picture.size[0] >= 32 + 3 * 64 + 3 * 8
        assert picture.size[1] > 64
    events = list((tmp_path / "a" / "tensorboard").iterdir())
    assert len(events) == 1
    assert events[0].stat().st_size > 1000
    assert RECIPE.changed(parse_toml((tmp_path / "a" / "recipe.toml").read_text())) == RECIPE


def test_without_tensorboard_it_says_so_and_goes_on(tmp_path, pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said = []
    run(pictures, tmp_path / "a", 2, hooks=Hooks(say=said.append))
    assert any("irncli[train]" in line for line in said)
    assert not (tmp_path / "a" / "tensorboard").exists()


def test_a_damaged_state_is_said(tmp_path, pictures):
    (tmp_path / "a").mkdir()
    for content in (b"damaged", None):
        if content is None:
            torch.save([1], tmp_path / "a" / "state.pt")
        else:
            (tmp_path / "a" / "state.pt").write_bytes(content)
        with pytest.raises(DataError, match=r"state\.pt"):
            run(pictures, tmp_path / "a", 5, resume=True)


def test_the_log_is_rewound_to_the_state(tmp_path, pictures):
    run(pictures, tmp_path / "a", 3)
    log = tmp_path / "a" / "log.jsonl"
    before = records(tmp_path / "a")
    log.write_text(log.read_text() + '{"step": 4, "step_": 1}\n{"step": 5, "st')
    run(pictures, tmp_path / "a", 4, resume=True)
    after = records(tmp_path / "a")
    assert after[: len(before)] == before
    assert [r["step"] for r in after[len(before) :]] == [4, 4]
    assert "step_" not in str(after)


def test_own_pictures_can_be_held_out(tmp_path, pictures, photo):
    own = Images(["v.png"], [torch.from_numpy(photo[:40, :60].copy()).permute(2, 0, 1)])
    said = []
    run(pictures, tmp_path / "a", 1, hooks=Hooks(say=said.append), held_out=own)
    assert "6 images to train on, 1 held out (v.png), 0 left out" in said


def test_too_little_memory_is_said(tmp_path, pictures, monkeypatch):
    from irncli.train.step import Trainer

    def full(*arguments, **options):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Trainer, "update", full)
    with pytest.raises(MemoryExhaustedError, match="recompute"):
        run(pictures, tmp_path / "a", 1)


def test_validation_is_that_of_the_tables(pictures):
    network = build(RECIPE.architecture)
    held_out = [p.permute(1, 2, 0).numpy() for p in pictures.pixels[:2]]
    network.latent_sigma.copy_(measure_sigma(network, held_out))
    measured = validate_invertible(network, held_out, drawn=True)
    # An untrained network loses up to 3 dB: what is drawn adds as much error as what was lost.
    assert 1 < measured["hr_psnr_z0"] - measured["hr_psnr"] < 3.1
    assert measured["score"] == measured["hr_psnr"]
    assert validate_invertible(network, held_out, drawn=True) == measured
    plain = validate_invertible(network, held_out, drawn=False)
    assert plain["score"] == plain["hr_psnr_z0"] == measured["hr_psnr_z0"]


def test_the_recorded_width_is_the_standard_deviation_of_the_forward_z(pictures):
    network = shaken(RECIPE.architecture)
    held_out = [p.permute(1, 2, 0).numpy() for p in pictures.pixels]
    whole = np.concatenate(held_out, axis=1)
    _, z = network(torch.from_numpy(whole).permute(2, 0, 1)[None].float() / 255)
    sigma = measure_sigma(network, [whole])
    assert torch.allclose(sigma, z.std((0, 2, 3), correction=0), rtol=1e-4)
    assert measure_sigma(network, held_out).shape == (9,)


def test_colour_trains(tmp_path, pictures):
    _, made = run(pictures, tmp_path / "a", 4, recipe=COLOR)
    assert set(made) == {"best", "last"}
    checkpoint = read_checkpoint(tmp_path / "a" / "best.safetensors")
    assert checkpoint.card.temperature == 0
    measured = records(tmp_path / "a")[-1]["validation"]
    assert measured["score"] == measured["hr_psnr_z0"]
    picture = pictures.pixels[0].permute(1, 2, 0).numpy()
    shown = sample(checkpoint.network, picture)
    assert shown.shape[1] >= 3 * 64 + 2 * 8
    assert np.array_equal(shown[-64:, -64:], picture)
    assert shown.shape[0] > 64


def test_a_crm_trains_on_the_lr_of_its_rescaler(tmp_path, pictures):
    path = tmp_path / "x2.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-x2"]), Card(name="x2")))
    networks = load_networks(CRM, lambda name: path)
    _, made = run(pictures, tmp_path / "a", 4, recipe=CRM, networks=networks)
    assert set(made) == {"best", "last"}
    measured = records(tmp_path / "a")[-1]["validation"]
    assert measured["lr_psnr_coded"] > measured["lr_psnr"], "four steps do not make a CRM"
    assert {"hr_psnr", "hr_psnr_coded", "score"} <= set(measured)
    other = LoadedNetworks(rescaler=Checkpoint(
        network=networks.rescaler.network, card=Card(name="x"), weights_sha256="0" * 64
    ))  # fmt: skip
    with pytest.raises(UsageError, match="rescaler"):
        run(pictures, tmp_path / "a", 5, recipe=CRM, networks=other, resume=True)
    path.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="x4")))
    with pytest.raises(CheckpointError, match="not a rescaling model of x2"):
        load_networks(CRM, lambda name: path)


def test_an_identity_for_a_crm_measures_what_jpeg_costs(pictures):
    rescaler = shaken(SMALL["irn-x2"], strength=0.01)

    class Identity(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.anchor = torch.nn.Parameter(torch.zeros(1))

        def forward(self, low, tables):
            return low

    held_out = [p.permute(1, 2, 0).numpy() for p in pictures.pixels[:2]]
    measured = validate_crm(Identity(), rescaler, held_out, [30, 90])
    assert measured["lr_psnr"] == measured["lr_psnr_coded"]
    assert measured["hr_psnr"] == measured["hr_psnr_coded"] == measured["score"]
    assert 20 < measured["lr_psnr"] < 50


DRIVER = textwrap.dedent(
    """
    import json, os, signal, sys
    from pathlib import Path
    import torch
    import torch._dynamo  # by optimisers, in every fork, if it is not here
    sys.path[:0] = sys.argv[1:]
    from irncli.io.image_file import decode
    from irncli.train.loop import Budget, Run, train
    from tests.support.places import ROOT
    from tests.support.training import RECIPE, cut

    def die_at(function, nth):
        calls = 0

        def wrapped(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)
        return wrapped

    def run(out, where, nth):
        torch.set_num_threads(1)
        if where == "step":
            torch.optim.Adam.step = die_at(torch.optim.Adam.step, nth)
        elif where == "backward":
            torch.Tensor.backward = die_at(torch.Tensor.backward, nth)
        elif where == "write":
            os.fsync = die_at(os.fsync, nth)
        elif where == "rename":
            os.replace = Path.replace = die_at(os.replace, nth)
        photo = decode((ROOT / "irncli" / "demo" / "photo.png").read_bytes()).pixels
        recipe = RECIPE.changed({"save_seconds": 0.0})
        train(recipe, cut(photo), Run(name="t", out=Path(out), budget=Budget(steps=7), resume=True))

    for line in sys.stdin:
        child = os.fork()
        if not child:
            run(*json.loads(line))
            sys.stderr.flush()
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    """
)
"""Trains in a fork of itself for each line of input, so that torch is loaded once, and prints the
exit status of each."""


@pytest.fixture(scope="module")
def drive():
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    command = [sys.executable, "-W", "ignore", "-c", DRIVER, *paths]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:

        def status(out, where="nowhere", nth=0):
            driver.stdin.write(json.dumps([str(out), where, nth]) + "\n")
            driver.stdin.flush()
            return int(driver.stdout.readline())

        yield status
        driver.stdin.close()


@pytest.fixture(scope="module")
def undisturbed(drive, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert drive(out) == 0
    return hashes(out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "nth"),
    [("step", 1), ("step", 4), ("backward", 6), ("write", 3), ("write", 12), ("rename", 5)],
)
def test_killed_at_any_moment_it_ends_with_the_same_weights(
    tmp_path, drive, undisturbed, where, nth
):
    """SIGKILL in a step, in the middle of writing a file, and between writing and renaming."""
    out = tmp_path / "run"
    assert drive(out, where, nth) == -signal.SIGKILL
    assert drive(out) == 0
    assert hashes(out) == undisturbed
    assert not list(out.glob(".*")), "what was half written is gone"
    logged = [r["step"] for r in records(out) if "learning_rate" in str(r)]
    assert logged == list(range(1, 8))


@pytest.fixture
def folder(tmp_path, pictures):
    target = tmp_path / "data"
    target.mkdir()
    for name, pixels in zip(pictures.names, pictures.pixels, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(target / name)
    return target


FRESH = (sys.executable, "-m", "irncli")
"""A process of its own from the start, which can be limited and gets signals."""


def words(folder, out, *extra):
    arguments = ["train", "--preset", "irn-x2", "--data", folder, "--out", out, "--threads", 1]
    small = ("batch=1", "crop=16", "crop_end=16", "blocks=1", "log_every=5", "precision=fp32")
    arguments += [word for field in small for word in ("--set", field)]
    return [*map(str, [*arguments, *extra])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_the_command_after_a_save(tmp_path, folder, quick_irn, number, status):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [*FRESH, *words(folder, out, "--steps", 20_000)], stderr=subprocess.PIPE
    )
    for line in process.stderr:
        if b"step 10 " in line:
            break
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == status
    assert b"--resume" in said
    assert not list(out.glob(".*"))
    done = torch.load(out / "state.pt", weights_only=True)["trainer"]["step"]
    assert done >= 10
    again = subprocess.run(
        [quick_irn, *words(folder, out, "--steps", done + 2, "--resume")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert f"continuing {out} at step {done}" in again.stderr
    assert read_checkpoint(out / "best.safetensors").architecture.levels[0].blocks == 1


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_good_state(tmp_path, folder, quick_irn):
    out = tmp_path / "run"
    first = subprocess.run(
        [quick_irn, *words(folder, out, "--steps", 3)], capture_output=True, text=True
    )
    assert first.returncode == 0, first.stderr
    before = (out / "state.pt").read_bytes()

    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    full = subprocess.run(
        [*FRESH, *words(folder, out, "--steps", 6, "--resume")],
        capture_output=True, text=True, preexec_fn=little_room,
    )  # fmt: skip
    assert full.returncode == 74, full.stderr
    assert "Traceback" not in full.stderr
    assert "cannot write" in full.stderr.strip().splitlines()[-1]
    assert (out / "state.pt").read_bytes() == before
    assert not list(out.glob(".*"))
    again = subprocess.run(
        [quick_irn, *words(folder, out, "--steps", 6, "--resume")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr


def test_an_unusable_run_directory_is_said(tmp_path, pictures):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="choose another"):
        run(pictures, tmp_path / "file" / "run", 1)
    blocked = tmp_path / "blocked"
    (blocked / "log.jsonl").mkdir(parents=True)
    with pytest.raises(StorageError, match="log"):
        run(pictures, blocked, 1)


def test_two_processes_do_not_share_a_run_directory(tmp_path, pictures):
    with RunDirectory(tmp_path / "a"), pytest.raises(OutputError, match="another process"):
        run(pictures, tmp_path / "a", 1)
    run(pictures, tmp_path / "a", 1)


def test_the_best_of_an_adversarial_run_is_its_last_once_it_began(tmp_path, pictures):
    """A discriminator's work lowers every PSNR: the best by PSNR would be the start."""

    recipe = changed(
        adversarial_weight=1.0, batch=1, crop=128, crop_end=0, head_start=2, validate_every=1
    )
    large = Images(["a.png", "b.png"], [p.repeat(1, 2, 2) for p in pictures.pixels[:2]])
    scores = iter((50.0, 40.0, 30.0, 20.0))
    kept = []

    def judged(recipe, held_out, rescaler):
        return lambda network: {"score": next(scores)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("irncli.train.loop.validator", judged)
        patch.setattr(RunDirectory, "save_checkpoint", lambda self, name, data: kept.append(name))
        run(large, tmp_path / "a", 4, recipe=recipe)
    assert kept == ["last", "last", "last", "best", "last", "best"]


def test_normal_draws_need_a_width_of_one_whatever_the_start(tmp_path, pictures):
    path = tmp_path / "start.safetensors"
    path.write_bytes(serialise(shaken(RECIPE.architecture), Card(name="start")))
    run(pictures, tmp_path / "a", 1, recipe=changed(draw="normal"), init=path)
    sigma = read_checkpoint(tmp_path / "a" / "last.safetensors").network.latent_sigma
    assert torch.equal(sigma, torch.ones(9))


def test_robust_recipes_are_judged_by_what_comes_back(tmp_path, pictures):
    for k, codec in enumerate(
        ({"jpeg_least": 30, "jpeg_most": 90}, {"noise_chance": 0.5, "noise_width": 0.05})
    ):
        out = tmp_path / str(k)
        run(pictures, out, 1, recipe=changed(**codec))
        measured = records(out)[-1]["validation"]
        assert measured["score"] == measured["hr_psnr_disturbed"] < measured["hr_psnr_z0"]


def test_held_out_pictures_must_be_large_enough(tmp_path, pictures):
    tiny = Images(["t.png"], [torch.zeros(3, 3, 20, dtype=torch.uint8)])
    with pytest.raises(DataError, match="--validation"):
        run(pictures, tmp_path / "a", 1, held_out=tiny)
