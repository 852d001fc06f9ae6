"""Reports of the records of compression: a table for the terminal, CSV, and a Markdown page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from irncli.eval.compression import BD_RATE_IN_RANGE, BD_RATES, RATES, REFERENCES
from irncli.eval.page import escaped, grid, versions
from irncli.eval.records import Record
from irncli.eval.report import aligned, figure
from irncli.wording import counted

__all__ = ["comparisons", "csv_text", "page", "table"]

PROTOCOL = (
    "Bits of the file are counted per HR pixel. PSNR in dB and SSIM (11x11 Gaussian window, sigma "
    "1.5, valid region) are computed on 8-bit RGB over the whole image, SSIMULACRA2 by the library "
    "of that name. All figures are means over the images of a set. HR is first cropped at the "
    "bottom and right to a multiple of the scale. Files have no metadata: those of irn lack the "
    "tag that `irn compress` stores. irn and bicubic code their LR as a JPEG (4:4:4, optimised, "
    "progressive) of the stated quality; with an effort above 0, irn chooses the coefficients for "
    "the restored image (`--effort`). jpeg (the better of 4:2:0 and 4:4:4, by libjpeg), webp, avif "
    "and jxl code the image itself in at most as many bytes as irn's file has at that quality; "
    "jpeg by irn is the best plain JPEG of `irn compress`, whose tables and levels are chosen for "
    "RGB PSNR, too; irn compress is what the command writes, the better of irn and jpeg by irn. "
    "z = 0."
)
BD_RATE = (
    "BD-rate is the percentage of additional (+) or saved (-) bits of the first curve against the "
    "second at equal RGB PSNR (or SSIM, or SSIMULACRA2), for the mean curves of the set "
    "(Bjontegaard, VCEG-M33, with piecewise cubics): for the parts of the curves between the rates "
    "that are named, or for all that both curves cover. The other columns are the gain in RGB PSNR "
    "in dB at a fixed rate. A dash means that the curves do not overlap there, or that the metric "
    "was not measured."
)
_FIGURES = (
    ("bpp", "bits_per_pixel", ".3f"),
    ("PSNR-RGB", "psnr_rgb", ".2f"),
    ("SSIM-RGB", "ssim_rgb", ".4f"),
    ("SSIMULACRA2", "ssimulacra2", ".1f"),
)
_BD_COLUMNS = (BD_RATE_IN_RANGE, *BD_RATES.values())
_IMAGE = ("image", "width", "height", "codec_quality", "bytes")
_NUMBERS = tuple(key for _, key, _ in _FIGURES)
_FACTS = (
    *("images", "too_large", "network", "weights_sha256", "restorer", "restorer_sha256"),
    *("device", "precision", "threads", "cpu", "torch", "irn"),
)


def table(records: Sequence[Record], width: int | None = None) -> str:
    """Return an aligned table with a row for each set, contestant and quality, and comparisons.

    Args:
        records: records of compression.
        width: width in characters; wider tables are folded, see `aligned`.
    """
    titles = [title for title, _, _ in _FIGURES]
    rows = [["set", "contestant", "quality", "images", *titles]]
    named = _names(records)
    rows += [[named(record), *_cells(record)] for record in records]
    header = ["set", "curves", *_comparison_titles()]
    compared = [[name, *cells] for name, cells in comparisons(records)]
    below = aligned([header, *compared], width) if compared else []
    return "\n".join([*aligned(rows, width, keys=3), *below, *_notes(records)])


def _names(records: Sequence[Record]) -> Callable[[Record], str]:
    """Return a function that names the set of a record, with its effort if there are several."""
    several = len({record.get("effort") for record in records}) > 1
    return lambda record: record["set"] + (f", effort {record['effort']}" if several else "")


def _cells(record: Record) -> list[str]:
    quality = "-" if record["quality"] is None else str(record["quality"])
    figures = [figure(record, key, style) for _, key, style in _FIGURES]
    return [record["model"], quality, str(record["images"]), *figures]


def _comparison_titles() -> list[str]:
    spread = f"BD-rate, {RATES[0]:g} to {RATES[-1]:g} bpp"
    return [
        spread,
        "BD-rate",
        "by SSIM",
        "by SSIMULACRA2",
        *(f"dB at {rate:g} bpp" for rate in RATES),
    ]


def comparisons(records: Sequence[Record]) -> Iterator[tuple[str, list[str]]]:
    """Yield a row for each curve of irn and each reference.

    A row is the name of the set and the cells: both names, BD-rate, and the gain at each rate.
    """
    seen, named = set(), _names(records)
    for record in records:
        for reference in record.get("bd_rate", {}):
            key = record["set"], record.get("effort"), record["model"], reference
            if key not in seen:
                seen.add(key)
                rates = (record.get(column, {}).get(reference) for column in _BD_COLUMNS)
                gains = record["gain"][reference].values()
                yield (
                    named(record),
                    [
                        f"{record['model']} / {reference}",
                        *(_signed(percent, ".1f", " %") for percent in rates),
                        *(_signed(value, ".2f") for value in gains),
                    ],
                )


def _signed(value: float | None, style: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:+{style}}{unit}"


def _notes(records: Sequence[Record]) -> list[str]:
    """Return remarks that a reader needs, one sentence each, without duplicates."""
    found = [record["remark"] for record in records if record.get("remark")]
    for record in records:
        name = record["set"]
        if record["failed"]:
            names = ", ".join(failure["image"] for failure in record["failed"])
            found.append(f"{name}: not measured: {names}")
        effort = "" if record.get("effort") is None else f", effort {record['effort']}"
        where = f"{name}{effort}, {record['model']}, quality {record['quality']}"
        if record["too_large"]:
            found.append(
                f"{where}: number of images that do not fit into as many bytes as irn's file: "
                f"{record['too_large']}; the mean is over the others"
            )
        if record["identical"] and record["psnr_rgb"] is not None:
            count = record["identical"]["psnr_rgb"]
            found.append(
                f"{where}: number of images that were restored exactly: {count}; "
                "the mean is over the others"
            )
    return list(dict.fromkeys(found))


def csv_text(records: Sequence[Record]) -> str:
    """Return CSV: a line for each set, contestant and quality, each followed by its images.

    The column `image` is empty in the lines of sets.
    """
    who = ("set", "model", "task", "scale", "quality")
    buffer = io.StringIO()
    header = [*who, *_IMAGE, *_NUMBERS, *_FACTS]
    writer = csv.DictWriter(buffer, header, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow(record)
        same: dict[str, Any] = {key: record[key] for key in who}
        writer.writerows(same | image for image in record["per_image"])
    return buffer.getvalue()


def page(records: Sequence[Record]) -> str:
    """Return the whole page: protocol, hardware, and for each set its comparisons and figures."""
    parts = [
        "# Compression",
        f"Written by `irn eval --task compress` ({versions(records)}); not edited by hand.",
        PROTOCOL,
        BD_RATE,
        "\n".join(_hardware(records)),
    ]
    parts += _overview(records)
    titles = ["contestant", "quality", "images", *(title for title, _, _ in _FIGURES)]
    for name, effort in dict.fromkeys((r["set"], r.get("effort")) for r in records):
        mine = [r for r in records if (r["set"], r.get("effort")) == (name, effort)]
        compared = [cells for _, cells in comparisons(mine)]
        title = f"## {escaped(name)}, x{mine[0]['scale']}"
        parts += [title if effort is None else f"{title}, effort {effort}"]
        parts += [grid(["curves", *_comparison_titles()], compared)]
        parts += [grid(titles, [_cells(record) for record in mine])]
    remarks = _notes(records)
    if remarks:
        parts += ["## Remarks", "\n".join(f"- {escaped(remark)}" for remark in remarks)]
    return "\n\n".join(parts) + "\n"


def _overview(records: Sequence[Record]) -> list[str]:
    """Return a table of all BD-rates, if several efforts were measured; otherwise nothing."""
    curves = {
        (r["set"], r["effort"], r["model"]): r[BD_RATE_IN_RANGE]
        for r in records
        if r.get("effort") is not None and BD_RATE_IN_RANGE in r
    }
    if len({effort for _, effort, _ in curves}) < 2:
        return []
    references = [name for name in REFERENCES if any(name in rates for rates in curves.values())]
    rows = [
        [name, str(effort), model, *(_signed(rates.get(r), ".1f", " %") for r in references)]
        for (name, effort, model), rates in curves.items()
    ]
    title = f"## BD-rates between {RATES[0]:g} and {RATES[-1]:g} bits per pixel"
    return [title, grid(["set", "effort", "curve", *references], rows)]


def _hardware(records: Sequence[Record]) -> list[str]:
    """Return lines with the machines that the networks ran on, and their weights."""
    ours = [record for record in records if record["network"] is not None]
    lines = [
        f"- Machine: {escaped(r['cpu'])}, {counted(r['threads'], 'thread')}, on {r['device']} in "
        f"{r['precision']}."
        for r in ours
    ]
    lines += [f"- {r['model']}: {escaped(_weights(r))}." for r in ours]
    return list(dict.fromkeys(lines))


def _weights(record: Record) -> str:
    text = f"{record['network']}, weights {record['weights_sha256'][:12]}"
    if record["restorer"] is None:
        return text
    return f"{text}; restorer {record['restorer']}, weights {record['restorer_sha256'][:12]}"
