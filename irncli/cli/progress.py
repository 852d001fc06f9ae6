"""One progress bar with ETA for a whole batch, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

__all__ = ["Progress"]


def _ignore(share: float) -> None:
    """Show nothing."""


class Progress:
    """A bar on standard error; silent where that is no terminal.

    Args:
        total: files of the batch.
        quiet: show nothing.
    """

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self._bar: Any = None
        self._total = total
        self._shown = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Progress:
        if self._shown:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @contextmanager
    def file(self, name: str) -> Iterator[Callable[[float], None]]:
        """Progress within one file: call what this gives with the shares that are done."""
        if self._bar is None:
            yield _ignore
            return
        self._bar.update(self._task, description=name)
        yield lambda share: self._bar.update(self._task, advance=share)
