"""Chart of the records, drawn by the optional library matplotlib (irncli[plot])."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Any, Literal

from irncli.errors import DataError, UnavailableError
from irncli.eval.paper import PAPER
from irncli.eval.records import Record
from irncli.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["chart", "require"]

INCH_PER_BAR = 0.62
GRAYS = ("0.62", "0.45")
COLOURS = ("#1f6fb4", "#c46a00", "#2a8a57", "#8a4fbf", "#4f6b80")
PAPER_LINES: dict[str, tuple[Literal[":", "--", "-"], str]] = {
    "bicubic": (":", "0.15"),
    "CAR & EDSR": ("--", "0.15"),
    "IRN": ("-", "#c23b4b"),
}


def require() -> None:
    """Check before any measurement that charts can be drawn.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UnavailableError("--plot needs matplotlib: pip install 'irncli[plot]'")


def chart(records: Sequence[Record]) -> bytes:
    """Draw the PSNR of each method by set for each scale, with the paper's figures as lines.

    Error bars are one standard deviation over the seeds. The axis does not start at zero, because
    0 dB is not a natural origin.

    Returns:
        The chart as a PNG file.

    Raises:
        DataError: no record has a finite PSNR.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = _panels(records)
    if not panels:
        raise DataError("no finite PSNR to plot")
    bars = max(len(_sets(panel)) * (len(_models(panel)) + 1) for panel in panels)
    size = (max(6.0, 1.6 + INCH_PER_BAR * bars), 3.6 * len(panels) + 0.3)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _panels(records: Sequence[Record]) -> list[list[Record]]:
    """Group records by scale; colour models (scale 1) are measured on RGB."""
    known = [record for record in records if record[_key(record)] is not None]
    return [
        [r for r in known if r["scale"] == scale] for scale in sorted({r["scale"] for r in known})
    ]


def _key(record: Record) -> str:
    return "psnr_rgb" if record["task"] == "color" else "psnr_y"


def _sets(panel: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record["set"] for record in panel))


def _models(panel: Sequence[Record]) -> list[str]:
    ranked = sorted(panel, key=lambda record: record["kind"] != "baseline")
    return list(dict.fromkeys(record["model"] for record in ranked))


def _draw(axis: Axes, panel: Sequence[Record]) -> None:
    sets, models = _sets(panel), _models(panel)
    width = 0.8 / len(models)
    colours = iter(COLOURS * len(models))
    grays = iter(GRAYS * len(models))
    for place, model in enumerate(models):
        mine = {record["set"]: record for record in panel if record["model"] == model}
        here = [index for index, name in enumerate(sets) if name in mine]
        found = [mine[sets[index]] for index in here]
        heights = [record[_key(record)] for record in found]
        centres = [index + (place - (len(models) - 1) / 2) * width for index in here]
        colour = next(grays) if found[0]["kind"] == "baseline" else next(colours)
        axis.bar(centres, heights, width * 0.92, label=model, color=colour, **_spread(found))
        _write_values(axis, centres, heights)
    levels = [record[_key(record)] for record in panel] + _mark_paper(axis, panel, sets)
    axis.set_ylim(floor(min(levels)) - 2, max(levels) + 0.12 * (max(levels) - min(levels) + 4))
    _label(axis, panel, sets)


def _write_values(axis: Axes, centres: Sequence[float], values: Sequence[float]) -> None:
    """Write values at the foot of the bars, where the lines of the paper do not cross them."""
    for centre, value in zip(centres, values, strict=True):
        axis.text(
            *(centre, 0.02, f"{value:.2f}"),
            transform=axis.get_xaxis_transform(),
            ha="center",
            color="white",
            fontsize=8,
            fontweight="bold",
        )


def _spread(found: Sequence[Record]) -> dict[str, Any]:
    """Return options for error bars, or none if only one seed was measured."""
    if not any(record["psnr_y_std"] for record in found) or found[0]["task"] == "color":
        return {}
    return {"yerr": [record["psnr_y_std"] or 0 for record in found], "capsize": 3}


def _mark_paper(axis: Axes, panel: Sequence[Record], sets: Sequence[str]) -> list[float]:
    """Draw the paper's figures as lines across the bars; return the heights of the lines."""
    heights: list[float] = []
    for row in PAPER.get(panel[0]["scale"], ()):
        points = [(x, row.figures[name][0]) for x, name in enumerate(sets) if name in row.figures]
        if not points:
            continue
        style, colour = PAPER_LINES.get(row.method, ("--", "0.6"))
        axis.hlines(
            [y for _, y in points],
            [x - 0.44 for x, _ in points],
            [x + 0.44 for x, _ in points],
            linestyles=style,
            colors=colour,
            linewidths=1.4,
            zorder=3,
            label=f"{row.method} (paper)",
        )
        heights += [y for _, y in points]
    return heights


def _label(axis: Axes, panel: Sequence[Record], sets: Sequence[str]) -> None:
    counts = {record["set"]: record["images"] for record in panel}
    colour = panel[0]["task"] == "color"
    axis.set_title("colour from gray" if colour else f"x{panel[0]['scale']}", loc="left")
    axis.set_ylabel("PSNR of RGB in dB" if colour else "PSNR of Y in dB")
    axis.set_xticks(
        range(len(sets)), [f"{name}\n{counted(counts[name], 'image')}" for name in sets]
    )
    axis.grid(axis="y", color="0.9")
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
