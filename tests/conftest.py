"""What all tests share: the shared data beside the checkout, small images, quiet torch."""

from __future__ import annotations

import os
import signal
import tempfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.support.browser import Browser, BrowserError, find_browser
from tests.support.places import ROOT, SHARED
from tests.support.standing import standing_irn

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several workers with as many threads each as there are cores wait for each other.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"

# Jobs in the background have it ignored, and so would commands that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What the commands remember of their outputs is not the user's, whoever runs the tests.
_STATE = tempfile.TemporaryDirectory(prefix="irn-state-")
os.environ["XDG_STATE_HOME"] = _STATE.name

settings.register_profile(
    "irn",
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("irn")


SLOW = ROOT / "tests" / "support" / "slow.txt"
"""Test functions that take half a second or more, a line each: what `--fast` leaves out."""
SLOW_SECONDS = 0.5


def pytest_addoption(parser):
    parser.addoption(
        "--record-slow", action="store_true", help="Write tests/support/slow.txt anew."
    )


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--record-slow"):
        return
    reports = (each for kind in terminalreporter.stats.values() for each in kind)
    slow = {
        each.nodeid.partition("[")[0]
        for each in reports
        if getattr(each, "duration", 0) >= SLOW_SECONDS and each.when == "call"
    }
    SLOW.write_text("\n".join([*sorted(slow), ""]), encoding="utf-8")


def pytest_collection_modifyitems(items):
    slow = set(SLOW.read_text(encoding="utf-8").split())
    for item in items:
        if item.nodeid.partition("[")[0] in slow:
            item.add_marker("slow")
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason="the shared data are not beside the checkout"))
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device here"))


@pytest.fixture(scope="session")
def shared():
    """Folder of the shared data; use it in tests marked `shared`."""
    return SHARED


@pytest.fixture(scope="session")
def standing():
    """The text of an executable `irn` that need not load torch."""
    with standing_irn() as client:
        yield client


@pytest.fixture(scope="session")
def quick_irn(standing, tmp_path_factory):
    """An executable `irn` that need not load torch."""
    path = tmp_path_factory.mktemp("bin") / "irn"
    path.write_text(standing)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def photo():
    """The bundled photograph, uint8 [512, 768, 3]."""
    from irncli.io.image_file import decode

    return decode((ROOT / "irncli" / "demo" / "photo.png").read_bytes()).pixels


@pytest.fixture
def noise():
    """Random uint8 images of any size."""
    generator = np.random.default_rng(0)
    return lambda height, width: generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A real browser; without one the test is skipped."""
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium, or any Chrome")
    try:
        browser = Browser(program, tmp_path_factory.mktemp("profile"))
    except BrowserError as error:
        pytest.skip(f"{program} does not start: {error}")
    yield browser
    browser.close()
