"""Writing a folder completely or not at all, and replacing only what irn made."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from irncli.errors import OutputError, StorageError, UsageError
from irncli.io.paths import STREAM

__all__ = ["MARKER", "MARKER_KEY", "refuse_folder", "write_folder"]

MARKER = "models.json"
"""File by which a folder is recognised as a page of irn."""

MARKER_KEY = "irn_page"
"""Key of the JSON object in that file."""

_MEDIUM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def refuse_folder(folder: Path, overwrite: bool) -> None:
    """Check that a folder may be written: it is new or empty, or a page that may be replaced.

    Raises:
        UsageError: the name is that of standard output.
        OutputError: it exists and must not be replaced, or its parent does not exist.
    """
    if folder == STREAM:
        raise UsageError("a page is a folder and cannot go to standard output: name a folder")
    if not os.path.lexists(folder):
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise OutputError(f"no directory {parent}: create it or choose another folder")
    elif _is_empty(folder):
        return
    elif not overwrite:
        raise OutputError(f"{folder} exists already: pass --overwrite to replace it")
    elif not _is_page(folder):
        raise OutputError(
            f"{folder} is not a page that irn made, and only those are replaced: "
            "choose another folder"
        )


def _is_empty(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and not any(folder.iterdir())
    except OSError:
        return False


def _is_page(folder: Path) -> bool:
    if folder.is_symlink():
        return False
    try:
        marker = json.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and MARKER_KEY in marker


def write_folder(folder: Path, files: Mapping[str, bytes], *, overwrite: bool) -> None:
    """Write files into a hidden folder beside `folder`, and rename it when it is complete.

    Args:
        folder: folder to write.
        files: content of each file, by its path in the folder, with slashes.
        overwrite: replace a page that irn made.

    Raises:
        UsageError, OutputError: see `refuse_folder`; the folder cannot be created.
        StorageError: the disk is full or fails.
    """
    refuse_folder(folder, overwrite)
    token = secrets.token_hex(4)
    target = folder.absolute()
    partial, old = (target.with_name(f".{target.name[:40]}.irn-{token}.{kind}")
                    for kind in ("tmp", "old"))  # fmt: skip
    try:
        for name, data in files.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        refuse_folder(folder, overwrite)
        _exchange(partial, target, old)
    except OSError as error:
        if error.errno in _MEDIUM:
            raise StorageError(f"cannot write {folder}: {error.strerror}") from error
        raise OutputError(
            f"cannot create {folder}: {error.strerror}; choose another place"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _exchange(partial: Path, target: Path, old: Path) -> None:
    """Give the complete folder its name; if that fails, the old one keeps it."""
    replaced = os.path.lexists(target)
    if replaced:
        target.rename(old)
    try:
        partial.rename(target)
    except BaseException:
        if replaced:
            with contextlib.suppress(OSError):
                old.rename(target)
        raise
