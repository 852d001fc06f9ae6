"""One progress bar with ETA for a whole batch, on a terminal only."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from irncli.batch.messages import shown

__all__ = ["Progress", "Stopped"]


class Stopped(Exception):  # noqa: N818 -- no error: asked for
    """The batch is to end: the work on this file is given up."""


class Progress:
    """A bar on standard error; silent where that is no terminal. For several threads.

    Args:
        quiet: show nothing.
        records: lines go to standard output meanwhile; where that is a terminal, too, they stand
            in for the bar, which they would tear.

    Attributes:
        stop: when set, files that are being worked on end at their next tile.
    """

    def __init__(self, *, quiet: bool = False, records: bool = False) -> None:
        self._bar: Any = None
        silent = quiet or (records and sys.stdout.isatty())
        self._shown = not silent and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.stop = threading.Event()

    @contextmanager
    def running(self, total: int) -> Iterator[None]:
        """Show the bar of a batch of so many files."""
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
        console = Console(stderr=True, soft_wrap=True)  # messages are not broken into lines
        # Only messages go above the bar: data are standard output's.
        with Bar(*columns, console=console, transient=True, redirect_stdout=False) as self._bar:
            self._task = self._bar.add_task("", total=total)
            yield
        self._bar = None

    def count(self, over: int) -> None:
        """So many files are over, whether there was work in them or not."""
        if self._bar is not None:
            self._bar.update(self._task, completed=max(over, self._bar.tasks[0].completed))

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[float], None]]:
        """Progress within one file: call what this gives with the shares that are done.

        Raises:
            Stopped: at such a call, after `stop` was set.
        """
        if self._bar is not None:
            self._bar.update(self._task, description=shown(name))

        def tick(share: float) -> None:
            if self.stop.is_set():
                raise Stopped
            if self._bar is not None:
                self._bar.update(self._task, advance=share)

        yield tick
