"""Comparison of a pair as one image: A, B and their difference side by side, with details below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irncli.comparison.numbers import Numbers
from irncli.comparison.pair import Pair
from irncli.comparison.views import Place, Views, detail_side
from irncli.eval.montage import enlarged
from irncli.io.encoding import encode
from irncli.io.picture import Metadata, Picture
from irncli.io.text import draw_text, shortened
from irncli.pixels import Pixels

__all__ = ["Layout", "sheet"]

LARGEST = 1024
"""Longest side of a panel in pixels; larger images are shrunk by a whole number."""
LEAST = 384
"""Smallest width of a column in pixels; pixels of small images are repeated up to this width."""
ACROSS = 3
"""Largest number of details in a row of a column."""
MARGIN, GAP, CLOSE, FRAME = 32, 24, 10, 3
"""Spacing in pixels: margin of the sheet, gap between columns and rows, gap between details, frame
of a detail."""
PAPER, INK, FAINT = (250, 250, 248), (28, 28, 30), (110, 110, 116)

Canvas = NDArray[np.uint8]
Colour = tuple[int, int, int]
Corner = tuple[int, int]
"""Row and column in pixels."""


@dataclass(frozen=True)
class Layout:
    """The layout of a sheet, in pixels of the sheet.

    Attributes:
        shrink: whole factor by which the images are shrunk in the panels.
        repeat: whole factor by which the images are enlarged in the panels; `shrink` or `repeat`
            is 1.
        panel: width and height of a panel.
        column: width of each of the three columns.
        text: size of the letters.
        head: number of lines of text above the panels.
        across: number of details in a row of a column.
        cell: width of a detail with its frame.
        times: whole factor by which details are enlarged.
        side: side of a detail, in pixels of the images.
    """

    shrink: int
    repeat: int
    panel: tuple[int, int]
    column: int
    text: int
    head: int
    across: int
    cell: int
    times: int
    side: int

    @classmethod
    def of(cls, pair: Pair, crops: int) -> Layout:
        """Return the layout for a pair and a number of details."""
        width, height = pair.size
        shrink = -(-max(width, height) // LARGEST)
        repeat = max(1, min(LEAST // width, LARGEST // height))
        panel = -(-width // shrink) * repeat, -(-height // shrink) * repeat
        column = max(panel[0], LEAST)
        across = max(2, min(ACROSS, crops))
        cell = (column - (across - 1) * CLOSE) // across
        inside = cell - 2 * FRAME
        side = min(inside, detail_side(pair.size))
        # Choose a side whose whole multiple fills the cell best.
        side = min(width, height, inside // round(inside / side))
        return cls(
            shrink=shrink,
            repeat=repeat,
            panel=panel,
            column=column,
            text=max(15, (3 * column) // 95),
            head=2 + bool(pair.notes or shrink > 1),
            across=across,
            cell=cell,
            times=inside // side,
            side=side,
        )

    @property
    def line(self) -> int:
        """Height of a line of text with the space below it."""
        return self.text * 5 // 4 + self.text // 3

    @property
    def width(self) -> int:
        """Width of the sheet."""
        return 2 * MARGIN + 3 * self.column + 2 * GAP

    @property
    def top(self) -> int:
        """First row of the panels."""
        return MARGIN + self.head * self.line + self.text // 2

    def height(self, details: int) -> int:
        """Return the height of the sheet with a number of details."""
        return self._row(-(-details // self.across)) - GAP + MARGIN

    def _row(self, row: int) -> int:
        """Return the top of a row of details, counted from 0."""
        one = GAP + self.line + self.side * self.times + 2 * FRAME
        return self.top + self.panel[1] + GAP + row * one

    def left(self, column: int) -> int:
        """Return the left edge of a column, 0 to 2."""
        return MARGIN + column * (self.column + GAP)

    def detail(self, column: int, number: int) -> tuple[int, int]:
        """Return the top left corner inside the frame of a detail, counted from 1."""
        row, place = divmod(number - 1, self.across)
        left = self.left(column) + place * (self.cell + CLOSE)
        return self._row(row) + self.line + FRAME, left + FRAME

    def on_panel(self, column: int, y: int, x: int) -> tuple[int, int]:
        """Return the position on a panel of a pixel (y, x) of the images."""
        down, across = (at * self.repeat // self.shrink for at in (y, x))
        return self.top + down, self.left(column) + across


def sheet(pair: Pair, numbers: Numbers, *, crops: int, gain: int | None) -> bytes:
    """Return the sheet of a pair as a PNG file.

    The sheet shows numbers, A, B, their difference, and details enlarged by repeating pixels. If A
    and B have the same colour profile, the sheet has it, too.

    Args:
        pair: the images.
        numbers: measurements of the pair.
        crops: number of details.
        gain: factor that amplifies the difference; None: chosen so that it is clearly visible.
    """
    layout = Layout.of(pair, crops)
    views = Views.of(pair, numbers, crops=crops, side=layout.side, gain=gain)
    canvas = np.full((layout.height(len(views.places)), layout.width, 3), PAPER, np.uint8)
    _write_head(canvas, layout, views)
    for column, panel in enumerate(views.whole(layout.shrink)):
        _paste(canvas, enlarged(panel, layout.repeat), *layout.on_panel(column, 0, 0))
        for place in views.places:
            _mark(canvas, layout, column, place)
    for place in views.places:
        for column, detail in enumerate(views.details(place)):
            _put_detail(canvas, layout, column, place, detail)
    return encode(Picture(canvas, metadata=Metadata(icc=pair.profile)), image_format="png")


def _write_head(canvas: Canvas, layout: Layout, views: Views) -> None:
    """Write the numbers, the remarks and the titles of the columns."""
    pair, width = views.pair, layout.width - 2 * MARGIN
    figures = "     ".join(f"{what}: {text}" for what, text in views.numbers.lines())
    reduced = [f"shown at 1/{layout.shrink} of the size"] * (layout.shrink > 1)
    remarks = "; ".join([*pair.notes, *reduced])
    _write(canvas, MARGIN, MARGIN, figures, layout.text, INK, width)
    _write(canvas, MARGIN + layout.line, MARGIN, remarks, layout.text, FAINT, width)
    titles = (f"A  {pair.a.name}", f"B  {pair.b.name}", f"difference x{views.gain}")
    for column, title in enumerate(titles):
        top = layout.top - layout.line
        _write(canvas, top, layout.left(column), title, layout.text, INK, layout.column)


def _write(
    canvas: Canvas, top: int, left: int, text: str, size: int, colour: Colour, width: int
) -> None:
    """Write a line of text, shortened to a width."""
    if not text:
        return
    cover = draw_text(shortened(text, size, width), size)[:, :, None] / 255
    place = canvas[top : top + cover.shape[0], left : left + cover.shape[1]]
    place[...] = (place * (1 - cover) + np.array(colour) * cover).round()


def _paste(canvas: Canvas, pixels: Pixels, top: int, left: int) -> None:
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels


def _mark(canvas: Canvas, layout: Layout, column: int, place: Place) -> None:
    """Draw a frame on a panel around the place of a detail."""
    start = layout.on_panel(column, place.y, place.x)
    end = layout.on_panel(column, place.y + place.side, place.x + place.side)
    _frame(canvas, start, end, _rgb(place.colour), max(2, layout.text // 9))


def _frame(canvas: Canvas, start: Corner, end: Corner, colour: Colour, thick: int) -> None:
    """Draw a frame outside the rectangle between two corners."""
    (top, left), (bottom, right) = start, end
    inside = canvas[top:bottom, left:right].copy()
    canvas[top - thick : bottom + thick, left - thick : right + thick] = colour
    canvas[top:bottom, left:right] = inside


def _put_detail(canvas: Canvas, layout: Layout, column: int, place: Place, detail: Pixels) -> None:
    top, left = layout.detail(column, place.number)
    pixels = enlarged(detail, layout.times)
    height, width = pixels.shape[:2]
    _paste(canvas, pixels, top, left)
    colour = _rgb(place.colour)
    _frame(canvas, (top, left), (top + height, left + width), colour, FRAME)
    caption = f"{place.number}  at {place.x}, {place.y}  x{layout.times}"
    above = top - FRAME - layout.line
    _write(canvas, above, left - FRAME, caption, layout.text, colour, layout.cell)


def _rgb(colour: str) -> Colour:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
