"""Writing a folder completely or not at all, and replacing only what irn made."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from irncli.errors import OutputError, UsageError
from irncli.io.paths import STREAM, write_error

__all__ = ["FILES_KEY", "MARKER", "MARKER_KEY", "refuse_folder", "write_folder"]

MARKER = "models.json"
"""File by which a folder is recognised as a page of irn."""

MARKER_KEY = "irn_page"
"""Key of the JSON object in that file."""

FILES_KEY = "files"
"""Key of the names of all files of the page; others in its folder are not irn's to delete."""


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
    elif folder.is_file():
        raise OutputError(f"{folder} is not a page but a file: choose another folder")
    elif _holds_shell(folder):
        raise OutputError(
            f"{folder} is the current directory or holds it, and would be replaced under the "
            "shell: name another folder, such as site"
        )
    elif _is_empty(folder):
        return
    elif not overwrite:
        raise OutputError(f"{folder} exists already: pass --overwrite to replace it")
    else:
        _refuse_foreign(folder)


def _refuse_foreign(folder: Path) -> None:
    """Check that a folder holds a page of irn and nothing else.

    Raises:
        OutputError: it is something else, or holds files that irn did not write.
    """
    written = _page_files(folder)
    if written is None:
        raise OutputError(
            f"{folder} is not a page that irn made, and only those are replaced: "
            "choose another folder"
        )
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    foreign = sorted({path.relative_to(folder).as_posix() for path in found} - written)
    if foreign:
        raise OutputError(
            f"{folder} holds files that irn page did not write, such as {foreign[0]}, and they "
            "would be deleted: move them away or choose another folder"
        )


def _holds_shell(folder: Path) -> bool:
    try:
        return Path.cwd().is_relative_to(folder.resolve())
    except OSError:
        return False


def _is_empty(folder: Path) -> bool:
    try:
        return not folder.is_symlink() and not any(folder.iterdir())
    except OSError:
        return False


def _page_files(folder: Path) -> set[str] | None:
    """Return the names of the files that irn wrote into a folder; None if it is no page of irn."""
    if folder.is_symlink():
        return None
    try:
        marker = json.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(marker, dict) or MARKER_KEY not in marker:
        return None
    names = marker.get(FILES_KEY)
    return set(map(str, names)) if isinstance(names, list) else set()


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
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _exchange(partial: Path, target: Path, old: Path) -> None:
    """Give the complete folder its name; if that fails or is interrupted, the old one keeps it."""
    try:
        if os.path.lexists(target):
            target.rename(old)
        partial.rename(target)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(target):
            with contextlib.suppress(OSError):
                old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
