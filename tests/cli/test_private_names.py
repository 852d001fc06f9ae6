"""Names of other packages that they do not promise to keep, each used in one module of ours."""

import re
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import pytest

from tests.support.places import ROOT

TRIED = {"typer": "0.29.2", "ray": "2.60.0"}
"""Versions with which they were tried."""
NAMES = {
    "irncli/cli/help/shells.py": [
        ("typer._click.shell_completion", "add_completion_class"),
        ("typer._completion_classes", "FishComplete"),
        ("typer._completion_classes", "ZshComplete"),
        ("typer._completion_classes", "completion_init"),
        ("typer._completion_shared", "get_completion_script"),
    ],
    "irncli/batch/cluster.py": [("ray._private.worker", "_worker_logs_enabled")],
}


@pytest.mark.parametrize(("module", "name"), [pair for pairs in NAMES.values() for pair in pairs])
def test_they_are_there(module, name):
    package = module.partition(".")[0]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    tried = f"{package} {TRIED[package]} had it, this is {version(package)}"
    assert hasattr(import_module(module), name), tried


def test_no_other_module_uses_any():
    private = re.compile(r"(?:from|import) ((?:typer|ray)\._[\w.]+)")
    found = {
        path.relative_to(ROOT).as_posix(): set(private.findall(path.read_text(encoding="utf-8")))
        for path in (ROOT / "irncli").rglob("*.py")
    }
    assert {path for path, modules in found.items() if modules} == set(NAMES)
