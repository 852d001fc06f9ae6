"""Nothing is lost when commands are killed, and deprived of disk and inputs."""

import json
import os
import shutil
from random import Random

import pytest
from fault_kinds import FileTooLarge, Killed
from faulting import Outcome, Scene, Work, audit
from faults import COLUMNS, PAGE, RESULT, page, rows, trials

TRIALS = int(os.environ.get("IRN_FAULT_TRIALS", "8"))
"""Each kind of fault once, each command twice; 200 take a quarter of an hour."""


@pytest.mark.slow
def test_faults_lose_nothing(tmp_path):
    done = 0
    wrong = []
    for record in trials(tmp_path, range(TRIALS), seed=0, pictures=6):
        done += "skipped" not in record
        wrong += [record] if record.get("wrong") else []
    assert not wrong, json.dumps(wrong, indent=1)
    assert done > TRIALS / 2


def test_the_page_is_that_of_the_record():
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    assert page(result) == PAGE.read_text(encoding="utf-8")
    assert len(result["records"]) >= 200


def test_a_row_for_what_cannot_be_provoked_has_all_its_columns():
    (row,) = rows([{"fault": Killed.kind, "command": "downscale", "skipped": "no reason"}])
    assert row.count("|") == len(COLUMNS) + 1
    assert row.endswith("| no reason |")


WORK = Work(
    name="downscale",
    words=("downscale",),
    inputs={"a.png": b"a", "b.png": b"b"},
    made={"a.png": "small-a.png", "b.png": "small-b.png"},
    outputs={"small-a.png": b"small a", "small-b.png": b"small b"},
)


@pytest.fixture
def scene(tmp_path):
    """After a run that did all: one output was there before, and was replaced."""
    folder = tmp_path / "trial"
    folder.mkdir()
    scene = Scene(folder, WORK, overwrite=True, earlier={"small-a.png": b"earlier"})
    scene.lay_inputs()
    for name, data in WORK.outputs.items():
        (scene.target / name).write_bytes(data)
    return scene


def found(scene, fault=FileTooLarge, status=0, statuses=(0, 0), lines=()):
    fault = fault(WORK, Random(0))
    fault.limit = 100
    records = {name: {"status": s} for name, s in zip(WORK.inputs, statuses, strict=False)}
    return audit(scene, Outcome(status, records, list(lines), 0, 0), fault)


def test_an_undisturbed_run_has_nothing_wrong(scene):
    assert found(scene).wrong() == []


def test_half_written_outputs_are_found(scene):
    (scene.target / "small-b.png").write_bytes(b"small")
    (scene.target / "small-a.png").write_bytes(b"small")
    assert len(found(scene).half) == 1
    assert len(found(scene).earlier) == 1


def test_lost_and_replaced_outputs_are_found(scene):
    scene.overwrite = False
    assert len(found(scene).earlier) == 1
    scene.overwrite = True
    (scene.target / "small-a.png").unlink()
    assert len(found(scene).earlier) == 1


def test_outputs_are_found_in_a_directory_that_was_moved(scene):
    scene.overwrite = False
    shutil.copytree(scene.target, scene.gone)
    (scene.gone / "small-a.png").write_bytes(b"earlier")
    assert found(scene).wrong() == []
    (scene.gone / "small-b.png").write_bytes(b"small")
    (scene.target / "small-b.png").write_bytes(b"small")
    assert len(found(scene).half) == 2
    (scene.gone / "small-a.png").unlink()
    assert len(found(scene).earlier) == 1


@pytest.mark.parametrize("change", ["bytes", "time"])
def test_changed_inputs_are_found(scene, change):
    path = scene.source / "a.png"
    before = path.stat()
    path.write_bytes(b"z" if change == "bytes" else b"a")
    if change == "bytes":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(found(scene).inputs) == 1


def test_temporary_files_are_found_and_allowed_only_after_a_kill(scene):
    (scene.target / ".small-a.png.irn-00ff00ff.tmp").write_bytes(b"s")
    assert len(found(scene).strays) == 1
    killed = found(scene, Killed, -9)
    assert killed.wrong() == []
    assert len(killed.partials) == 1
    (scene.target / "core").write_bytes(b"")
    assert len(found(scene, Killed, -9).strays) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"status": -15},
        {"status": 1},
        {"statuses": (0,)},
        {"status": 1, "statuses": (0, 74), "lines": ["irn: 1 of 2 failed"]},
        {"lines": ["Traceback (most recent call last):"]},
        {"lines": ["irn: what was that?"]},
    ],
    ids=str,
)
def test_statuses_and_lines_that_were_not_promised_are_found(scene, said):
    assert found(scene, **said).said
