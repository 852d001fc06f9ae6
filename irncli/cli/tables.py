"""Layout of printed tables, which fit the terminal. This module imports nothing of irn."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

__all__ = ["entry", "listing", "terminal_width"]

MAX_NAME = 24
"""Largest width of the first column of a list; a longer name is put on a line by itself."""
LEAST_TEXT = 24
"""Smallest width of a column of text, even if it does not fit the terminal."""


def terminal_width() -> int:
    """Return the width of the terminal or that of COLUMNS; 80 if there is neither."""
    return shutil.get_terminal_size().columns


def entry(name: str, text: str, column: int, width: int) -> str:
    """Return a name and a text beside it, wrapped into lines that are aligned below each other.

    Args:
        name: name at the left; if it is wider than the column, the text starts on the next line.
        text: text of any length.
        column: position of the text in characters.
        width: width of the lines in characters.
    """
    room = max(width - column, LEAST_TEXT)
    lines = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    below = [" " * column + line for line in lines]
    if len(name) < column:
        below[0] = name.ljust(column) + lines[0]
    else:
        below.insert(0, name)
    return "\n".join(line.rstrip() for line in below)


def listing(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table whose last column is wrapped.

    Args:
        rows: cells of the rows, the header first. The first column and the last are aligned at the
            left, and the columns between them are as wide as their cells.
        width: width of the lines in characters.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[0] = min(widths[0], MAX_NAME)
    column = sum(each + 2 for each in widths[:-1])
    lines = []
    for name, *cells, text in rows:
        middle = "  ".join(c.ljust(w) for c, w in zip(cells, widths[1:-1], strict=True))
        if len(name) > widths[0]:
            lines.append(name)
            name = ""
        head = f"{name.ljust(widths[0])}  {middle}"
        lines += entry(head, text, column, width).splitlines()
    return lines
