"""Entry point of the command line."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

from irncli.errors import Terminated

INTERRUPTED, TERMINATED = 130, 143


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise Terminated


def main() -> None:
    """Run `irn` with the arguments of this process and exit with its status."""
    # Importing only makes objects that stay: looking for garbage meanwhile is a quarter of the
    # start.
    gc.disable()
    try:
        # Before the imports: they take a fifth of a second, and a signal may come in it.
        signal.signal(signal.SIGTERM, _terminate)
        from irncli.cli.app import run

        gc.freeze()
        gc.enable()
        status = run()
    except KeyboardInterrupt as error:
        status = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    if status in (INTERRUPTED, TERMINATED):
        # Where an import was interrupted, Python would end by the signal instead of the status.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
