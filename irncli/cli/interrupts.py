"""Signals that ask a long work to end at the next good moment."""

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
    """While the block runs, the first Ctrl-C or SIGTERM is only noted; a second one ends at once.

    Attributes:
        status: exit status of what was asked for, None so far.
    """

    def __init__(self) -> None:
        self.status: ExitStatus | None = None
        self._before: dict[signal.Signals, Any] = {}

    def asked(self) -> bool:
        """Whether the work is to end."""
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
