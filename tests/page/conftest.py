"""The modules of the page, in a real browser."""

import pytest

from tests.cli.conftest import irn
from tests.support.page_core import Core
from tests.support.pages import served
from tests.support.places import ROOT

__all__ = ["irn"]


@pytest.fixture(scope="module")
def core(browser):
    """Runs scripts that use the modules."""
    with served(ROOT / "irncli" / "page" / "site") as address:
        browser.visit(f"{address}/core/")
        yield Core(browser)
