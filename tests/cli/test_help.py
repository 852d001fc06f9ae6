"""Help: complete, in groups, narrow enough, and quick."""

import re
import shlex
import subprocess
import sys

import pytest
import typer

from irncli.cli import app
from irncli.cli.help.groups import FILES, MACHINE, ORDER
from irncli.cli.help.model import STATUSES, describe
from irncli.cli.help.program import Program, text_of
from irncli.errors import ExitStatus
from tests.support.commands import COMMANDS, NAMES, options_of
from tests.support.refusals import refused


@pytest.fixture(params=COMMANDS, ids=NAMES)
def command(request):
    return request.param


def shown(irn, name, option="--help"):
    outcome = irn(*name.split()[1:], option)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out.decode()


def test_every_option_and_argument_is_explained_once(irn, command):
    name, itself, ctx = command
    text = shown(irn, name)
    groups = re.split(r"^\w[\w ]+:$", text, maxsplit=1, flags=re.MULTILINE)[1]
    for option in options_of(itself, ctx):
        rows = re.findall(rf"^ +(?:-\w, )?(?:--[\w-]+/)?{option}(?=[\s,/]|$)", groups, re.MULTILINE)
        assert len(rows) == 1, option
    for parameter in itself.get_params(ctx):
        assert parameter.help, parameter.name
        assert " ".join(parameter.help.split()) in " ".join(text.split())


def test_help_fits_80_columns(irn, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for line in shown(irn, command[0]).splitlines():
        assert len(line) < 80, line
        assert line == line.rstrip()


def test_both_names_of_help(irn, command):
    assert shown(irn, command[0], "-h") == shown(irn, command[0])


def test_a_command_with_groups_has_every_option_in_one(command):
    _, itself, ctx = command
    titles = [group.title for group in describe(itself, ctx).groups]
    assert len(titles) == len(set(titles))
    panels = {each.name: each.rich_help_panel for each in itself.params if not each.hidden}
    if any(panels.values()):
        outside = [name for name, panel in panels.items() if panel not in ORDER]
        assert not outside, f"give them a rich_help_panel: {outside}"


def test_paths_that_cannot_be_read_are_left_to_irn(command):
    """Where Typer looks first, its words and its status would stand in for irn's."""
    _, itself, _ = command
    for each in itself.params:
        if "Path" in str(each.type_descriptor.annotation):
            checks = each.type_descriptor.parameter_info
            assert not checks.readable, each.name
            assert not checks.exists, each.name


def test_pictures_have_the_four_groups(irn):
    text = shown(irn, "irn downscale")
    titles = re.findall(r"^(\w[\w ]+):$", text, re.MULTILINE)
    assert titles == ["Inputs and outputs", "Model and result", "Machine", "Messages", "Examples"]
    assert text.index("--tile") > text.index("Machine:")
    assert re.search(r"\[0 to 1000;\s+default:\s+0\]", text)


@pytest.mark.parametrize("listed", app.COMMANDS, ids=lambda listed: listed.name)
def test_the_list_of_commands_has_their_summaries(listed):
    """They are written down there, so that the list can be printed without importing commands."""
    command = listed.load()
    text = command.info.help if isinstance(command, Program) else command.__doc__
    assert text.partition("\n")[0] == listed.summary


def test_the_root_lists_commands_in_groups(irn):
    text = shown(irn, "irn")
    assert text.index("Images:") < text.index("  downscale") < text.index("Inspecting")
    assert text.index("Inspecting") < text.index("  info") < text.index("Models:")
    for status in ExitStatus:
        assert re.search(rf"^  {status:d} +{re.escape(STATUSES[status])}$", text, re.MULTILINE)


def example_lines():
    return [
        (name, line)
        for name, command, ctx in COMMANDS
        for line in describe(command, ctx).examples.splitlines()
        if not line.startswith("#")
    ]


def test_every_command_has_an_example():
    with_examples = {name for name, _ in example_lines()}
    without = [name for name in NAMES if name not in with_examples and name != "irn models"]
    assert not without, f"give their docstrings a block 'Examples:': {without}"


@pytest.mark.parametrize(("name", "line"), example_lines(), ids=lambda value: value)
def test_examples_are_what_the_command_takes(name, line):
    if "COMMAND" in line or line.startswith("mkdir"):
        pytest.skip("no command of irn")
    root = COMMANDS[0][1]
    calls = re.findall(r"\birn ([^|>)]*)", line)
    assert calls
    assert any(f"irn {call}".startswith(name) for call in calls)
    for call in calls:
        arguments = shlex.split(call)
        child = root.commands[arguments[0]]
        if arguments[0] == "models":
            child, arguments = child.commands[arguments[1]], arguments[1:]
        if "--help" not in arguments:
            child.make_context(arguments[0], arguments[1:])


def test_no_help_imports_what_is_heavy():
    code = (
        "import sys; from irncli.cli.app import run\n"
        f"for name in {NAMES!r}: assert run([*name.split()[1:], '--help']) == 0, name\n"
        "heavy = {'torch', 'numpy', 'PIL', 'rich.console', 'typer.rich_utils'}\n"
        "sys.exit(str(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip() == "set()"


def test_what_names_no_group_is_still_shown():
    program = Program(name="p")

    @program.command("one")
    def one(
        inside: bool = typer.Option(False, "--inside", help="Known.", rich_help_panel=FILES),
        other: bool = typer.Option(False, "--other", help="No group."),
        many: str = typer.Option(None, "--many", metavar="|".join("abcdefghijk"), help="Long."),
        new: int = typer.Option(3, "--new", help="New group.", min=1, rich_help_panel="Zebras"),
        secret: bool = typer.Option(False, "--secret", hidden=True, rich_help_panel=MACHINE),
    ) -> None:
        """First sentence, which is long enough to be wrapped at the width that is asked for.

        Second paragraph.
        """

    @program.command("two", hidden=True)
    def two() -> None:
        """Not shown."""

    group = typer.main.get_command(program)
    ctx = typer.Context(group, info_name="p", **group.context_settings)
    child = group.commands["one"]
    text = text_of(describe(child, typer.Context(child, parent=ctx, info_name="one")), 60)
    assert text == (
        "Usage: p one [OPTIONS]\n\n"
        "  First sentence, which is long enough to be wrapped at the\n"
        "  width that is asked for.\n\n"
        "  Second paragraph.\n\n"
        "Inputs and outputs:\n"
        "      --inside   Known.\n\n"
        "Options:\n"
        "      --other    No group.\n"
        "      --many a|b|c|d|e|f|g|h|i|j|k\n"
        "                 Long.\n"
        "  -h, --help     Show this message and exit.\n\n"
        "Zebras:\n"
        "      --new NEW  New group. [at least 1; default: 3]\n"
    )
    assert "two" not in text_of(describe(group, ctx), 60)


def test_a_wrong_option_says_where_help_is(irn):
    refused(
        irn("downscale", "a.png", "--sclae", 4), 2, "--sclae", "--scale", "irn downscale --help"
    )
    refused(
        irn("upscale", "a.png", "--seed", -1), 2, "'--seed': -1 should be greater than or equal"
    )
    refused(irn("downscale", "a.png", "--scale", "x\ny"), 2, "--scale x\\ny: expected a number")
    bits = "'--target-bpp': x\\ny should be a valid"
    refused(irn("compress", "a.png", "--target-bpp", "x\ny"), 2, bits)
    refused(irn("compress", "a.png", "--codec", "gif"), 2, "'gif' is not one of 'png', 'jpeg'")
    refused(irn("models", "frob"), 2, "No such command 'frob'; see 'irn models --help'")
    refused(irn("models", "lst"), 2, "No such command 'lst' (did you mean list?)")
    refused(irn("upscal", "a.png"), 2, "No such command 'upscal' (did you mean upscale?)")
    refused(irn("downscale", "a.png", "--sclae", 4), 2, "--sclae (did you mean --scale?)")
    refused(irn("upscale", "a.png", "--width", 4), 2, "No such option: --width; see 'irn")
    refused(irn("downscale", "a.png", "-Z"), 2, "No such option: -Z; see 'irn")


def test_a_group_alone_shows_its_help(irn):
    assert "Usage: irn models" in irn("models").err
