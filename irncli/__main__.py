"""Entry point of the command line."""

from __future__ import annotations

import sys

from irncli.cli.app import run


def main() -> None:
    """Run `irn` with the arguments of this process and exit with its status."""
    sys.exit(run())


if __name__ == "__main__":
    main()
