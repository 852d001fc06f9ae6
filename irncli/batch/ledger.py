"""A small database of the outputs that irn has made, in the state directory of the user.

The database lets `--skip-existing` distinguish an output that is up to date from one that was made
from another input, with other options, or by another program. It stores names and hashes, but no
images. Only `--skip-existing` needs the database, so failing to write to it is not an error.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

from platformdirs import user_state_path

from irncli.io.paths import real

__all__ = ["Ledger", "default_ledger"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS made (
    output BLOB PRIMARY KEY, key TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked_at (one INTEGER PRIMARY KEY, output BLOB NOT NULL);
"""
_PATIENCE_SECONDS = 5.0
LOOKED_AT = 500
"""Number of old entries that a run checks, to remove those whose files no longer exist."""


class Ledger:
    """The outputs of earlier runs, each with a key for its input and settings. Thread-safe.

    Args:
        path: path of the database; the file and its directory are created when they are needed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._noted = False

    def note(self, output: Path, key: str) -> None:
        """Record that the current file `output` was made from the input and settings of `key`."""
        with self._lock, contextlib.suppress(OSError, sqlite3.Error):
            state = output.stat()
            row = (_name(output), key, state.st_size, state.st_mtime_ns)
            with self._database() as database:
                database.execute("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)", row)
            self._noted = True

    def has(self, output: Path, key: str) -> bool:
        """Tell whether `output` was made from the input and settings of `key`, and is unchanged."""
        with self._lock, contextlib.suppress(OSError, sqlite3.Error):
            state = output.stat()
            if not self._path.exists():
                return False
            found = self._database().execute(
                "SELECT key, size, changed FROM made WHERE output = ?", (_name(output),)
            )
            return bool(found.fetchone() == (key, state.st_size, state.st_mtime_ns))
        return False

    def close(self) -> None:
        """Close the database; a run that added entries first removes some of missing files."""
        with self._lock:
            if self._noted:
                self._forget()
            if self._open is not None:
                self._open.close()
            self._open, self._noted = None, False

    def _forget(self) -> None:
        with contextlib.suppress(OSError, sqlite3.Error), self._database() as database:
            last = database.execute("SELECT output FROM looked_at").fetchone() or (b"",)
            rows = database.execute(
                "SELECT output FROM made WHERE output > ? ORDER BY output LIMIT ?",
                (*last, LOOKED_AT),
            ).fetchall()
            gone = [row for row in rows if _is_gone(Path(os.fsdecode(row[0])))]
            database.executemany("DELETE FROM made WHERE output = ?", gone)
            last = rows[-1] if len(rows) == LOOKED_AT else (b"",)
            database.execute("INSERT OR REPLACE INTO looked_at VALUES (0, ?)", last)

    def _database(self) -> sqlite3.Connection:
        if self._open is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open = sqlite3.connect(
                self._path, timeout=_PATIENCE_SECONDS, check_same_thread=False
            )
            self._open.executescript(_SCHEMA)
        return self._open


def _name(output: Path) -> bytes:
    """Return the name in the real path of its directory; a link with that name is not followed."""
    return os.fsencode(real(output.parent) / output.name)


def _is_gone(output: Path) -> bool:
    """Tell whether a file is missing from an existing directory; its drive may be unmounted."""
    return output.parent.is_dir() and not os.path.lexists(output)


def default_ledger() -> Ledger:
    """Return the ledger of the user."""
    return Ledger(user_state_path("irn", appauthor=False) / "made.sqlite3")
