"""Manual pages: of all commands, current, and without fault."""

import re
import shutil
import subprocess

import pytest

from irncli.cli.help.manual import main, pages, roff
from irncli.cli.help.model import Page, Row
from irncli.errors import ExitStatus
from tests.support.commands import COMMANDS, NAMES, options_of
from tests.support.places import ROOT

MAN = ROOT / "man"
FILES = [f"{name.replace(' ', '-')}.1" for name in NAMES]
PLAIN = Page("irn x", "[OPTIONS]", "Do it.", (), (), "", (), (), "")


def read(name):
    return (MAN / name).read_text(encoding="utf-8")


def test_pages_are_current(tmp_path):
    (tmp_path / "irn-gone.1").write_text("a command that is no more")
    main(tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in MAN.iterdir()}
    assert made == kept, "run: python -m irncli.cli.help.manual man"
    assert sorted(kept) == sorted(FILES)


@pytest.mark.parametrize(("name", "command", "ctx"), COMMANDS, ids=NAMES)
def test_every_option_is_in_the_page(name, command, ctx):
    text = read(f"{name.replace(' ', '-')}.1")
    for option in options_of(command, ctx):
        escaped = option.replace("-", r"\-")
        assert re.search(rf"^\\fB.*{re.escape(escaped)}(\\fR|/)", text, re.MULTILINE), option


@pytest.mark.parametrize("file", FILES)
def test_every_page_has_its_sections(file):
    text = read(file)
    titles = re.findall(r"^\.SH (.*)$", text, re.MULTILINE)
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES"]
    assert [title for title in titles if title in wanted] == wanted
    assert titles[-1] == "SEE ALSO"
    for status in ExitStatus:
        assert re.search(rf"\\fB{status:d}\\fR", text), status
    for other in re.findall(r"^\.BR (\S+) \(1\)", text, re.MULTILINE):
        assert (MAN / f"{other.replace(chr(92), '')}.1").exists(), other


@pytest.mark.parametrize(
    "tool",
    [
        ("mandoc", "-Tlint", "-W", "warning"),
        ("groff", "-man", "-ww", "-z"),
        ("man", "--warnings", "-l"),
    ],
    ids=lambda tool: tool[0],
)
def test_tools_find_no_fault(tool):
    if shutil.which(tool[0]) is None:
        pytest.skip(f"no {tool[0]} here")
    for file in FILES:
        result = subprocess.run([*tool, MAN / file], capture_output=True, text=True)
        said = result.stderr + (result.stdout if tool[0] == "mandoc" else "")
        # A date would change pages that say what they said before.
        faults = [line for line in said.splitlines() if "missing date" not in line]
        assert not faults, faults


def test_man_shows_what_is_to_be_typed():
    if shutil.which("man") is None:
        pytest.skip("no man here")
    command = f"man -l {MAN}/irn-downscale.1 | col -b"
    text = subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout
    assert "cat photo.png | irn downscale - --scale 2 > small.png" in text
    assert "'irn upscale'" in text


def test_nothing_in_a_text_is_a_request():
    hostile = (Row("--x", ".so /etc/passwd"), Row("--y", r"a\fB'b'  ~^`\"-"), Row("--z", "'br"))
    page = Page(**{**PLAIN.__dict__, "statuses": (), "environment": hostile, "examples": ".de x\n"})
    text = roff(page, [page, PLAIN])
    assert r"\&.so /etc/passwd" in text
    assert r"\&.de x" in text
    assert "\\(aqbr" in text
    assert r"a\efB\(aqb\(aq" in text
    known = r"\.(TH|SH|SS|TP|PP|B|BR|EX|EE)( |$)"
    assert all(re.match(known, line) for line in text.splitlines() if line.startswith("."))
    assert not [line for line in text.splitlines() if line.startswith("'")]


def test_the_pages_are_those_of_help():
    assert [page.name for page in pages()] == NAMES
