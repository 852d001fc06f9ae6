"""Entry point of the command line."""

from __future__ import annotations

import gc
import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run `irn` with the arguments of this process and exit with its status."""
    # Importing only makes objects that stay: looking for garbage meanwhile is a quarter of the
    # start.
    gc.disable()
    try:
        from irncli.cli.app import run

        gc.freeze()
        gc.enable()
        status = run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        # Where an import was interrupted, Python would end by the signal instead of the status.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
