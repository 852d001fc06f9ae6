"""The examples of help and manual run as they stand, one after the other."""

import pytest
from commands import COMMANDS
from pictures import size

from irncli.cli.pages import describe

SMALL_RUN = "--set batch=1 --set crop=48 --set crop_end=48 --set precision=fp32"
BRIEF = {
    "IRN_x4.pth": "IRN_x4.safetensors",
    "--minutes 60": f"--steps 2 {SMALL_RUN}",
    "--minutes 90": f"--steps 3 {SMALL_RUN}",
}


def lines_of_all():
    for name, command, ctx in COMMANDS:
        # Those of irn itself are those of its commands.
        lines = describe(command, ctx).examples.splitlines() if " " in name else []
        # What zsh is told is tested in zsh: tests/cli/test_completion.py.
        yield from (each for each in lines if not each.startswith("#") and "zsh" not in each)


@pytest.mark.slow
def test_they_run(workplace, monkeypatch):
    monkeypatch.setenv("HOME", str(workplace.folder))
    lines = list(lines_of_all())
    for line in lines:
        workplace.run(line, BRIEF)
    folder = workplace.folder
    assert len(lines) > 25
    for name in ("back.png", "colours.png", "small_restored.png"):
        assert size(folder / name) == (63, 50)
    for name in ("results.md", "recipe.toml", "runs/x2/best.safetensors", "irn-demo.png"):
        assert (folder / name).stat().st_size > 0
    assert "irn" in (folder / ".local/share/bash-completion/completions/irn").read_text()
