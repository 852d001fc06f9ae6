"""Entry point of the command line."""

from __future__ import annotations

import gc
import sys

# Importing only makes objects that stay: looking for garbage meanwhile is a quarter of the start.
gc.disable()
from irncli.cli.app import run  # noqa: E402

gc.freeze()
gc.enable()


def main() -> None:
    """Run `irn` with the arguments of this process and exit with its status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
