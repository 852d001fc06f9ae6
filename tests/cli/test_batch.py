"""Batches: directories, lists, templates, what is done already, dry runs, several devices."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irncli.batch.console import Console, Record, Reporter
from irncli.batch.ledger import Ledger
from irncli.batch.messages import shown
from irncli.batch.plan import Destination, plan
from irncli.batch.tasks import Task
from irncli.batch.templates import fill
from irncli.errors import ImageError, UsageError
from irncli.io.inputs import Input, expand_inputs, listed
from irncli.operations.downscale import Downscale
from irncli.operations.forward import GUARD_COST, GUARD_COST_LOSSY
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken


@pytest.fixture
def model(tmp_path):
    """A checkpoint of a tiny network, scale 4."""
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="tiny")))
    return path


def write(path, seed=0, size=(24, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def tree(tmp_path):
    """Images at two depths, a hidden one, a text and an empty directory."""
    root = tmp_path / "tree"
    for n, name in enumerate(("a.png", "b.png", "deep/a.png", "deep/er/c.png", ".hidden.png")):
        write(root / name, n)
    write(root / ".git" / "d.png")
    (root / "notes.txt").write_text("no image")
    (root / "empty").mkdir()
    return root


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_trees_are_mirrored_without_what_is_hidden(irn, tree, model, tmp_path):
    out = tmp_path / "out"
    words = ("--model", model, "--scale", 4, "--output-dir", out, "-q")
    assert irn("downscale", tree, *words).status == 0
    assert names(out) == ["a_x4.png", "b_x4.png"]
    assert irn("downscale", tree, "--recursive", "--skip-existing", *words).status == 0
    assert names(out) == ["a_x4.png", "b_x4.png", "deep/a_x4.png", "deep/er/c_x4.png"]


def test_where_outputs_go_is_not_looked_for_inputs(irn, tree, model):
    words = (
        "downscale",
        tree,
        "-r",
        "--model",
        model,
        "--scale",
        4,
        "--output-dir",
        tree / "small",
    )
    assert irn(*words).status == 0
    assert irn(*words, "--overwrite").status == 0
    assert len(names(tree / "small")) == 4


def test_outputs_beside_their_inputs_are_no_inputs_the_next_time(irn, tree, model):
    words = ("downscale", tree, "--model", model, "--scale", 4)
    assert irn(*words).status == 0
    again = irn(*words, "--skip-existing")
    assert again.status == 0
    assert "2 images left out" in again.err
    assert not (tree / "a_x4_x4.png").exists()


def test_an_empty_directory_does_not_stop_the_others(irn, tree, model, tmp_path):
    result = irn(
        "downscale",
        tree / "empty",
        tree / "a.png",
        "--model",
        model,
        "--output-dir",
        tmp_path / "o",
    )
    assert result.status == 1
    assert "empty: no images in this directory" in result.err
    assert len(names(tmp_path / "o")) == 1


def test_a_file_whose_name_is_the_sign_of_a_stream(spawn, tmp_path, model):
    (tmp_path / "-").write_bytes(write(tmp_path / "one.png").read_bytes())
    words = ("downscale", "./-", "--model", model, "-o", "out.png", "--json")
    result = spawn(*words, stdin=b"no image", cwd=tmp_path)
    assert result.status == 0, result.err
    assert json.loads(result.out)["input"] == str(tmp_path / "-")


@pytest.mark.parametrize("end", [b"\n", b"\0"])
def test_lists_of_any_name(spawn, tmp_path, model, end):
    odd = [
        b"with space.png",
        b"quote'\".png",
        b"-dash.png",
        b"\xff\xfe.png",
        "\u00e9\u4e16.png".encode(),
    ]
    if end == b"\0":
        odd.append(b"new\nline.png")
    folder = os.fsencode(tmp_path / "odd")
    (tmp_path / "odd").mkdir()
    for name in odd:
        shutil.copy(write(tmp_path / "one.png"), folder + b"/" + name)
    listing = end.join(folder + b"/" + name for name in odd) + end
    out = tmp_path / "out"
    result = spawn(
        "downscale", "--files-from", "-", "--model", model, "--json", "--output-dir", out,
        stdin=listing,
    )  # fmt: skip
    assert result.status == 0, result.err
    made = set(os.listdir(os.fsencode(out)))
    assert made == {name.removesuffix(b".png") + b"_xtiny.png" for name in odd}
    assert len(result.out.splitlines()) == len(odd)
    inputs = [os.fsencode(json.loads(line)["input"]) for line in result.out.splitlines()]
    assert inputs == [folder + b"/" + name for name in odd]


def test_a_list_from_a_file_and_a_missing_one(irn, tree, model, tmp_path):
    listing = tmp_path / "list"
    listing.write_text(f"{tree / 'a.png'}\n\n{tree / 'gone.png'}\n")
    result = irn(
        "downscale", "--files-from", listing, "--model", model, "--output-dir", tmp_path / "o"
    )
    assert result.status == 1
    assert "gone.png: no such file" in result.err
    assert irn("downscale", "--files-from", tmp_path / "none", "--model", model).status == 66
    listing.write_text("\n")
    assert irn("downscale", "--files-from", listing, "--model", model).status == 66
    assert irn("downscale", "--model", model).status == 2
    assert listed(b"-\n") == [Path.cwd() / "-"]
    assert listed(b"\xef\xbb\xbfa b\r\nc\r\n") == listed(b"a b\nc\n") == [Path("a b"), Path("c")]
    assert listed(b"a\r\nb\n") == [Path("a\r"), Path("b")]
    assert listed(b"a\r") == [Path("a\r")]


def test_templates_name_the_outputs(irn, tree, model, tmp_path):
    out = str(tmp_path / "o") + "/{index:02d}-{stem}_{scale}{{}}{ext}"
    result = irn(
        "downscale", tree, "--model", model, "--scale", "2.5", "--format", "jpeg", "-o", out
    )
    assert result.status == 0
    assert names(tmp_path / "o") == ["01-a_2.5{}.jpg", "02-b_2.5{}.jpg"]
    back = str(tmp_path / "p") + "/{parent}/{name}.png"
    low = tmp_path / "o" / "01-a_2.5{}.jpg"
    model_again = ("--model", model, "--seed", 0)
    assert irn("upscale", low, *model_again, "-o", back).status == 0
    assert names(tmp_path / "p") == [str(low).removeprefix("/") + ".png"]


def test_a_file_that_is_named_twice_is_done_once(tree, monkeypatch):
    monkeypatch.chdir(tree)
    (tree / "link.png").symlink_to("a.png")
    names = ["a.png", "./a.png", str(tree / "a.png"), ".", "link.png", "-"]
    found = [str(each.path) for each in expand_inputs([Path(name) for name in names])]
    assert [name for name in found if name in names] == ["a.png", "link.png", "-"]


def test_all_outputs_that_would_be_written_twice_are_named(irn, tree, tmp_path):
    for name in ("a.jpg", "b.jpg", "b.png", "b.tif"):
        shutil.copy(tree / "a.png", tree / name)
    result = irn("downscale", tree, "--scale", 2, "--output-dir", tmp_path / "o")
    assert (result.status, len(result.lines)) == (2, 1)
    out = tmp_path / "o"
    assert f"{tree}/a.jpg and {tree}/a.png would both become {out}/a_x2.png; " in result.err
    assert f"{tree}/b.jpg, {tree}/b.png and {tree}/b.tif would all become" in result.err
    advice = result.err.partition("such as -o '")[2].partition("'")[0]
    template = tmp_path / advice
    assert irn("downscale", tree, "--scale", 2, "--dry-run", "-o", template).status == 0


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{nope}.png", "unknown field {nope}"),
        ("{stem.x}.png", "unknown field {stem.x}"),
        ("{stem!r}.png", "unknown field {stem}"),
        ("{stem", "written twice"),
        ("{stem:d}.png", "written twice"),
        ("{scale}.png", "is not known before a file is read"),
        ("{index}.gif", "irn writes"),
        ("same{ext}", "would both become"),
    ],
)
def test_templates_that_cannot_be(irn, tree, template, said):
    words = ("colorize", tree) if "scale" in template else ("downscale", tree, "--scale", 2)
    before = names(tree)
    result = irn(*words, "-o", template if said != "would both become" else tree / "same{ext}")
    assert result.status == 2
    assert said in result.lines[-1]
    assert len(result.lines) == 1
    assert names(tree) == before


def test_fill_takes_what_is_known():
    values = dict.fromkeys(("stem", "name", "ext", "scale", "model", "parent"), "x") | {"index": 7}
    assert fill(Path("{index:04d}{ext}"), values) == Path("0007x")


def test_a_picture_is_never_its_own_output():
    sources = [Input(Path("d/a.png"), Path())]
    with pytest.raises(UsageError, match="is an input"):
        plan(
            sources,
            Destination(output=Path("d/{stem}.png"), label=str, operation=Downscale(scale=2)),
        )


def test_links_of_directories_are_not_followed(tree):
    (tree / "loop").symlink_to(tree)
    assert len(expand_inputs([tree], recursive=True)) == 4


class TestSkipping:
    @pytest.fixture
    def words(self, tree, model, tmp_path):
        shutil.rmtree(tree / "empty")
        return ("downscale", tree, "--model", model, "--scale", 4, "--output-dir", tmp_path / "o",
                "--json", "--skip-existing")  # fmt: skip

    def skipped(self, outcome):
        return [json.loads(line).get("skipped", False) for line in outcome.out.splitlines()]

    def test_the_same_is_skipped_and_the_rest_is_done(self, irn, words, tmp_path):
        assert self.skipped(irn(*words)) == [False, False]
        (tmp_path / "o" / "b_x4.png").unlink()
        assert self.skipped(irn(*words)) == [True, False]

    @pytest.mark.parametrize("change", ["input", "options", "output"])
    def test_what_has_changed_is_not_taken_for_done(self, irn, words, tree, tmp_path, change):
        irn(*words)
        more = []
        if change == "input":
            write(tree / "a.png", seed=9)
        elif change == "options":
            more = ["--strip"]
        else:
            (tmp_path / "o" / "a_x4.png").write_bytes(b"mine")
        again = irn(*words, *more)
        assert again.status == 1
        assert "was not made from this file" in again.lines[0]
        replaced = irn(*words, *more, "--overwrite")
        assert replaced.status == 0
        assert self.skipped(replaced) == [False, change != "options"]

    def test_a_drawn_seed_makes_no_difference(self, irn, words, tmp_path):
        irn(*words)
        out = ("--output-dir", tmp_path / "p", "--json", "--skip-existing")
        back = ("upscale", tmp_path / "o", "--model", words[3], *out)
        assert self.skipped(irn(*back)) == [False, False]
        assert self.skipped(irn(*back)) == [True, True]
        assert irn(*back, "--seed", 3).status == 1

    def test_a_ledger_that_cannot_be_kept_is_no_error(self, tmp_path):
        (tmp_path / "file").write_text("")
        ledger = Ledger(tmp_path / "file" / "made.sqlite3")
        ledger.note(tmp_path / "file", "key")
        assert not ledger.has(tmp_path / "file", "key")
        (tmp_path / "bad").write_bytes(b"no database at all" * 99)
        ledger = Ledger(tmp_path / "bad")
        ledger.note(tmp_path / "file", "key")
        assert not ledger.has(tmp_path / "file", "key")


def test_the_ledger_forgets_what_is_gone_a_part_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("irncli.batch.ledger.LOOKED_AT", 4)
    (tmp_path / "unmounted").mkdir()
    outputs = [tmp_path / f"{n}.png" for n in range(10)] + [tmp_path / "unmounted" / "x.png"]
    ledger = Ledger(tmp_path / "state" / "made")
    for output in outputs:
        output.write_bytes(b"made")
        ledger.note(output, "key")
    ledger.close()
    for output in (*outputs[5:10], outputs[10]):
        output.unlink()
    outputs[10].parent.rmdir()

    def known():
        with closing(sqlite3.connect(tmp_path / "state" / "made")) as database:
            rows = database.execute("SELECT output FROM made ORDER BY output").fetchall()
        return [Path(os.fsdecode(row[0])).name for row in rows]

    left = []
    for _ in range(4):
        ledger.note(outputs[0], "key")
        ledger.close()
        left.append(known())
    kept = [*(f"{n}.png" for n in range(5)), "x.png"]
    # The first four names were looked at when all were there.
    assert left[0] == [*(f"{n}.png" for n in (0, 1, 2, 3, 4, 8, 9)), "x.png"]
    assert left[-1] == kept
    assert all(ledger.has(output, "key") for output in outputs[:5])


def test_seconds_are_those_of_the_work_on_a_file():
    task = Task(0, Path("a.png"), Path("b.png"), "png", Record("a.png"))
    task.attempt(lambda: time.sleep(0.02))
    time.sleep(0.2)
    task.attempt(lambda: time.sleep(0.02))
    assert 0.04 <= task.seconds < 0.2


def test_asking_the_ledger_makes_none(tmp_path):
    (tmp_path / "a.png").write_bytes(b"made")
    assert not Ledger(tmp_path / "state" / "made").has(tmp_path / "a.png", "key")
    assert not (tmp_path / "state").exists()


def test_a_dry_run_decides_as_the_run_does(irn, tree, model, tmp_path):
    words = ("downscale", tree, "-r", "--model", model, "--scale", 4, "--output-dir",
             tmp_path / "o", "--skip-existing", "--json")  # fmt: skip
    assert irn(*words).status == 0
    (tmp_path / "o" / "a_x4.png").write_bytes(b"of somebody else")
    (tmp_path / "o" / "b_x4.png").unlink()
    before = {path: path.read_bytes() for path in (tmp_path / "o").rglob("*.png")}
    dry = irn(*words, "--dry-run")
    assert {path: path.read_bytes() for path in (tmp_path / "o").rglob("*.png")} == before
    assert "already done: 2, about" in dry.lines[-2]
    wet = irn(*words)
    assert dry.status == wet.status == 1

    def decisions(outcome):
        records = [json.loads(line) for line in outcome.out.splitlines()]
        keys = ("input", "status", "error", "skipped")
        return [{key: record.get(key) for key in keys} for record in records]

    assert decisions(dry) == decisions(wet)
    assert [each["skipped"] for each in decisions(dry)] == [None, None, True, True]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_lines_about_files_give_the_sizes_before_and_after(irn, tree, model, tmp_path, dry):
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    down = ("downscale", tree / "a.png", "--model", model, "--scale", 4, "-o", small, "-v")
    assert f"{tree / 'a.png'} -> {small}: 24x20 to 6x5 by tiny" in irn(*down, *dry).err
    irn(*down, "--overwrite")
    up = irn("upscale", small, "--model", model, "-o", large, "-v", *dry)
    assert f"{small} -> {large}: 6x5 to 24x20 by tiny" in up.err


def test_a_dry_run_says_all_and_writes_nothing(irn, tree, model, tmp_path):
    before = names(tmp_path)
    words = (
        "downscale",
        tree,
        "-r",
        "--model",
        model,
        "--scale",
        4,
        "--output-dir",
        tmp_path / "o",
    )
    result = irn(*words, "--dry-run")
    assert result.status == 0
    assert names(tmp_path) == before
    assert not (tmp_path / "o").exists()
    assert (
        f"{tree / 'a.png'} -> {tmp_path / 'o' / 'a_x4.png'}: 24x20 to 6x5 by tiny, 1 tile,"
        in result.err
    )
    assert "4 files, about" in result.lines[-1]
    (tree / "b.png").write_bytes(b"no image")
    result = irn(*words, "--dry-run", "--json")
    assert result.status == 1
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["status"] for record in records] == [0, 65, 0, 0]
    assert records[0]["lr_size"] == [6, 5]
    assert set(records[0]["forecast"]) == {"tiles", "memory_bytes", "seconds"}


@pytest.mark.parametrize(
    ("more", "passes"),
    [
        (("--guard", "off"), 1),
        ((), 1 + GUARD_COST["rescale"]),
        (("--format", "jpeg"), 1 + GUARD_COST_LOSSY),
    ],
)
def test_the_estimated_time_includes_the_guard(irn, tree, model, monkeypatch, more, passes):
    monkeypatch.setattr("irncli.batch.dry_run.seconds_per_pixel", lambda *_, **__: 1.0)
    words = ("downscale", tree / "a.png", "--model", model, "--dry-run", "--json")
    record = json.loads(irn(*words, *more).out)
    assert record["forecast"]["seconds"] == pytest.approx(24 * 20 * passes, abs=0.01)


def test_several_devices_give_the_same_in_the_same_order(irn, tmp_path, model):
    for n in range(9):
        write(tmp_path / "in" / f"{n}.png", n, size=(16 + 40 * (n % 2), 20))
    (tmp_path / "in" / "4.png").write_bytes(b"damaged")
    said = []
    for device in ("cpu", "cpu,cpu,cpu"):
        result = irn(
            "downscale", tmp_path / "in", "--model", model, "--scale", 4, "--json",
            "--device", device, "--output-dir", tmp_path / device,
        )  # fmt: skip
        assert result.status == 1
        said.append([Path(json.loads(line)["input"]).stem for line in result.out.splitlines()])
    assert said[0] == said[1] == [str(n) for n in range(9)]
    one, three = (tmp_path / device for device in ("cpu", "cpu,cpu,cpu"))
    assert names(one) == names(three)
    for name in names(one):
        assert (one / name).read_bytes() == (three / name).read_bytes()


def test_records_are_told_in_order(capsys):
    reporter = Reporter(Console(json=True), 3)
    for index in (2, 0, 1):
        reporter.done(index, Record(str(index)), ImageError("no") if index == 1 else None)
    assert [json.loads(x)["input"] for x in capsys.readouterr().out.splitlines()] == ["0", "1", "2"]
    assert reporter.status() == 1


def test_names_are_shown_in_one_line():
    assert shown("a\nb\x1b[31m\udcff \u4e16") == "a\\nb\\x1b[31m\\udcff \u4e16"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_batch_ends_when_asked(tmp_path, model, number, status):
    for n in range(200):
        write(tmp_path / "in" / f"{n:03}.png", n, size=(300, 200))
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "irncli", "downscale", tmp_path / "in", "--model", model,
         "--scale", "4", "--guard", "off", "--output-dir", out],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(list(out.glob("[0-9]*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert "no incomplete file is left" in said
    assert len([line for line in said.splitlines() if " -> " not in line]) == 1
    made = os.listdir(out)
    assert 3 <= len(made) < 200
    for name in made:
        with Image.open(out / name) as image:
            image.load()


@pytest.mark.slow
def test_ctrl_c_does_not_wait_for_standard_input(tmp_path, model):
    # With two devices the other one waits for it, while the first has nothing to do any more.
    inputs = {"cpu": ["-"], "cpu,cpu": [write(tmp_path / "a.png"), "-"]}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "irncli", "downscale", *files, "--model", model, "--scale", "4",
             "--device", device, "-o", tmp_path / "{stem}_small{ext}"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for device, files in inputs.items()
    ]  # fmt: skip
    try:
        time.sleep(10)  # until both wait: nothing can be seen of that
        for process in processes:
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 130, process.args
    finally:
        for process in processes:
            process.kill()
            process.communicate()


class TestDirectoriesOfOriginalsAndSmallImages:
    @pytest.fixture
    def mixed(self, irn, photo, tmp_path, monkeypatch):
        """Two originals, a small image of each, and a gray one of the first."""
        monkeypatch.chdir(tmp_path)
        Path("re").mkdir()
        for name in "ab":
            Image.fromarray(photo[190:214, 150:174]).save(f"re/{name}.png")
        assert irn("downscale", "re", "--scale", 2).status == 0
        assert irn("decolor", "re/a.png").status == 0

    def test_what_is_not_for_the_command_is_left_out(self, irn, mixed):
        for command, made, said in (
            ("upscale", ["re/a_x2_restored.png", "re/b_x2_restored.png"],
             "irn: left out: 1 image for 'irn colorize' and 2 images without an irn tag"),
            ("colorize", ["re/a_gray_color.png"],
             "irn: left out: 2 images for 'irn upscale' and 4 images without an irn tag"),
        ):  # fmt: skip
            dry = irn(command, "re", "--temperature", 0, "--dry-run")
            assert dry.status == 0
            assert f"irn: {len(made)} file" in dry.err
            result = irn(command, "re", "--temperature", 0)
            assert result.status == 0, result.err
            assert [line.split(": ")[0].split(" -> ")[1] for line in result.done] == made
            assert said in result.lines
            assert said in dry.lines

    def test_what_is_left_out_may_have_the_output_of_another_input(self, irn, mixed):
        for name in ("re/a.jpg", "re/a.tif", "re/b_x2.tif"):
            Image.open("re/a.png").save(name)
        for more in ((), ("--skip-existing",)):
            result = irn("upscale", "re", "--temperature", 0, *more)
            assert result.status == 0, result.err
            assert (
                "irn: left out: 1 image for 'irn colorize' and 5 images without an irn tag"
            ) in result.lines
        Path("re/a_x2_restored.png").unlink()
        Path("re/b_x2.png").rename("kept.png")  # now no input is restored to the image that exists
        assert irn("upscale", "re", "--temperature", 0).status == 0
        Path("kept.png").rename("re/b_x2.png")
        result = irn("upscale", "re/b_x2.tif", "re/a.jpg", "re", "--temperature", 0)
        assert result.status == 2, "named files are not left out"
        assert "re/b_x2.tif and re/b_x2.png would both become re/b_x2_restored.png" in result.err
        assert "re/a" not in result.err

    def test_files_with_one_output_that_are_both_for_the_command_are_refused(self, irn, mixed):
        shutil.copy("re/b_x2.png", "re/b_x2.webp")
        Path("re/a_x2.jpg").write_bytes(b"no image")
        result = irn("upscale", "re", "--temperature", 0)
        assert result.status == 2
        assert "re/b_x2.png and re/b_x2.webp would both become" in result.err
        assert "re/a_x2.jpg and re/a_x2.png would both become" in result.err

    def test_there_is_no_record_of_what_is_left_out(self, irn, mixed):
        result = irn("upscale", "re", "--temperature", 0, "--json")
        inputs = [json.loads(line)["input"] for line in result.out.splitlines()]
        assert inputs == ["re/a_x2.png", "re/b_x2.png"]
        again = irn("upscale", "re", "--temperature", 0, "--json", "--skip-existing")
        assert [json.loads(line)["skipped"] for line in again.out.splitlines()] == [True, True]

    def test_what_is_named_is_an_error_as_before(self, irn, mixed, tmp_path):
        named = ("re/a.png", "re/a_x2.png")
        (tmp_path / "list").write_text("\n".join(named))
        for words in (named, ("--files-from", "list")):
            result = irn("upscale", *words, "--temperature", 0, "--overwrite")
            assert result.status == 1
            assert "re/a.png: no irn tag" in result.lines[0]
        assert irn("upscale", "re/a.png").status == 65

    def test_files_that_cannot_be_read_are_errors_as_before(self, irn, mixed):
        Path("re/b_x2.png").write_bytes(b"no image")
        result = irn("upscale", "re", "--temperature", 0)
        assert result.status == 1
        assert "re/b_x2.png" in result.err
        assert "irn: 1 of 5 failed" in result.lines

    def test_strict_takes_every_file_for_one_to_be_restored(self, irn, mixed):
        result = irn("upscale", "re", "--temperature", 0, "--strict")
        assert result.status == 1
        assert "re/a.png: no irn tag" in result.lines[0]

    def test_a_model_is_for_files_without_a_tag(self, irn, mixed):
        Path("re/a_gray.png").unlink()
        result = irn("upscale", "re", "--temperature", 0, "--model", "irn-x2")
        assert result.status == 0
        assert len(result.done) == 4

    @pytest.mark.parametrize("more", [(), ("--dry-run",), ("--json",)])
    def test_nothing_to_restore_is_an_error(self, irn, tree, more):
        shutil.rmtree(tree / "deep")
        for command, made in (("upscale", "downscale"), ("colorize", "decolor")):
            result = irn(command, tree, *more)
            assert result.status == 65
            assert result.out == b""
            assert (
                f"irn: nothing to restore: found 2 images without an irn tag, expected images "
                f"made by 'irn {made}'; if they were stripped of their tags, pass --model"
            ) in result.lines


def test_subdirectories_that_are_not_searched_are_mentioned(irn, tree, model):
    words = ("downscale", tree, "--model", model, "--guard", "off")
    said = "irn: not searched: 1 subdirectory with images; --recursive (-r) includes them"
    assert said in irn(*words, "--dry-run").lines
    assert said not in irn(*words, "--dry-run", "-r").lines
    assert said not in irn(*words, "--dry-run", "--output-dir", tree / "deep").lines
    (tree / "second").mkdir()
    shutil.copy(tree / "a.png", tree / "second")
    assert "irn: not searched: 2 subdirectories" in irn(*words, "--dry-run").err
    (tree / "a.png").unlink()
    (tree / "b.png").unlink()
    empty = irn(*words)
    assert empty.status == 66
    assert "no images in this directory" in empty.lines[0]
    assert "not searched: 2 subdirectories" in empty.lines[1]
