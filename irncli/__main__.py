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


def _occupy_closed_streams() -> None:
    """Keep files from getting the number of a standard stream that the caller has closed.

    Its place is taken by a null device opened the wrong way round, so that data to it or from it
    fail as they should; messages are dropped.
    """
    modes = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, mode) in enumerate(modes.items()):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, mode)
            os.dup2(null, number)
            if null != number:
                os.close(null)
            direction = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, direction, closefd=False))  # noqa: SIM115 -- stays


def main() -> None:
    """Run `irn` with the arguments of this process and exit with its status."""
    # Importing only makes objects that stay: looking for garbage meanwhile is a quarter of the
    # start.
    gc.disable()
    try:
        # Before the imports: they take a fifth of a second, and a signal may come in it.
        signal.signal(signal.SIGTERM, _terminate)
        _occupy_closed_streams()
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
