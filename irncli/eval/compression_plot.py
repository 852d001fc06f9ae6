"""Chart of the records of compression, drawn by the optional library matplotlib (irncli[plot])."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from irncli.errors import DataError
from irncli.eval.compression import IRN
from irncli.eval.plot import COLOURS, GRAYS
from irncli.eval.records import Record
from irncli.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chart", "lines"]

STYLES: dict[str, dict[str, Any]] = {
    "irn": {"color": COLOURS[0], "marker": "o", "linewidth": 2.2},
    "irn without restorer": {"color": COLOURS[0], "marker": "o", "linestyle": "--"},
    "irn png": {"color": COLOURS[0], "marker": "D", "linestyle": ""},
    "bicubic + jpeg": {"color": GRAYS[0], "marker": "s"},
    "irn compress": {"color": COLOURS[0], "marker": "*", "linestyle": "-."},
    "jpeg": {"color": COLOURS[1], "marker": "s"},
    "jpeg by irn": {"color": COLOURS[1], "marker": "*", "linestyle": "-."},
    "webp": {"color": COLOURS[2], "marker": "^"},
    "avif": {"color": COLOURS[3], "marker": "v"},
    "jxl": {"color": GRAYS[0], "marker": "v", "linestyle": ":"},
}


def chart(records: Sequence[Record]) -> bytes:
    """Draw RGB PSNR over bits per pixel for each set, with a line for each method.

    The axis of bits per pixel is logarithmic. irn has a line for each effort that was measured, the
    other methods have theirs of the highest.

    Returns:
        The chart as a PNG file.

    Raises:
        DataError: no record has a finite PSNR.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A mean over some of the images cannot be compared with those of other methods.
    known = [r for r in records if r["psnr_rgb"] is not None and not r["too_large"]]
    if not known:
        raise DataError("no finite PSNR to plot")
    sets = list(dict.fromkeys(record["set"] for record in known))
    figure = Figure(figsize=(8.0, 4.4 * len(sets) + 0.3), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(sets), 1, squeeze=False)[:, 0]
    for axis, name in zip(axes, sets, strict=True):
        _draw(axis, [record for record in known if record["set"] == name])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def lines(records: Sequence[Record]) -> Iterator[tuple[str, str, list[Record]]]:
    """Yield the label, the method and the records of each line of a chart."""
    efforts = sorted({record.get("effort", 0) for record in records}, reverse=True)
    for model in dict.fromkeys(record["model"] for record in records):
        for effort in efforts:
            chosen = (model, effort)
            mine = [r for r in records if (r["model"], r.get("effort", 0)) == chosen]
            if mine:
                several = model == IRN and len(efforts) > 1
                yield (f"{model}, effort {effort}" if several else model), model, mine
            if mine and model != IRN:
                break


def _draw(axis: Axes, records: Sequence[Record]) -> None:
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    dashes = cycle(("-", "--", "-.", ":"))
    for label, model, mine in lines(records):
        points = sorted((record["bits_per_pixel"], record["psnr_rgb"]) for record in mine)
        rates, levels = zip(*points, strict=True)
        style = STYLES.get(model, {"color": GRAYS[1]})
        if model == IRN:
            style = style | {"linestyle": next(dashes)}
        axis.plot(rates, levels, label=label, markersize=5, **style)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    count = max(record["images"] for record in records)
    title = f"{records[0]['set']}, {counted(count, 'image')}"
    axis.set_title(title, loc="left")
    axis.set_xlabel("bits per pixel")
    axis.set_ylabel("PSNR of RGB in dB")
    axis.grid(color="0.9")
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
