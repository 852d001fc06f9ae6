"""The kernels, in processes of their own: interpreted on the CPU, compiled, and run on a GPU.

Whether Triton interprets kernels is decided when it is imported, for the whole process.
"""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from irncli.kernels.available import triton_version
from tests.support.places import ROOT

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def run(module, **environment):
    """Run the tests of a module that is not collected by itself."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    plugins = (
        "cacheprovider",
        "xdist",
        "hypothesispytest",
    )  # none is needed, and loading takes time
    options = ["-q", "--noconftest", "-o", "addopts=", *(f"-pno:{name}" for name in plugins)]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"tests/kernels/{module}.py"],
        cwd=ROOT,
        env=inherited | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


def interpreter_works():
    """Whether Triton's interpreter works with this numpy; before 3.9 it may not."""
    triton, numpy = (version.split(".")[:2] for version in (triton_version(), np.__version__))
    return [*map(int, triton)] >= [3, 9] or [*map(int, numpy)] < [2, 3]


@needs_triton
def test_laws_in_the_interpreter():
    if not interpreter_works():
        pytest.skip(f"the interpreter of Triton {triton_version()} needs numpy < 2.3")
    run("laws", TRITON_INTERPRET="1")


@needs_triton
def test_kernels_compile(tmp_path):
    run("compiling", TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path))


@needs_triton
@pytest.mark.gpu
def test_laws_on_the_gpu():
    run("laws", TRITON_INTERPRET="0")
