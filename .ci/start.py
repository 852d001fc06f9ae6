"""Set up this checkout in `.venv` and run something in it.

    python3 .ci/start.py demo    a bundled photograph made small and brought back
    python3 .ci/start.py test    all checks: ruff, mypy, pytest
    python3 .ci/start.py test --fast    without the slow tests: two minutes, for every commit

Needs only Python (3.11 or newer) with venv and pip. For the tests it also installs chromium, where
there is no browser, on Debian and its kin as root. Where there is no NVIDIA GPU it installs the
CPU build of torch and stops if NVIDIA's packages would come along. For the tests it installs Triton
all the same, on Linux, because its interpreter runs the kernels on the CPU. Running it again is
quick.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CPU_INDEX = [
    *("--extra-index-url", "https://download.pytorch.org/whl/cpu"),
    *("--retries", "1", "--timeout", "10"),
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
"""What tests/support/browser.py looks for."""
APT_OPTIONS = ("-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20")
CHECKS = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
)
MYPY = ("mypy", ("mypy",))
"""Runs beside the tests, which wait for other processes often enough to leave it room."""
PYTEST = ("pytest", ("pytest", "-q", "-n", "2", "--dist", "worksteal"))


class SetupError(Exception):
    """Something that the person at the keyboard has to know, in one line."""


def main(arguments: list[str]) -> int:
    if arguments not in (["demo"], ["test"], ["test", "--fast"]):
        got = " ".join(arguments) or "nothing"
        print(f"usage: python3 .ci/start.py demo|test [--fast] (got: {got})")
        return 2
    mode = arguments[0]
    with ThreadPoolExecutor() as beside:
        browser = beside.submit(provide_browser) if arguments == ["test"] else None
        try:
            set_up(mode)
        except SetupError as error:
            print(f"start.py: {error}", file=sys.stderr)
            return 1
        if browser:
            browser.result()
    return demo() if mode == "demo" else test(fast="--fast" in arguments)


def set_up(mode: str) -> None:
    """Bring `.venv` to what the mode needs, unless it is there already."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- whoever starts this may have an older one
        version = ".".join(str(part) for part in sys.version_info[:3])
        raise SetupError(f"this is Python {version}, irn needs 3.11 or newer: start it with that")
    project = (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes()
    key = hashlib.sha256(project + str(ROOT).encode()).hexdigest()
    # What the tests need contains what the demo needs.
    sufficient = {"demo": ("demo", "test"), "test": ("test",)}[mode]
    if PYTHON.exists() and any(read(stamp(name)) == key for name in sufficient):
        return
    create_venv()
    gpu = has_nvidia_gpu()
    pip("--upgrade", "pip>=25.1", what="update pip in .venv")
    install_torch(gpu=gpu)
    # Editable in both modes, so that an edited checkout needs no second installation.
    group = ("--group", "dev") if mode == "test" else ()
    pip("--editable", ".", *group, what=f"install irn for '{mode}'")
    if not gpu:
        refuse_cuda(installed())
    stamp(mode).write_text(key, encoding="utf-8")


def create_venv() -> None:
    if PYTHON.exists() and run("-c", "import pip", output=subprocess.DEVNULL) == 0:
        return
    say(f"creating {VENV.name} with Python {sys.version.split()[0]}")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run(command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
        raise SetupError(
            f"could not create {VENV}: is venv installed (Debian, Ubuntu: "
            "apt install python3-venv) and the folder writable?"
        )


def install_torch(*, gpu: bool) -> None:
    if gpu:
        pip("torch>=2.9", what="install torch")
        return
    pin = "torch==2.13.0"
    for index in (CPU_INDEX, []):
        plan = planned(pin, *index)
        if plan is None:
            continue
        # A bare `pip install torch` on Linux brings gigabytes of CUDA: look before fetching them.
        refuse_cuda(plan)
        if run("-m", "pip", "install", "--no-input", pin, *index) == 0:
            return
    raise SetupError(f"could not install {pin}: see pip's message above; is the network reachable?")


def planned(*arguments: str) -> list[str] | None:
    """Names that pip would install; None where it finds no solution."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = ("--dry-run", "--no-input", "--quiet", "--report", str(report))
        if run("-m", "pip", "install", *options, *arguments) != 0 or not report.exists():
            return None
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [entry["metadata"]["name"] for entry in found]


def installed() -> list[str]:
    command = [str(PYTHON), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    result = subprocess.run(
        command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if result.returncode:
        raise SetupError(f"pip list failed in .venv ({result.stderr.strip()[-200:]})")
    return [entry["name"] for entry in json.loads(result.stdout)]


def refuse_cuda(names: list[str]) -> None:
    cuda = sorted(name for name in names if name.lower().startswith("nvidia"))
    if cuda:
        raise SetupError(
            f"no NVIDIA GPU here, but CUDA packages come with torch ({', '.join(cuda)}): "
            "remove .venv and try again where https://download.pytorch.org can be reached"
        )


def has_nvidia_gpu() -> bool:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    try:
        result = subprocess.run(
            [tool], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def demo() -> int:
    return run("-m", "irncli", "demo", "-o", "irn-demo.png", "--overwrite")


def provide_browser() -> None:
    """Have a browser for the tests of pages, which are skipped where there is none."""
    if any(map(shutil.which, BROWSERS)) or not shutil.which("apt-get") or not is_root():
        return
    say("no browser here: installing chromium")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ("update", "-qq"),
        ("install", "-y", "-qq", "--no-install-recommends", "chromium"),
    ):
        try:
            subprocess.run(
                ["apt-get", *APT_OPTIONS, *arguments],
                check=False,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=600,
            )
        except (OSError, subprocess.TimeoutExpired):
            break
    if not any(map(shutil.which, BROWSERS)):
        say("chromium could not be installed: tests that need a browser are skipped")


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def test(*, fast: bool) -> int:
    """Run all checks, even after one failed; the tests last.

    Args:
        fast: leave out the tests that are marked slow.
    """
    results = [check(*each) for each in CHECKS]
    name, arguments = PYTEST
    if fast:
        arguments = (*arguments, "-m", "not slow")
    with tempfile.TemporaryFile() as output, ThreadPoolExecutor() as beside:
        types = beside.submit(check, *MYPY, output)
        tests = check(name, arguments)
        results += [types.result(), tests]
        say(f"{MYPY[0]} said")
        output.seek(0)
        print(output.read().decode(errors="replace"), end="", flush=True)
    say("summary")
    for name, status, seconds in results:
        verdict = "passed" if status == 0 else f"FAILED (status {status})"
        print(f"{name:12} {verdict:20} {seconds:6.1f} s", flush=True)
    return 1 if any(status for _, status, _ in results) else 0


def check(
    name: str, arguments: tuple[str, ...], output: IO[bytes] | None = None
) -> tuple[str, int, float]:
    """Run a check; return its name, its status and its seconds."""
    say(f"{name}: {' '.join(arguments)}")
    start = time.monotonic()
    status = run("-m", *arguments, output=output)
    return name, status, time.monotonic() - start


def pip(*arguments: str, what: str) -> None:
    say(what)
    if run("-m", "pip", "install", "--no-input", *arguments) != 0:
        raise SetupError(f"could not {what}: see pip's message above")


def run(*arguments: str, output: IO[bytes] | int | None = None) -> int:
    """Run the environment's Python in the checkout, with nothing on standard input."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    # Modules are compiled when they are imported first: few of them are, and it halves the time.
    environment["PIP_NO_COMPILE"] = "1"
    return subprocess.run(
        [str(PYTHON), *arguments],
        check=False,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    ).returncode


def stamp(mode: str) -> Path:
    return VENV / f"irn-start-{mode}"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def say(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
