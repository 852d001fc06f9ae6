"""The examples of help and manual run as they stand, one after the other."""

import importlib.util

import pytest

from irncli.cli.help.model import describe
from tests.support.commands import COMMANDS
from tests.support.pictures import size
from tests.support.training import SMALL_RUN

BRIEF = {
    "IRN_x4.pth": "IRN_x4.safetensors",
    "--minutes 60": f"--steps 2 {SMALL_RUN}",
    "--minutes 90": f"--steps 3 {SMALL_RUN}",
}


ALONE = {
    *("irn train", "irn models", "irn export", "irn eval", "irn page"),
    *("irn demo", "irn doctor", "irn completion"),
}
"""Commands whose examples need nothing that those of others leave."""
CHAINS = {
    "pictures": lambda name: name not in ALONE,
    "models": lambda name: name in ("irn train", "irn models"),
    "others": lambda name: name in ALONE - {"irn train", "irn models"},
}
ELSEWHERE: tuple[str, ...] = ("#", "source <(irn completion zsh)", "irn demo", "irn page")
"""Comments; what zsh is told (tests/cli/test_completion.py); what takes long (test_demo); pages
(tests/page and docs/guide/sharing.md)."""
if importlib.util.find_spec("onnxruntime") is None:
    ELSEWHERE += ("irn export",)
LEFT = {
    "pictures": ["back.png", "colours.png", "small_restored.png", "photo_irn.jpg"],
    "models": ["recipe.toml", "runs/x2/best.safetensors"],
    "others": ["results.md", ".local/share/bash-completion/completions/irn"],
}


def lines_of(chain):
    for name, command, ctx in COMMANDS:
        # Those of irn itself are those of its commands.
        if " " in name and CHAINS[chain](" ".join(name.split()[:2])):
            lines = describe(command, ctx).examples.splitlines()
            yield from (each for each in lines if not each.startswith(ELSEWHERE))


@pytest.mark.slow
@pytest.mark.parametrize("chain", CHAINS)
def test_they_run(workplace, monkeypatch, chain):
    monkeypatch.setenv("HOME", str(workplace.folder))
    lines = list(lines_of(chain))
    assert len(lines) > 5
    for line in lines:
        workplace.run(line, BRIEF)
    for name in LEFT[chain]:
        path = workplace.folder / name
        assert path.stat().st_size > 0
        if path.name in ("back.png", "colours.png", "small_restored.png"):
            assert size(path) == (63, 50)
