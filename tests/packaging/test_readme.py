"""The README is true: its commands run, and what it lists is there."""

import re
import shlex
import subprocess
import sys

import pytest

from irncli.errors import ExitStatus
from tests.support.pictures import size
from tests.support.places import ROOT
from tests.support.training import SMALL_RUN

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def shell_lines():
    return [line for kind, block in BLOCKS if kind == "sh" for line in block.strip().splitlines()]


def test_the_first_two_blocks_set_themselves_up():
    assert [block for _, block in BLOCKS[:2]] == [
        "python3 .ci/start.py demo\n",
        "python3 .ci/start.py test\n",
    ]
    assert (ROOT / ".ci" / "start.py").exists()
    assert "start.py test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.slow
def test_the_commands_run_as_they_stand(workplace):
    # the paper's file is not ours to ship, and an hour is long for a test
    brief = {
        "IRN_x4.pth": "IRN_x4.safetensors",
        "--minutes 60": f"--steps 2 {SMALL_RUN}",
    }
    ran = [line for line in shell_lines() if not line.startswith(("python3", "pip"))]
    for line in ran:
        workplace.run(line, brief)
    assert len(ran) >= 6
    for name in ("back.png", "restored.png", "colours.png", "whole.png"):
        assert size(workplace.folder / name) == (63, 50)
    assert (workplace.folder / "runs" / "x2" / "best.safetensors").exists()


def test_the_python_block_runs(photo):
    (code,) = [block for kind, block in BLOCKS if kind == "python"]
    names = {"image": photo[:24, :32]}
    exec(code, names)
    assert names["small"].shape == (6, 8, 3)
    assert names["back"].shape == (24, 32, 3)


def test_options_that_are_named_exist():
    text = "".join(
        subprocess.run(
            [sys.executable, "-m", "irncli", command, "--help"], capture_output=True, text=True
        ).stdout
        for command in ("downscale", "upscale", "compress", "train", "eval")
    )
    for option in set(re.findall(r"`(--[a-z-]+)", README)):
        assert option in text, option


def test_exit_statuses_are_those_of_the_program():
    sentence = README[README.index("Exit statuses:") :].split(". `--json`")[0]
    named = {int(number) for number in re.findall(r"\b\d+\b", sentence)}
    assert named == {int(status) for status in ExitStatus}


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / target).exists(), target


def test_commands_are_split_as_a_shell_does():
    assert all(shlex.split(line) for line in shell_lines())


@pytest.mark.parametrize(("name", "rows"), [("irn-x2", 3), ("irn-x4", 3), ("irn-color", 2)])
def test_the_table_is_that_of_the_cards(name, rows):
    from irncli.eval.report import markdown
    from irncli.zoo.registry import default_registry

    lines = markdown(name, default_registry().load(name).card.measured)
    assert len(lines) == rows
    for line in lines:
        assert line in README
