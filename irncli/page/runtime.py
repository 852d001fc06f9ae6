"""ONNX Runtime Web: the package of npm that the page runs its models with."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from irncli.errors import (
    DataError,
    ImageError,
    IrnError,
    OutputError,
    StorageError,
    UnavailableError,
)
from irncli.io.paths import atomic_write, make_directory, read_input

__all__ = ["FILES", "INTEGRITY", "NAME", "cache_folder", "licences", "package", "unpacked"]

VERSION = "1.30.0"
NAME = f"onnxruntime-web@{VERSION}"
"""The package, as npm names it."""

INTEGRITY = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZ"
    "ClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
"""Hash of the package, in the notation of package-lock.json."""

ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
"""Name that `npm pack` gives the package."""

WASM = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
WEBGPU = (
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
FILES = WASM + WEBGPU
"""Files of the package that the page loads. Those for WebGPU are loaded where there is a GPU."""

LICENCES = ("LICENSE", "ThirdPartyNotices.txt")

_LARGEST = 64 << 20
_SECONDS = 900


def cache_folder() -> Path:
    """Return the directory in which the package is kept."""
    return user_cache_path("irn") / "page"


def package(given: Path | None, cache: Path, say: Callable[[str], None]) -> bytes:
    """Return the bytes of the package, after comparing them with the known hash.

    Args:
        given: file that the user names; None: the copy in the cache, or else what npm fetches.
        cache: directory in which the package is kept.
        say: function that takes messages about what takes long.

    Raises:
        InputMissingError: the file that the user names does not exist.
        DataError: it is another file.
        UnavailableError: no file is named, and the package can be neither found nor fetched.
    """
    if given is not None:
        return _given(given)
    found = _cached(cache)
    if found is None:
        found = _fetched(say)
        try:
            make_directory(cache)
            atomic_write(cache / ARCHIVE, found, overwrite=True)
        except (OutputError, StorageError) as error:
            say(f"irn: warning: the package is not kept for the next page: {error}")
    return found


def _given(path: Path) -> bytes:
    """Return the package from the file that the user names.

    Raises:
        InputMissingError: it does not exist.
        StorageError: it cannot be read.
        DataError: it is another file.
    """
    try:
        data = read_input(path)
    except ImageError:  # a directory, a device or an empty file
        data = b""
    except IrnError as error:
        raise type(error)(f"{path}: {error}") from error
    if not _is_genuine(data):
        raise DataError(f"{path} is not {NAME}: expected the file that 'npm pack {NAME}' writes")
    return data


def _cached(cache: Path) -> bytes | None:
    """Return the package from the cache; None if it is not there or was damaged."""
    try:
        data = read_input(cache / ARCHIVE)
    except IrnError:
        return None
    return data if _is_genuine(data) else None


def _fetched(say: Callable[[str], None]) -> bytes:
    """Return the package from npm.

    Raises:
        UnavailableError: npm is not installed, or fails, or brings something else.
    """
    advice = f"run 'npm pack {NAME}' where that works and pass the file with --runtime FILE"
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError(
            f"the page needs {NAME}, and npm, which fetches it, is not installed: install npm, or "
            f"{advice}"
        )
    say(f"fetching {NAME} with npm (33 MB, kept for the next page)")
    with tempfile.TemporaryDirectory(prefix="irn-npm-") as folder:
        command = [npm, "pack", NAME, "--loglevel=error", "--ignore-scripts"]
        try:
            subprocess.run(
                [*command, "--pack-destination", folder], check=True, cwd=folder,
                stdin=subprocess.DEVNULL, timeout=_SECONDS, capture_output=True,
            )  # fmt: skip
            data = read_input(Path(folder) / ARCHIVE)
        except (OSError, subprocess.SubprocessError, IrnError) as error:
            raise UnavailableError(
                f"npm could not fetch {NAME}{_reason(error)}: {advice}"
            ) from error
    if not _is_genuine(data):
        raise UnavailableError(
            f"npm brought another file than {NAME} as it was published: {advice}"
        )
    return data


def _reason(error: Exception) -> str:
    """Return what npm said first about a failure, in brackets; "" if it said nothing."""
    said = getattr(error, "stderr", None) or b""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    return next((f" ({line[:200]})" for line in lines if line), "")


def _is_genuine(data: bytes) -> bool:
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    return f"sha512-{digest}" == INTEGRITY


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files of the package that the page loads; all others are left where they are.

    Raises:
        DataError: one is missing or larger than expected.
    """
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for name in FILES:
            try:
                member = archive.getmember(f"package/dist/{name}")
            except KeyError as error:
                raise DataError(f"{NAME} lacks {name}") from error
            content = archive.extractfile(member) if member.size <= _LARGEST else None
            if content is None:
                raise DataError(f"{name} of {NAME} is not a file of at most {_LARGEST} bytes")
            files[name] = content.read()
    return files


def licences() -> dict[str, bytes]:
    """Return the licence of ONNX Runtime and the notices of what it contains.

    The package of npm has neither; the Python package, which is of the same project, has both.

    Raises:
        UnavailableError: the Python package is not installed, or lacks them.
    """
    found = importlib.util.find_spec("onnxruntime")
    folders = (
        [] if found is None else [Path(each) for each in found.submodule_search_locations or ()]
    )
    for folder in folders:
        if all((folder / name).is_file() for name in LICENCES):
            return {name: (folder / name).read_bytes() for name in LICENCES}
    raise UnavailableError(
        "irn page needs onnxruntime with its licence files: pip install 'irncli[onnx]'"
    )
