"""One browser for the tests of pages."""

import pytest

from tests.support.browser import Browser, BrowserError, find_browser


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
