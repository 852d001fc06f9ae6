"""`irn train` on the command line: presets shown, recipes changed, what is wrong said."""

import json
import shutil

import pytest

from irncli.train.presets import PRESETS, preset
from irncli.train.recipe import parse_toml
from irncli.zoo.checkpoint import Card, read_checkpoint, serialise
from tests.support.networks import shaken

SMALL = ("batch=1", "crop=16", "crop_end=16", "blocks=1", "growth=16", "log_every=1",
         "precision=fp32")  # fmt: skip


def fields(*more):
    return [word for field in (*SMALL, *more) for word in ("--set", field)]


@pytest.fixture
def data(tmp_path, photo):
    from PIL import Image

    folder = tmp_path / "data"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(photo[:48, k * 60 : k * 60 + 48]).save(folder / f"{k}.png")
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:90])
    return folder


def test_list_names_every_preset_and_whether_weights_are_here(irn):
    outcome = irn("train", "--list")
    assert outcome.status == 0
    lines = outcome.out.decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(PRESETS)
    assert "weights here" in lines[0]
    assert any("no weights yet" in line for line in lines)


@pytest.mark.parametrize("variant", ["irn", "paper"])
def test_show_prints_a_recipe_that_can_be_read_again(irn, tmp_path, variant):
    shown = irn("train", "--show", "irn-plus-x4", "--recipe", variant, "--set", "batch=5")
    assert shown.status == 0
    path = tmp_path / "recipe.toml"
    path.write_bytes(shown.out)
    expected = preset("irn-plus-x4", variant).changed({"batch": 5})
    assert preset("irn-x2").changed(parse_toml(path.read_text())) == expected
    again = irn("train", "--show", "irn-x2", "--config", path, "--set", "data.batch=6")
    assert b"batch = 6\n" in again.out
    assert again.out.replace(b"batch = 6", b"batch = 5") == shown.out


def test_a_short_training_from_file_and_options(irn, tmp_path, data):
    config = tmp_path / "mine.toml"
    config.write_text("[optimiser]\nlearning_rate = 1e-5\nsteps = 2\n")
    out = tmp_path / "run"
    start = tmp_path / "start.safetensors"
    recipe = preset("irn-x2").changed({"blocks": 1, "growth": 16})
    start.write_bytes(serialise(shaken(recipe.architecture), Card(name="start")))
    command = ["train", "--preset", "irn-x2", "--data", data, "--out", out, "--config", config,
               "--init", start, *fields()]  # fmt: skip
    outcome = irn(*command)
    assert outcome.status == 0, outcome.err
    assert "broken.png: damaged, left out" in outcome.err
    assert "1 left out" in outcome.err
    assert "step 2 (50.0%)" in outcome.err
    trained = read_checkpoint(out / "last.safetensors")
    before = read_checkpoint(start).network.state_dict()
    moved = [
        (value - before[name]).abs().max().item()
        for name, value in trained.network.state_dict().items()
        if name != "latent_sigma"
    ]
    assert 0 < max(moved) < 1e-4, "two steps of 1e-5 from the given weights"
    again = irn(*command)
    assert again.status == 73
    assert "--resume" in again.err.splitlines()[-1]
    assert irn(*command, "--resume", "--steps", 3, "-q").err == ""
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in log if "training" in r] == [1, 2, 3]
    used = irn("models", "info", out / "best.safetensors", "--json")
    assert json.loads(used.out)["name"] == "run-best"


@pytest.fixture
def started(irn, tmp_path, data):
    """A run of two steps, and its directory."""
    out = tmp_path / "run"
    words = ["train", "--preset", "irn-x2", "--data", data, "--out", out, "--steps", 2,
             "--seed", 3, "--validation", data / "1.png", "--init", "none", *fields()]  # fmt: skip
    outcome = irn(*words)
    assert outcome.status == 0, outcome.err
    return words, out


def steps_of(out):
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [r["step"] for r in log if "training" in r]


def test_a_run_is_continued_by_its_directory_alone(irn, tmp_path, started, monkeypatch):
    words, out = started
    whole = tmp_path / "whole"
    shutil.copytree(out, whole)
    words[words.index(out)] = whole
    words[words.index(2)] = 4
    assert irn(*words, "--resume").status == 0
    monkeypatch.chdir(tmp_path)
    outcome = irn("train", "--resume", "--out", "run", "--steps", 4)
    assert outcome.status == 0, outcome.err
    assert "started on other images" not in outcome.err
    assert steps_of(out) == [1, 2, 3, 4]
    for name in ("last", "best"):
        files = [folder / f"{name}.safetensors" for folder in (out, whole)]
        assert len({read_checkpoint(path).weights_sha256 for path in files}) == 1
        assert read_checkpoint(files[0]).card.name == "irn-x2"


def test_a_run_that_was_killed_before_its_first_state_is_continued_too(irn, started):
    _, out = started
    (out / "state.pt").unlink()
    assert irn("train", "--resume", "--out", out).status == 0
    assert steps_of(out) == [1, 2]
    # Its budget, which is spent, is known as well.
    assert irn("train", "--resume", "--out", out).status == 0
    assert steps_of(out) == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "irn-x4"], "was started with another recipe"),
        (["--preset", "irn-x2"], "was started with another recipe"),
        (["--set", "batch=2"], "data.batch: 2, not 1"),
        (["--recipe", "paper"], "was started with --recipe irn"),
        (["--seed", "4"], "--seed: 4, not 3"),
    ],
)
def test_options_must_agree_with_the_run_that_is_continued(irn, started, data, arguments, said):
    _, out = started
    state = {path: path.read_bytes() for path in out.glob("*.*") if path.is_file()}
    more = ["--data", data] if "--preset" in arguments else []
    outcome = irn("train", "--resume", "--out", out, "--steps", 3, *arguments, *more)
    assert outcome.status == 2
    assert said in outcome.lines[-1]
    assert {path: path.read_bytes() for path in state} == state
    assert irn("train", "--resume", "--out", out, "--set", "batch=1", "--steps", 3).status == 0


def test_damaged_settings_of_a_run_are_said(irn, started):
    _, out = started
    for text in ("{", "[]", '{"preset": 3}'):
        (out / "run.json").write_text(text)
        outcome = irn("train", "--resume", "--out", out)
        assert outcome.status == 65
        assert "run.json is damaged" in outcome.lines[-1]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--preset", "irn-x22"], 2, "no preset 'irn-x22' (did you mean irn-x2?)"),
        (["--preset", "photo"], 2, "no preset 'photo': 'irn train --list'"),
        (["--preset", "irn-x2", "--recipe", "mine"], 2, "mine"),
        (["--preset", "irn-x2", "--data", "{tmp}/no"], 66, "no images at"),
        (["--preset", "irn-x2", "--data", "{tmp}/empty"], 65, "no usable image"),
        (["--preset", "irn-x2", "--steps", "1", "--minutes", "1"], 2, "either"),
        (["--preset", "irn-x2", "--set", "bacth=1"], 2, "did you mean batch?"),
        (["--preset", "irn-x2", "--set", "data.bacth=1"], 2, "did you mean data.batch?"),
        (["--preset", "irn-x2", "--set", "foo=1"], 2, "no recipe field 'foo': 'irn train --show"),
        (["--preset", "irn-x2", "--set", "batch=many"], 2, "whole number"),
        (["--preset", "irn-x2", "--config", "{tmp}/none.toml"], 66, "none.toml"),
        (["--preset", "irn-x2", "--config", "{tmp}/bad.toml"], 2, "TOML"),
        (["--preset", "irn-x2", "--init", "irn-x8"], 69, "irn train --preset irn-x8"),
        (["--preset", "irn-x2", "--init", "irn-x4"], 65, "cannot start from"),
        (["--preset", "irn-plus-x4", "--set", "vgg19={tmp}/vgg.pth"], 66, "vgg19"),
        (["--preset", "crm-jpeg", "--set", "rescaler=irn-x2-robust"], 69, "irn-x2-robust"),
        (["--preset", "crm-jpeg", "--set", "rescaler=irn-x4"], 65, "x2"),
        (["--preset", "irn-x2", "--device", "cuda:9"], 69, "cuda:9"),
        ([], 2, "--preset"),
        (["--resume"], 2, "does not say what to continue: give --preset P and --data PATH"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    irn, tmp_path, data, arguments, status, said
):
    (tmp_path / "bad.toml").write_text("a = ")
    (tmp_path / "empty").mkdir()
    words = [word.replace("{tmp}", str(tmp_path)) for word in arguments]
    if "--data" not in words:
        words += ["--data", str(data)]
    outcome = irn("train", "--out", tmp_path / "o", *words)
    assert outcome.status == status
    assert said in outcome.lines[-1]
    assert not (tmp_path / "o" / "state.pt").exists()


def test_models_that_wait_for_weights_say_how_to_get_them(irn):
    listed = irn("models", "list").out.decode()
    assert "irn-x8" in listed
    assert "no weights yet" in listed
    rows = [json.loads(line) for line in irn("models", "list", "--json").out.splitlines()]
    assert {row["name"] for row in rows} >= set(PRESETS)
    outcome = irn("models", "info", "irn-x8")
    assert outcome.status == 69
    assert "irn train --preset irn-x8" in outcome.err
    assert len(outcome.lines) == 1


def test_a_mistyped_preset_is_said_before_what_is_missing(irn):
    outcome = irn("train", "--preset", "irn-x22")
    assert outcome.status == 2
    assert "did you mean irn-x2?" in outcome.err
