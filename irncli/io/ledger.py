"""What irn has made: a small database in the state directory of the user.

It lets `--skip-existing` tell an output that is done from one of another input, of other options,
or of somebody else. It holds names and hashes, no pictures. Without it nothing but that is lost,
so a database that cannot be written is no error.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

from platformdirs import user_state_path

__all__ = ["Ledger", "default_ledger"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS made (
    output BLOB PRIMARY KEY, key TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL
) WITHOUT ROWID
"""
_PATIENCE_SECONDS = 5.0


class Ledger:
    """Outputs, each with the key of what it was made of. May be used by several threads.

    Args:
        path: of the database; made, with its directory, when first something is noted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def note(self, output: Path, key: str) -> None:
        """Remember that the file `output`, as it is now, was made of what `key` stands for."""
        with self._lock, contextlib.suppress(OSError, sqlite3.Error):
            state = output.stat()
            row = (_name(output), key, state.st_size, state.st_mtime_ns)
            with self._database() as database:
                database.execute("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)", row)

    def has(self, output: Path, key: str) -> bool:
        """Whether `output` was made of what `key` stands for, and has not been changed since."""
        with self._lock, contextlib.suppress(OSError, sqlite3.Error):
            state = output.stat()
            found = self._database().execute(
                "SELECT key, size, changed FROM made WHERE output = ?", (_name(output),)
            )
            return bool(found.fetchone() == (key, state.st_size, state.st_mtime_ns))
        return False

    def close(self) -> None:
        """Let go of the database."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open = sqlite3.connect(
                self._path, timeout=_PATIENCE_SECONDS, check_same_thread=False
            )
            self._open.execute(_SCHEMA)
        return self._open


def _name(output: Path) -> bytes:
    """By its directory's real name and its own, so that a link is not followed."""
    return os.fsencode(output.parent.resolve() / output.name)


def default_ledger() -> Ledger:
    """That of the user."""
    return Ledger(user_state_path("irn", appauthor=False) / "made.sqlite3")
