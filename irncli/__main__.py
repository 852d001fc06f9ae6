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
    """Prevent files from getting the number of a standard stream that the caller has closed.

    Each closed stream is replaced by the null device. Standard input is opened for writing and
    standard output for reading, so that using them fails as it should; messages are dropped.
    """
    modes = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for number, (name, mode) in enumerate(modes.items()):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, mode)
            os.dup2(null, number)
            if null != number:
                os.close(null)
            direction = "r" if name == "stdin" else "w"
            setattr(sys, name, open(number, direction, closefd=False))  # noqa: SIM115 -- stays open


def main() -> None:
    """Run `irn` with the arguments of this process and exit with its status."""
    # Imports only create objects that stay alive, and collecting garbage meanwhile would take a
    # quarter of the startup time.
    gc.disable()
    # Idle threads of OpenMP would spin for milliseconds, which costs others their cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        # This precedes the imports, which take a fifth of a second in which a signal may arrive.
        signal.signal(signal.SIGTERM, _terminate)
        _occupy_closed_streams()
        from irncli.cli.app import run

        gc.freeze()
        gc.enable()
        status = run()
    except KeyboardInterrupt as error:
        status = TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    if status in (INTERRUPTED, TERMINATED):
        # After an interrupted import, Python would report the signal and not the exit status.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
