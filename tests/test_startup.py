"""Starting up costs under 0.2 s of processor time, and what is not needed is not loaded."""

import os
import subprocess
import sys

import pytest
from PIL import Image

LIMIT_SECONDS = 0.2


def processor_seconds(arguments):
    command = [sys.executable, "-m", "irncli", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4 to measure a child")
@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_starts_at_once(argument):
    processor_seconds([argument])  # byte code is compiled once
    # Other work on the same core slows some runs, so the quickest of many counts.
    assert any(processor_seconds([argument]) < LIMIT_SECONDS for _ in range(24))


ALL_MODELS = """
import gc
import sys
from irncli.cli.app import run
from irncli.zoo.registry import default_registry
from irncli.zoo.model_dirs import shipped_folder

for path in shipped_folder().glob("*.safetensors"):
    default_registry().load(path.stem)
assert run(["downscale", sys.argv[1], "--scale", "2", "-o", sys.argv[2], "-q"]) == 0
assert run(["upscale", sys.argv[2], "-o", sys.argv[3], "-q"]) == 0
assert gc.isenabled() and gc.get_freeze_count()
print(*{"pydantic", "sympy", "torch._dynamo", "torch._inductor"} & set(sys.modules))
"""


def test_models_are_read_and_used_without_the_compilers_of_torch(tmp_path, noise):
    """They take two seconds to load, in each process, and pydantic 0.15."""
    path, small, back = (str(tmp_path / f"{name}.png") for name in ("a", "small", "back"))
    Image.fromarray(noise(24, 24)).save(path)
    command = [sys.executable, "-c", ALL_MODELS, path, small, back]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_idle_threads_sleep_unless_the_user_says_otherwise(given):
    code = (
        "import os, sys\nfrom irncli.__main__ import main\nsys.argv = ['irn', '--version']\n"
        "try:\n    main()\nfinally:\n    print(os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split()[-1] == (given or "PASSIVE")
