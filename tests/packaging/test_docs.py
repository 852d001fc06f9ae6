"""The documents are true: their commands run, their links lead somewhere."""

import re

import pytest

from irncli.train.presets import PRESETS
from irncli.train.sections import SECTIONS
from tests.support.blocks import shell_lines
from tests.support.places import ROOT
from tests.support.training import SMALL_RUN

TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_commands_of_the_guide_to_training_run(workplace):
    brief = {
        "--minutes 60": f"--steps 2 {SMALL_RUN}",
        "--minutes 90": f"--steps 3 {SMALL_RUN}",
        "--set batch=4 --set optimiser.steps=2000": f"--set optimiser.steps=1 {SMALL_RUN}",
    }
    lines = shell_lines(TRAINING)
    said = [workplace.run(line, brief).stderr for line in lines]
    assert len(lines) == 7
    assert any("continuing runs/x2 at step 2" in text for text in said)
    assert (workplace.folder / "runs" / "mine" / "best.safetensors").exists()


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#h][^)#]*)", text):
        assert (page.parent / target).exists(), target


def test_presets_and_fields_that_are_named_exist():
    fields = {name for section in SECTIONS.values() for name in section.__dataclass_fields__}
    named = set(re.findall(r"--set (?:[a-z]+\.)?([a-z_0-9]+)=", TRAINING))
    assert {"vgg19", "recompute"} <= named <= fields
    for name in re.findall(r"`(irn-[a-z0-9-]+|crm-[a-z0-9]+)`", TRAINING):
        assert name in PRESETS, name
