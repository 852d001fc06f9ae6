"""ONNX Runtime Web for the tests: from the cache of irn, or else from npm."""

import pytest

from irncli.errors import UnavailableError
from irncli.page.runtime import cache_folder, package


def require_runtime():
    """Skip the test where the package is neither here nor to be had."""
    try:
        package(None, cache_folder(), print)
    except UnavailableError as error:
        pytest.skip(str(error))
