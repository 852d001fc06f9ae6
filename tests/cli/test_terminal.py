"""What a terminal sees, and what pipes get: real processes, at a terminal of their own."""

import json
import os
import re
import select
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image

from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken

pty = pytest.importorskip("pty", reason="needs terminals of Unix")

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*\b(3[0-8]|4[0-8]|9[0-7])[0-9;]*m")
LONG = "an image with a name that is much longer than what a bar can hold"


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Words that make three images small by a tiny network; the last is none."""
    folder = tmp_path_factory.mktemp("terminal")
    model = folder / "tiny.safetensors"
    model.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="tiny")))
    (folder / "in").mkdir()
    values = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for name in ("a", LONG):
        Image.fromarray(values).save(folder / "in" / f"{name}.png")
    (folder / "in" / "b.png").write_bytes(b"no image")
    return ["downscale", folder / "in", "--model", model, "--scale", "4", "--overwrite",
            "--guard", "off", "--output-dir", folder / "out"]  # fmt: skip


@pytest.fixture
def at_terminal(quick_irn):
    return partial(run_at_terminal, quick_irn)


def run_at_terminal(irn, *words, out=False, err=True, **environment):
    """Status, standard output and standard error; those that are at a terminal come together."""
    import fcntl
    import struct
    import termios

    file, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [irn, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=other if out else subprocess.PIPE,
        stderr=other if err else subprocess.PIPE,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", **environment},
    )
    os.close(other)
    seen = bytearray()
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if select.select([file], [], [], 0.2)[0]:
            try:
                seen += os.read(file, 65536)
            except OSError:  # all have closed it
                break
    os.close(file)
    piped = [text.decode() if text else "" for text in process.communicate()]
    return process.returncode, seen.decode(), *piped


def test_a_terminal_sees_one_bar_with_what_is_left(at_terminal, batch):
    status, seen, out, _ = at_terminal(*batch)
    assert status == 1
    assert ESCAPE in seen
    assert re.search(r"\d+%", seen)
    assert re.search(r"\d:\d\d", seen)
    assert "1 of 3 failed" in seen
    assert out == ""
    # Messages are whole lines above the bar, not broken at the width of the terminal.
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", "\n")
    assert any(line.endswith("not an image: give an image file") or "b.png: " in line
               for line in plain.splitlines())  # fmt: skip
    assert any(re.fullmatch(r".*/in/a\.png -> .*/out/a_x4\.png: 400x300 to 100x75 by tiny, "
                            r"[\d,]+ bytes *", line) for line in plain.splitlines())  # fmt: skip
    assert re.search(r"^2 images: [\d,]+ to [\d,]+ bytes", plain, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "environment"),
    [([], {"TERM": "dumb"}), (["--quiet"], {}), (["--dry-run"], {})],
    ids=["dumb", "quiet", "dry run"],
)
def test_no_bar(at_terminal, batch, words, environment):
    _, seen, _, _ = at_terminal(*batch, *words, **environment)
    assert ESCAPE not in seen
    assert "b.png: " in seen


def test_no_color_is_obeyed(at_terminal, batch):
    assert COLOUR.search(at_terminal(*batch)[1])
    _, seen, _, _ = at_terminal(*batch, NO_COLOR="1")
    assert not COLOUR.search(seen)
    assert "100%" in seen or "%" in seen


@pytest.mark.parametrize(
    "words",
    [
        "downscale $IN --model $MODEL -o -",
        "downscale - --model $MODEL",
        "upscale $IN --model $MODEL -o - --seed 1",
        "decolor $IN -o -",
        "colorize $IN -o -",
        "compress $IN -o -",
        "compare $IN $IN -o -",
        "eval $IN --model $MODEL --plot -",
        "demo -o -",
    ],
)
def test_a_terminal_gets_no_image(at_terminal, batch, words):
    pytest.importorskip("matplotlib") if "--plot" in words else None
    places = {"$IN": batch[1] / "a.png", "$MODEL": batch[3]}
    status, seen, *_ = at_terminal(*(places.get(word, word) for word in words.split()), out=True)
    assert status == 2
    assert "standard output is a terminal: " in seen
    assert len(seen.splitlines()) == 1


def test_a_forecast_and_a_page_may_be_shown_at_a_terminal(at_terminal, batch):
    image, model = batch[1] / "a.png", batch[3]
    words = ["downscale", image, "--model", model, "-o", "-", "--dry-run"]
    assert at_terminal(*words, out=True)[0] == 0
    assert at_terminal("compare", image, image, "-o", "-", "--format", "html", out=True)[0] == 0


def test_the_doctor_says_what_it_is_doing(at_terminal):
    _, seen, *_ = at_terminal("doctor", out=True)
    assert "loading torch ..." in seen
    assert "making an image small and restoring it ..." in seen
    plain = re.sub(r"[^\r\n]*\r\x1b\[K", "", seen)
    assert "..." not in plain
    assert "ok    self-test" in plain
    _, seen, *_ = at_terminal("doctor", out=True, TERM="dumb")
    assert ESCAPE not in seen
    assert "..." not in seen


def test_records_at_a_terminal_are_lines(at_terminal, batch):
    status, seen, _, _ = at_terminal(*batch, "--json", out=True)
    assert status == 1
    assert ESCAPE not in seen
    records = [json.loads(line) for line in seen.splitlines() if line.startswith("{")]
    assert [record["status"] for record in records] == [0, 0, 65]


def test_a_log_gets_no_escape_codes_though_data_go_to_a_terminal(at_terminal, batch):
    _, seen, _, err = at_terminal(*batch, "--json", out=True, err=False)
    assert ESCAPE not in err
    assert len(err.splitlines()) == 3  # a failure, a model that is not installed, the sum
    assert len(seen.splitlines()) == 3


@pytest.mark.parametrize(
    "line",
    [
        "$IRN info $IN/a.png $IN/a.png --json | head -c 1",
        "$IRN downscale - --model $MODEL --guard off < $IN/a.png | head -c 10",
        "$QUICK downscale $IN/a.png $IN/b.png --model $MODEL --guard off --overwrite "
        "--output-dir $OUT --json | true",
        "$IRN --help | true",
        "$QUICK models list | head -c 1",
    ],
)
def test_a_broken_pipe_ends_quietly(batch, quick_irn, line):
    places = {
        "IRN": f"{sys.executable} -m irncli",
        "QUICK": str(quick_irn),
        "IN": str(batch[1]),
        "MODEL": str(batch[3]),
        "OUT": str(batch[-1]),
    }
    result = subprocess.run(["bash", "-c", line], capture_output=True, env={**os.environ, **places})
    for noise in (b"Traceback", b"Broken", b"Exception"):
        assert noise not in result.stderr


@pytest.mark.parametrize(
    ("redirect", "status", "said"),
    [
        ("<&-", 66, b"standard input: Bad file descriptor"),
        (">&-", 74, b"Bad file descriptor"),
        ("2>&-", 0, b""),
        ("<&- >&- 2>&-", 66, b""),
        (">/dev/full", 74, b"No space left on device"),
        ("--json -o {out}/c.png --overwrite >/dev/full", 74, b"No space left on device"),
    ],
)
def test_streams_that_are_closed_or_full(batch, quick_irn, redirect, status, said):
    # Only a new process can begin without a stream.
    irn = f"{sys.executable} -m irncli" if "&-" in redirect else quick_irn
    line = f"{irn} downscale - --model {batch[3]} --guard off < {batch[1]}/a.png "
    line += redirect.format(out=batch[1])
    result = subprocess.run(["bash", "-c", line], capture_output=True)
    assert result.returncode == status, result.stderr
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == bool(said)
    assert bool(result.stdout) == (not status)
