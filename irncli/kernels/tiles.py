"""Tiles of the weight gradient: the blocks of X^T D that convolutions have, and no others."""

from __future__ import annotations

from dataclasses import dataclass

from irncli.kernels.packing import GROWTH, Widths

__all__ = ["Tile", "tiles"]


@dataclass(frozen=True, order=True)
class Tile:
    """A rectangle of G: features [row, row + height), gradients [column, column + width)."""

    height: int
    width: int
    row: int
    column: int


def tiles(widths: Widths) -> list[Tile]:
    """Cut the blocks of G that convolutions have into tiles, sorted by size.

    Tiles have 16, 32 or 64 rows and columns. Together they cover these blocks, including the
    padding of input and output, exactly once, and nothing else.
    """
    height, width = (min(c, 64) for c in (widths.padded_inputs, widths.padded_outputs))
    input_rows = range(0, widths.padded_inputs, height)
    output_columns = range(0, widths.padded_outputs, width)
    hidden_rows = [widths.hidden(j).start for j in (0, 2)]
    hidden_columns = [widths.gradient(k).start for k in (3, 1)]
    found = [Tile(height, width, r, c) for r in input_rows for c in output_columns]
    found += [Tile(height, 64, r, c) for r in input_rows for c in hidden_columns]
    found += [Tile(64, width, r, c) for r in hidden_rows for c in output_columns]
    found.append(Tile(64, 64, hidden_rows[0], hidden_columns[0]))
    for j, k in ((0, 1), (2, 3)):
        found.append(Tile(GROWTH, GROWTH, widths.hidden(j).start, widths.gradient(k).start))
    return sorted(found)
