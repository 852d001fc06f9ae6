"""A progress bar with the remaining time of a batch, shown on terminals only."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from irncli.batch.messages import shown
from irncli.engine.ticks import Tick

__all__ = ["POLL_SECONDS", "Progress", "Stopped"]

POLL_SECONDS = 0.2
"""Interval at which waiting threads check the stop flag."""


class Stopped(Exception):  # noqa: N818 -- not an error: the user asked for it
    """Raised to abandon the work on a file when the batch is to stop."""


class Progress:
    """A progress bar on standard error, hidden unless that is a terminal. Thread-safe.

    Args:
        quiet: show nothing.
        records: records are printed to standard output; if that is a terminal as well, no bar is
            shown, since the records would break it up.

    Attributes:
        stop: event that makes the work on each file stop after its current tile.
    """

    def __init__(self, *, quiet: bool = False, records: bool = False) -> None:
        self._bar: Any = None
        silent = quiet or (records and sys.stdout.isatty())
        self._shown = not silent and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.stop = threading.Event()

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Show the progress bar for a batch of `total` files."""
        if not self._shown:
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        name = Column(no_wrap=True, max_width=24, overflow="ellipsis")
        columns = (
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True, soft_wrap=True)  # do not break messages into lines
        # Only messages are printed above the bar; data go to standard output unchanged.
        with Bar(*columns, console=console, transient=True, redirect_stdout=False) as self._bar:
            self._task = self._bar.add_task("", total=total)
            yield
        self._bar = None

    def count(self, over: int) -> None:
        """Set the number of files that are finished, including those that were skipped."""
        if self._bar is not None:
            self._bar.update(self._task, completed=max(over, self._bar.tasks[0].completed))

    @contextmanager
    def file(self, name: str) -> Iterator[Tick]:
        """Provide a function that reports progress within one file, as shares that were done.

        Raises:
            Stopped: the function was called after `stop` was set.
        """
        if self._bar is not None:
            self._bar.update(self._task, description=shown(name))

        def tick(share: float) -> None:
            if self.stop.is_set():
                raise Stopped
            if self._bar is not None:
                self._bar.update(self._task, advance=share)

        yield tick
