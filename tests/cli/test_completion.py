"""Completion in real shells, at terminals of their own."""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest
from test_startup import LIMIT_SECONDS

from irncli.cli.help import candidates

pty = pytest.importorskip("pty", reason="needs terminals of Unix")
SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """irn is a program that shells find; models are imported to a folder of the test."""
    program = tmp_path / "bin" / "irn"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m irncli "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/local/bin:/usr/bin:/bin")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "dumb")
    models = tmp_path / "xdg" / "irn" / "models"
    models.mkdir(parents=True)
    for name, architecture, card in (
        ("mine", {"kind": "invertible", "low_channels": 3}, {"summary": "mine"}),
        ("mint", {"kind": "invertible", "low_channels": 16}, {"summary": "colours"}),
        ("mijpeg", {"kind": "invertible", "low_channels": 3}, {"recipe": "{'jpeg_least': 25}"}),
        ("minor", {"kind": "crm"}, {"summary": "JPEG"}),
    ):
        metadata = {"architecture": json.dumps(architecture), "card": json.dumps(card)}
        header = json.dumps({"__metadata__": metadata}).encode()
        data = len(header).to_bytes(8, "little") + header
        (models / f"{name}.safetensors").write_bytes(data)
    (models / "midamaged.safetensors").write_bytes(b"damaged")
    (tmp_path / "holiday.png").write_bytes(b"")
    (tmp_path / "holidays of mine" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)


def needs(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")


class Terminal:
    """A shell that thinks that it speaks with a person."""

    def __init__(self, *command):
        import fcntl
        import termios

        self.file, other = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(other)

    def type(self, text):
        os.write(self.file, text.encode())

    def until(self, pattern, seconds=60):
        heard, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.file], [], [], 0.2)[0]:
                heard += os.read(self.file, 4096).decode(errors="replace")
            found = re.search(pattern, heard)
            if found:
                return found
        raise AssertionError(f"{pattern!r} did not come: {heard!r}")

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.file)


PREPARED = {
    "bash": (["bash", "--norc", "-i"], "source <(irn completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -D; source <(irn completion zsh)",
    ),
}


@pytest.fixture(params=sorted(PREPARED))
def terminal(request, on_path):
    needs(request.param)
    command, prepare = PREPARED[request.param]
    opened = Terminal(*command)
    opened.type(f"{prepare}; echo rea''dy\n")
    opened.until("ready")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("irn down", "irn downscale"),
        ("irn downscale --pres", "irn downscale --preserve-times"),
        ("irn downscale --model min", "irn downscale --model mine"),
        ("irn decolor --model mi", "irn decolor --model mint"),
        ("irn compress --model mi", "irn compress --model mijpeg"),
        ("irn models remove mid", "irn models remove midamaged"),
        ("irn upscale --device cu", "irn upscale --device cuda"),
        ("irn upscale --format we", "irn upscale --format webp"),
        ("irn train --preset irn-pl", "irn train --preset irn-plus-x4"),
        ("irn models ver", "irn models verify"),
        ("irn models info irn-co", "irn models info irn-color"),
        ("irn downscale holiday.", "irn downscale holiday.png"),
    ],
)
def test_a_line_is_completed(terminal, typed, line):
    # Whatever stands on the line after TAB is then echoed.
    terminal.type(f"{typed}\t")
    terminal.until(re.escape(line[-3:]))
    terminal.type("\x01echo heard: \n")
    terminal.until(rf"\nheard: {re.escape(line)}\s*\r")


@pytest.mark.parametrize("option", ["downscale --output-dir", "train --out", "eval --save"])
def test_only_directories_are_offered_where_one_is_wanted(terminal, option):
    terminal.type(f"irn {option} hol\t")
    terminal.until(r"mine")
    terminal.type("\x01echo heard: \n")
    terminal.until(r"\nheard: irn [^\r]* holidays of mine/\s*\r")


CANDIDATES = {
    "downscale": ["mijpeg", "mine"],
    "upscale": ["mijpeg", "mine"],
    "decolor": ["mint"],
    "colorize": ["mint"],
    "compress": ["mijpeg"],
    "eval": ["mijpeg", "mine", "mint"],
    "info": ["midamaged", "mijpeg", "mine", "minor", "mint"],
}


@pytest.mark.parametrize("command", CANDIDATES)
def test_only_models_that_fit_the_command_are_offered(on_path, command):
    words = "models info mi" if command == "info" else f"{command} --model mi"
    assert completed(f"irn {words}") == CANDIDATES[command]


def test_models_that_ship_are_offered_by_their_use(on_path):
    assert completed("irn decolor --model irn") == ["irn-color"]
    assert completed("irn compress --model irn") == ["irn-jpeg-x2"]
    assert completed("irn compress --model irn-x") == ["irn-x2", "irn-x3", "irn-x4"]
    assert "irn-color" not in completed("irn upscale --model irn")
    assert completed("irn eval --restorer ") == ["minor", "none"]


def test_directories_of_other_shells(on_path, tmp_path):
    assert candidates.directories("hol") == ["holidays of mine/"]
    assert candidates.directories("holidays of mine/") == ["holidays of mine/inner/"]
    assert candidates.directories("holiday.") == []
    assert candidates.directories("no/where") == []
    assert candidates.directories("~/hol") == ["~/holidays of mine/"]
    assert f"{tmp_path}/bin/" in candidates.directories(f"{tmp_path}/")


def completed(line):
    environment = {**os.environ, **asked("bash", line)}
    result = subprocess.run(
        [sys.executable, "-m", "irncli"], env=environment, capture_output=True, text=True
    )
    return result.stdout.split()


def test_fish(on_path):
    needs("fish")

    def offered(line):
        command = f"irn completion fish | source; complete -C '{line}'"
        result = subprocess.run(["fish", "--no-config", "-c", command], capture_output=True)
        return [each.split("\t")[0] for each in result.stdout.decode().splitlines()]

    assert offered("irn down") == ["downscale"]
    assert offered("irn downscale --model min") == ["mine"]
    assert offered("irn downscale --output-dir hol") == ["holidays of mine/"]
    assert "--preserve-times" in offered("irn downscale --pre")
    assert offered("irn downscale holi") == ["holiday.png"]


def asked(shell, line):
    words = line.split(" ")
    return {
        "_IRN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", ["irn d", "irn downscale --", "irn train --preset c"])
def test_completion_imports_nothing_heavy(shell, line):
    code = (
        "import sys; from irncli.cli.app import run\n"
        "try: run([])\n"
        "except SystemExit: pass\n"
        "sys.exit(str({'torch', 'numpy', 'PIL', 'rich.console', 'pydantic'} & set(sys.modules)))"
    )
    environment = {**os.environ, **asked(shell, line)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert result.stderr.decode().strip() == "set()"
    assert result.stdout.decode().strip()


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 to measure a child")
@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_quick(shell):
    environment = {**os.environ, **asked(shell, "irn downscale --model irn")}

    def seconds():
        command = [sys.executable, "-m", "irncli"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    # Other work on the same core slows some runs, so the quickest of many counts.
    assert any(seconds() < LIMIT_SECONDS for _ in range(24))


def test_other_shells_are_refused(irn):
    outcome = irn("completion", "tcsh")
    assert outcome.status == 2
    assert "tcsh" in outcome.err
