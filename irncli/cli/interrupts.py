"""Signals that ask a long-running task to stop at the next safe point."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

from irncli.errors import ExitStatus

__all__ = ["Interrupts"]

_STATUSES = {
    signal.SIGINT: ExitStatus.INTERRUPTED,
    signal.SIGTERM: ExitStatus.TERMINATED,
}


class Interrupts:
    """A context in which the first Ctrl-C or SIGTERM only sets `status`; a second one ends at once.

    Attributes:
        status: exit status for the signal that was received; None if there was no signal.
    """

    def __init__(self) -> None:
        self.status: ExitStatus | None = None
        self._before: dict[signal.Signals, Any] = {}

    def asked(self) -> bool:
        """Tell whether a signal has asked the task to stop."""
        return self.status is not None

    def __enter__(self) -> Interrupts:
        for number in _STATUSES:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.asked():
            raise KeyboardInterrupt
        self.status = _STATUSES[signal.Signals(number)]
