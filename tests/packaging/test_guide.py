"""The guide is true: its commands run page by page, its errors are those of the program."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from irncli import errors
from irncli.errors import ExitStatus, IrnError
from irncli.zoo.registry import default_registry
from tests.support.blocks import blocks, shell_lines
from tests.support.page_runtime import require_runtime
from tests.support.pictures import size
from tests.support.places import ROOT
from tests.support.training import SMALL_RUN

GUIDE = ROOT / "docs" / "guide"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("*.md"))}
BRIEF = {
    "--minutes 60": f"--steps 2 {SMALL_RUN}",
    # The network is that of irn-x2, from which the run starts.
    "--minutes 20": f"--steps 1 {SMALL_RUN.replace('--set blocks=1 ', '')}",
    "--minutes 40": "--steps 2",
}
LEFT = {
    "start": {"back.png": (63, 50), "plain.png": (63, 50), "colours.png": (63, 50)},
    "archives": {"back/a_x2_restored.png": (96, 96)},
    "pipelines": {
        "restored.png": (63, 50),
        "small/a_x2.png": (48, 48),
        "out/a_x2.jpg": (48, 48),
        "numbered/0001.png": (48, 48),
    },
    "automation": {"small/a_x2.png": (48, 48)},
    "cluster": {"small/a_x2.png": (48, 48)},
    "compression": {"back.png": (63, 50), "whole.png": (63, 50)},
    "onnx": {"same.png": (63, 50)},
    "sharing": {"small.png": (32, 25)},
    "training": {"back.png": (63, 50)},
    "finetuning": {"back.png": (63, 50)},
    "errors": {"out/a_x2.png": (48, 48)},
    "troubleshooting": {"back.png": (63, 50)},
}
"""Images that the commands of a page leave."""
NEEDS = {"cluster": "ray", "onnx": "onnxruntime", "sharing": "onnxruntime"}
"""A package without which the commands of a page do not run."""
ERRORS = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in PAGES["errors"].splitlines()
    if re.match(r"\| \d", line)
]


def test_every_page_is_in_the_index_and_is_run():
    linked = set(re.findall(r"\]\((\w+)\.md\)", PAGES["README"]))
    assert linked == set(PAGES) - {"README"} == set(LEFT)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short(page):
    assert len(PAGES[page].splitlines()) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("page", LEFT)
def test_the_commands_run_as_they_stand(workplace, page, monkeypatch, short_folder):
    if page in NEEDS and importlib.util.find_spec(NEEDS[page]) is None:
        pytest.skip(f"{NEEDS[page]} is not installed")
    if page == "sharing":
        require_runtime()
    monkeypatch.setenv("RAY_TMPDIR", short_folder)
    lines = shell_lines(PAGES[page])
    assert lines
    for line in lines:
        workplace.run(line, BRIEF)
    for name, expected in LEFT[page].items():
        assert size(workplace.folder / name) == expected
    if page == "archives":
        (compared,) = (workplace.folder / "compared.jsonl").read_text().splitlines()
        named = {"psnr_rgb", "ssim_rgb", "largest_difference", "status", "error"}
        assert named <= set(json.loads(compared))


def restored_by(workplace, command):
    """What a program of the page about ONNX makes, and what irn makes, cropped to the same size."""
    for line in shell_lines(PAGES["onnx"]):
        workplace.run(line, {})
    result = subprocess.run(command, cwd=workplace.folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    expected = np.asarray(Image.open(workplace.folder / "same.png")).astype(int)
    height, width = expected.shape[:2]
    return np.asarray(Image.open(workplace.folder / "back.png"))[:height, :width], expected


@pytest.mark.slow
def test_the_python_program_for_onnx_restores_an_image(workplace):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    (program,) = blocks(PAGES["onnx"], "python")
    made, expected = restored_by(workplace, [sys.executable, "-c", program])
    assert np.abs(made - expected).max() <= 1
    assert (made == expected).mean() > 0.999


@pytest.mark.slow
def test_the_node_program_for_onnx_restores_an_image(workplace):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    modules = ROOT / "node_modules"
    if shutil.which("node") is None or not (modules / "onnxruntime-node").is_dir():
        pytest.skip("needs node, and `npm install onnxruntime-node sharp` in the checkout")
    (program,) = blocks(PAGES["onnx"], "js")
    (workplace.folder / "restore.mjs").write_text(program)
    (workplace.folder / "node_modules").symlink_to(modules)
    made, expected = restored_by(workplace, ["node", "restore.mjs"])
    assert np.abs(made - expected).max() <= 1
    assert (made == expected).mean() > 0.999


def test_all_statuses_and_errors_are_in_the_table():
    assert {int(row[0]) for row in ERRORS} == {int(status) for status in ExitStatus}
    kinds = {name for name in errors.__all__ if issubclass(getattr(errors, name), IrnError)}
    assert {row[1] for row in ERRORS if row[1]} == kinds - {"IrnError"}
    assert "`IrnError` is the base class of all" in PAGES["errors"]
    for status, kind, *_ in ERRORS:
        if kind:
            found = getattr(errors, kind)
            assert issubclass(found, IrnError)
            assert int(found.status) == int(status), kind
    # What has no command cannot be caused by one.
    without = {int(row[0]) for row in ERRORS if not row[3]}
    assert without - {int(row[0]) for row in ERRORS if row[3]} == {75, 130, 143}


@pytest.mark.slow
def test_what_the_table_of_errors_says_happens(workplace):
    for line in shell_lines(PAGES["errors"])[:2]:
        workplace.run(line, {})
    for status, _, meaning, command, said in ERRORS:
        if not command:
            continue
        result = subprocess.run(
            ["bash", "-c", command], cwd=workplace.folder, capture_output=True, text=True
        )
        assert result.returncode == int(status), (meaning, result.stderr)
        assert said in result.stderr, (meaning, result.stderr)
        assert "Traceback" not in result.stderr


def test_figures_are_those_of_the_weights_that_ship():
    registry = default_registry()
    for name, sha256 in re.findall(
        r"(irn-x\d) with(?: weights)? ([0-9a-f]{12})", PAGES["archives"]
    ):
        assert registry.load(name).weights_sha256.startswith(sha256), "measure the table again"


def test_options_that_are_named_exist():
    commands = ("downscale", "upscale", "compress", "compare", "train", "export", "page")
    commands += ("models import",)
    manual = "".join(
        (ROOT / "man" / f"irn-{name.replace(' ', '-')}.1").read_text() for name in commands
    ).replace("\\-", "-")
    for page, text in PAGES.items():
        for option in set(re.findall(r"`[^`\n]*?(--[a-z][a-z-]+)", text)) - {
            "--sclae",
            "--version",
            "--build-arg",  # of docker
        }:
            assert option in manual, (page, option)
