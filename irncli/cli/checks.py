"""The checks of `irn doctor`. Each check is independent and reports its own findings."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from irncli import __version__

if TYPE_CHECKING:
    from irncli.api import Model
    from irncli.pixels import Pixels

__all__ = ["Finding", "Verdict", "examine"]

Verdict = Literal["ok", "warn", "fail"]

GIB = 1 << 30
LITTLE_MEMORY = GIB
"""Free memory in bytes below which a warning is given; a photograph of 24 megapixels needs about
this much."""
STRIP = (slice(160, 224), slice(160, 480))
"""Rows and columns of the bundled photograph for the self-test, which make several of the smallest
tiles at x2."""
LEAST_PSNR = 30.0
"""Lowest PSNR in dB for the self-test to pass; 36 dB is usual."""
MOST_LOST = 0.1
"""Largest loss in PSNR, in dB, of another device compared with the CPU."""


@dataclass(frozen=True)
class Finding:
    """A finding of a check: `fail` is something broken, `warn` a possible problem."""

    verdict: Verdict
    check: str
    text: str


def examine(begun: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
    """Run all checks and yield their findings; an exception in a check is also a finding.

    Args:
        begun: called before each check with a text that says what is being done.
    """
    for name, check in CHECKS.items():
        begun(BEGUN.get(name, f"checking {name}"))
        try:
            for verdict, text in check():
                yield Finding(verdict, name, text)
        except ImportError as error:
            yield Finding("fail", name, f"not checked: {_reason(error)}")
        except Exception as error:
            yield Finding("fail", name, _reason(error))


Found = Iterator[tuple[Verdict, str]]


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _program() -> Found:
    system = f"{platform.system()} {platform.machine()}"
    yield "ok", f"irn {__version__}, Python {platform.python_version()}, {system}"


def _packages() -> Found:
    """Check the packages that irn requires."""
    names = [name for name, extra in _requirements() if extra is None]
    found = {name: _version(name) for name in names}
    missing = [name for name in names if found[name] is None]
    for name in missing:
        yield "fail", f"{name} is missing: pip install irncli"
    if not missing:
        yield "ok", ", ".join(f"{name} {number}" for name, number in found.items())


def _extras() -> Found:
    """Report the optional packages of irn."""
    pairs = [(extra, name) for name, extra in _requirements() if extra is not None]
    here = [f"{extra} ({name} {_version(name)})" for extra, name in pairs if _version(name)]
    missing = list(dict.fromkeys(extra for extra, name in pairs if not _version(name)))
    yield "ok", f"here: {', '.join(here) or 'none'}"
    if missing:
        every = ",".join(missing)
        yield "ok", f"not installed: {', '.join(missing)} (pip install 'irncli[{every}]')"


def _requirements() -> list[tuple[str, str | None]]:
    """Return the packages that irn depends on, each with the extra to which it belongs, if any."""
    try:
        lines = requires("irncli") or []
    except PackageNotFoundError:
        raise LookupError(
            "irn runs from a directory without being installed: pip install ."
        ) from None
    extras = (re.search(r"extra == ['\"]([\w-]+)['\"]", line) for line in lines)
    names = (re.match(r"[\w.-]+", line) for line in lines)
    return [
        (name[0], extra[1] if extra else None)
        for name, extra in zip(names, extras, strict=True)
        if name
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> Found:
    import torch

    from irncli.engine.device import cpu_name
    from irncli.wording import counted

    cores, threads = counted(os.cpu_count() or 1, "core"), torch.get_num_threads()
    yield "ok", f"{cpu_name()}, {cores}, {counted(threads, 'thread')}"


def _gpu() -> Found:
    yield from _devices()
    yield "ok", f"fused kernels: {_kernels()}"


def _kernels() -> str:
    from irncli.kernels.available import reason, triton_version

    found = reason()
    if found is not None:
        return f"no ({found})"
    return f"can run (Triton {triton_version()}), but no command uses them yet"


def _devices() -> Found:
    import torch

    if torch.backends.mps.is_available():
        yield "ok", "Apple GPU (mps)"
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        yield "ok", f"cuda:{index} {name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    if torch.cuda.device_count():
        return
    if shutil.which("nvidia-smi"):
        yield "warn", f"an NVIDIA driver is here, but torch {torch.__version__} sees no GPU"
    elif not torch.backends.mps.is_available():
        yield "ok", "none: irn runs on the CPU"


def _memory() -> Found:
    path = Path("/proc/meminfo")
    found = re.search(r"MemAvailable:\s+(\d+) kB", path.read_text()) if path.exists() else None
    if found is None:
        yield "ok", "not known on this system"
        return
    free = int(found[1]) * 1024
    yield ("warn" if free < LITTLE_MEMORY else "ok"), f"{free / GIB:.1f} GiB free"


def _data() -> Found:
    """Check the directory of imported models, which is only needed for importing."""
    from irncli.zoo.model_dirs import imported_folder

    folder = imported_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        yield "ok", f"{folder} can be written"
    else:
        yield "warn", f"{folder} cannot be written: 'irn models import' will not work"


def _models() -> Found:
    """Check that the tensors of every model fit, are finite, and have the recorded hash."""
    from irncli.errors import IrnError
    from irncli.zoo.checkpoint import read_checkpoint
    from irncli.zoo.registry import default_registry

    entries = default_registry().entries()
    if not any(entry.origin == "shipped" for entry in entries):
        yield "fail", "irn was installed without its weights: reinstall it"
    undamaged = []
    for entry in entries:
        try:
            read_checkpoint(entry.path)
        except IrnError as error:
            yield "fail", f"{entry.name} ({entry.origin}): {error}"
        else:
            undamaged.append(entry.name)
    if undamaged:
        yield "ok", f"undamaged: {', '.join(undamaged)}"


def _self_test() -> Found:
    """Downscale and restore an image, with and without tiles, on the CPU and the best device."""
    import numpy as np

    from irncli.api import load
    from irncli.engine.device import resolve_device
    from irncli.engine.metrics import luma, psnr
    from irncli.io.encoding import encode
    from irncli.io.image_file import decode
    from irncli.io.picture import Picture
    from irncli.zoo.registry import default_registry

    began = time.perf_counter()
    photograph = Path(__file__).parents[1] / "demo" / "photo.png"
    hr = decode(photograph.read_bytes()).pixels[STRIP]
    name = default_registry().for_scale(2)
    low, back = _down_and_up(load(name, "cpu", tile=0), hr)
    if not np.array_equal(decode(encode(Picture(low), image_format="png")).pixels, low):
        yield "fail", "an image changed when it was written to a file and read back"
    tiled = _down_and_up(load(name, "cpu", tile=64), hr)
    if not (np.array_equal(tiled[0], low) and np.array_equal(tiled[1], back)):
        yield "fail", "tiles change the result on this CPU: use --tile 0, and report this"
    quality = psnr(luma(hr), luma(back), 2)
    if not quality >= LEAST_PSNR:
        yield "fail", f"{name} gives {quality:.1f} dB, expected {LEAST_PSNR:g} dB or more"
    device = resolve_device("auto")
    if device.type != "cpu":
        there = psnr(luma(hr), luma(_down_and_up(load(name, str(device)), hr)[1]), 2)
        verdict: Verdict = "ok" if there >= quality - MOST_LOST else "fail"
        yield verdict, f"{name} on {device}: {there:.1f} dB, on the CPU {quality:.1f} dB"
    seconds = time.perf_counter() - began
    yield "ok", f"{name} down and up: {quality:.1f} dB, the same in tiles ({seconds:.1f} s)"


def _down_and_up(model: Model, hr: Pixels) -> tuple[Pixels, Pixels]:
    low: Pixels = model.downscale(hr)
    back: Pixels = model.upscale(low, seed=0)
    return low, back


CHECKS: dict[str, Callable[[], Found]] = {
    "program": _program,
    "packages": _packages,
    "extras": _extras,
    "CPU": _cpu,
    "GPU": _gpu,
    "memory": _memory,
    "data": _data,
    "models": _models,
    "self-test": _self_test,
}

BEGUN = {
    "CPU": "loading torch",
    "models": "reading the weights of all models",
    "self-test": "making an image small and restoring it",
}
"""What is being done in the checks that take long."""
