"""Values converted without pydantic are those that Typer makes of them."""

import pytest
import typer

from irncli.cli.app import COMMANDS, program
from irncli.cli.values import UNCERTAIN, converted

VALUES = [
    None, True, 0, 7, 2.5, "", "0", "7", "-3", "+7", " 7", "1_000", "007", "٣", "2.5", "-0.5",
    "1e3", "nan", "on", "png", "PNG", "fp16", "auto", "photo.png", "./a//b/", "-",
    "9" * 30, (), ("a.png", "b/"),
]  # fmt: skip


def parameters():
    group = typer.main.get_command(program([each.name for each in COMMANDS]))
    kinds = {}
    for command in group.commands.values():
        for found in getattr(command, "commands", {command.name: command}).values():
            for parameter in found.params:
                described = parameter.type_descriptor
                details = described.parameter_info
                kind = described.annotation, details.min, details.max, parameter.nargs
                kinds[str(kind)] = parameter
    return kinds


PARAMETERS = parameters()


@pytest.mark.parametrize("kind", PARAMETERS)
def test_quick_values_are_those_of_typer(kind):
    parameter = PARAMETERS[kind]
    for value in VALUES:
        quick = converted(parameter, value)
        if quick is not UNCERTAIN:
            usual = parameter.get_runtime_param().coerce(value, param=parameter, ctx=None)
            assert (type(quick), quick) == (type(usual), usual), value


def test_usual_values_are_quick():
    group = typer.main.get_command(program(["upscale"]))
    known = {each.name: each for each in group.commands["upscale"].params}
    given = {"inputs": ("a.png",), "output": "b.png", "quality": "90", "image_format": "png"}
    values = {name: given.get(name, known[name].default) for name in known}
    slow = [name for name in known if converted(known[name], values[name]) is UNCERTAIN]
    assert [name for name in slow if values[name] not in (True, False)] == []  # flags are bool
