"""docs/api.md is true: its examples run and are typed, and it names all that is public."""

import inspect
import re
import shutil
import subprocess
import sys
from types import FunctionType

import pytest

import irncli
from irncli import errors
from tests.support.blocks import blocks
from tests.support.pictures import values
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = blocks(PAGE, "python")
SECTIONS = dict(re.findall(r"^## `([\w.]+)`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
METHODS = {
    f"Model.{name}": value
    for name, value in vars(irncli.Model).items()
    if isinstance(value, FunctionType) and not name.startswith("_")
}
FUNCTIONS = {
    **{name: getattr(irncli, name) for name in irncli.__all__ if name.islower() and name[0] != "_"},
    **METHODS,
}
KINDS = {
    name
    for name in irncli.__all__
    if name.endswith("Error") and getattr(irncli, name) is not irncli.IrnError
}


def arguments_of(function):
    parameters = inspect.signature(function).parameters.values()
    return [
        (each.name, "" if each.default is each.empty else f"`{each.default!r}`")
        for each in parameters
        if each.name != "self"
    ]


def rows(section):
    """First and second column of a table, less its head."""
    cells = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return [(first.strip().strip("`"), second.strip()) for first, second in cells]


def test_all_public_names_are_there_and_have_a_section():
    for name in irncli.__all__:
        assert getattr(irncli, name) is not None
        assert f"`{name}`" in PAGE, name
    assert {*irncli.__all__, *METHODS} - {"__version__"} - KINDS == set(SECTIONS)
    named = set(re.findall(r"`(\w+)`", SECTIONS["IrnError"]))
    every = {name for name, kind in vars(errors).items() if name.endswith("Error")}
    assert KINDS | {"IrnError"} == every <= named | {"IrnError"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_and_defaults_are_those_of_the_program(name):
    assert rows(SECTIONS[name]) == arguments_of(FUNCTIONS[name])


def test_attributes_are_those_of_a_model():
    model = irncli.load("irn-color", device="cpu")
    properties = {name for name, value in vars(irncli.Model).items() if isinstance(value, property)}
    assert {name for name, _ in rows(SECTIONS["Model"])} == properties | set(vars(model))


@pytest.mark.parametrize("name", ["IrnError", "Model", *FUNCTIONS])
def test_every_public_name_has_a_docstring(name):
    thing = FUNCTIONS.get(name) or getattr(irncli, name)
    text = inspect.getdoc(thing)
    assert text
    for argument, _ in arguments_of(thing) if name in FUNCTIONS else ():
        assert re.search(rf"^    {argument}: ", text, re.MULTILINE), argument


@pytest.mark.slow
def test_the_examples_run_in_order(workplace, monkeypatch):
    monkeypatch.chdir(workplace.folder)
    names = {}
    for code in EXAMPLES:
        exec(code, names)
    assert len(EXAMPLES) > 5
    assert names["back"].size == (63, 50)
    line = "irn upscale small.png --seed 0 -o by-command.png && irn info gray.png"
    assert "irn-color" in workplace.run(line, {}).stdout
    assert (values(workplace.folder / "by-command.png") == names["restored"]).all()


@pytest.mark.slow
def test_the_examples_are_typed(tmp_path):
    mypy = shutil.which("mypy", path=f"{ROOT}/.venv/bin:{sys.prefix}/bin")
    if mypy is None:
        pytest.skip("no mypy here")
    code = "\n".join(EXAMPLES) + "\nreveal_type(back)\nreveal_type(restored)\nreveal_type(lows)\n"
    (tmp_path / "examples.py").write_text(code)
    # From the checkout, where the check of irncli itself left what it knows of torch.
    result = subprocess.run(
        [mypy, str(tmp_path / "examples.py")],
        cwd=ROOT,
        env={"MYPYPATH": ".", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    kinds = re.findall(r'Revealed type is "([^"]*)"', result.stdout)
    assert [re.split(r"[\[.]", kind)[0] for kind in kinds] == ["PIL", "numpy", "torch"], kinds
