"""Windows of a small image, and which of them run together."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["TOGETHER_PIXELS", "Area", "grouped", "size_of"]

Area = tuple[slice, slice]
"""Rows and columns of a window of LR."""

TOGETHER_PIXELS = 1 << 16
"""Number of LR pixels of windows that run together on a GPU: the features of all of them take about
as much memory as those of one ordinary tile."""


def size_of(window: Area) -> tuple[int, int]:
    """Return the height and width of a window."""
    rows, columns = window
    return rows.stop - rows.start, columns.stop - columns.start


def grouped(windows: Sequence[Area], pixels: int) -> list[list[int]]:
    """Return the indices of windows in groups that can run together.

    Law: every index is in one group; the windows of a group have the same size and together at
    most so many pixels, unless it is only one.
    """
    groups: list[list[int]] = []
    of_size: dict[tuple[int, int], list[int]] = {}
    for index, window in enumerate(windows):
        height, width = size_of(window)
        group = of_size.get((height, width))
        if group is None or (len(group) + 1) * height * width > pixels:
            group = of_size[height, width] = []
            groups.append(group)
        group.append(index)
    return groups
