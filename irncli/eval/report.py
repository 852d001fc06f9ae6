"""Text reports of the records: a table for the terminal, CSV, and the rows of a model card."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from irncli.eval.records import IMAGE_NUMBERS, PERCEPTUAL, Record
from irncli.wording import counted

__all__ = ["aligned", "card_rows", "csv_text", "figure", "markdown", "notes", "table"]

CARD_SETS = ("Set5", "Set14", "BSD100")
"""Sets in the table of a model card."""

_COLUMNS = (
    ("PSNR-Y", "psnr_y", ".2f"),
    ("±", "psnr_y_std", ".3f"),
    ("SSIM-Y", "ssim_y", ".4f"),
    ("z=0", "psnr_y_z0", ".2f"),
    ("PSNR-RGB", "psnr_rgb", ".2f"),
    ("LR PSNR-Y", "lr_psnr_y", ".2f"),
    ("LR SSIM-Y", "lr_ssim_y", ".4f"),
    ("bpp", "bpp", ".3f"),
    ("MP/s down", "mps_down", ".3f"),
    ("MP/s up", "mps_up", ".3f"),
    *((name.upper(), name, ".4f") for name in PERCEPTUAL),
)
_FACTS = (
    *("images", "seeds", "temperature", "psnr_y_std", "psnr_y_least", "psnr_y_most"),
    *("megapixels", "mps_down", "mps_up", "weights_sha256", "device", "precision", "threads"),
    *("cpu", "torch", "irn"),
)


def figure(record: Mapping[str, Any], key: str, style: str) -> str:
    """Format a number of a record: `inf` if all images were restored exactly, `-` if it is null."""
    value = record.get(key)
    if value is not None:
        return format(value, style)
    return "inf" if record.get("identical", {}).get(key) else "-"


def table(records: Sequence[Record], width: int | None = None) -> str:
    """Return an aligned table with a row for each set and method, without empty columns.

    Args:
        records: records of rescaling and colour.
        width: width in characters; a wider table is folded, see `aligned`.
    """
    columns = [
        column
        for column in _COLUMNS
        if any(figure(record, column[1], column[2]) != "-" for record in records)
    ]
    rows = [["set", "model", "scale", "images", *(title for title, _, _ in columns)]]
    for record in records:
        cells = [figure(record, key, style) for _, key, style in columns]
        rows.append(
            [record["set"], record["model"], f"x{record['scale']}", str(record["images"]), *cells]
        )
    return "\n".join([*aligned(rows, width, keys=3), *notes(records)])


def aligned(rows: Sequence[Sequence[str]], width: int | None = None, keys: int = 2) -> list[str]:
    """Return the lines of a table: two left-aligned columns, then right-aligned ones.

    Args:
        rows: cells of the rows, the header first.
        width: width in characters. A wider table is folded: the columns that do not fit follow in
            another table, with the first columns repeated.
        keys: number of columns that are repeated.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for chosen in _folded(widths, width, keys):
        parts = [[row[place] for place in chosen] for row in rows]
        lines += [""] * bool(lines)
        lines += [_aligned(part, [widths[place] for place in chosen]) for part in parts]
    return lines


def _folded(widths: Sequence[int], width: int | None, keys: int) -> list[list[int]]:
    """Return the columns of each table into which a table is folded."""
    first, tables = list(range(keys)), [list(range(keys))]
    for place in range(keys, len(widths)):
        taken = sum(widths[each] + 2 for each in tables[-1]) + widths[place]
        if width is not None and taken > width and len(tables[-1]) > keys:
            tables.append([*first])
        tables[-1].append(place)
    return tables


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    texts, numbers = row[:2], row[2:]
    left = [text.ljust(width) for text, width in zip(texts, widths[:2], strict=True)]
    right = [text.rjust(width) for text, width in zip(numbers, widths[2:], strict=True)]
    return "  ".join([*left, *right]).rstrip()


def notes(records: Sequence[Record]) -> list[str]:
    """Return remarks that the reader of a table needs, one sentence each, without duplicates."""
    found: list[str] = [record["remark"] for record in records if record.get("remark")]
    for record in records:
        where = f"{record['set']}, {record['model']} x{record['scale']}"
        found += [
            f"{where}: {key} is infinite for {count} of {counted(record['images'], 'image')}, "
            "which were restored exactly; the mean is over the others"
            for key, count in record["identical"].items()
            if record.get(key) is not None
        ]
        if record["failed"]:
            names = ", ".join(failure["image"] for failure in record["failed"])
            found.append(f"{where}: not measured: {names}")
        found += [f"{name}: {record[f'{name}_note']}" for name in PERCEPTUAL
                  if record.get(f"{name}_note")]  # fmt: skip
    return list(dict.fromkeys(found))


def csv_text(records: Sequence[Record]) -> str:
    """Return CSV: a line for each set and method, each followed by a line for each image.

    The column `image` is empty in the lines of sets.
    """
    judged = [name for name in PERCEPTUAL if any(name in record for record in records)]
    who = ["set", "model", "kind", "task", "scale"]
    header = [*who, "image", "width", "height", *IMAGE_NUMBERS, *judged, *_FACTS]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, header, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow(record)
        same = {key: record[key] for key in who}
        writer.writerows(same | image for image in record["per_image"])
    return buffer.getvalue()


def card_rows(records: Sequence[Record], weights_sha256: str) -> list[dict[str, Any]]:
    """Return the rows of the table of measurements in a model card.

    Rescaling: two rows for each of `CARD_SETS`, with z = 0 and with z drawn by default; psnr, ssim
    and lr_psnr are on Y. Colour: one row for each set; psnr and ssim are on RGB with z drawn by
    default, lr_psnr is that of the gray image. Compression: a row on RGB for each quality of each
    method that uses the model.

    Args:
        records: records of any models and sets.
        weights_sha256: hash of the weights of the card's model; records of other weights are
            ignored.
    """
    rows: list[dict[str, Any]] = []
    for record in records:
        if record["task"] == "compress":
            if weights_sha256 in (record["weights_sha256"], record["restorer_sha256"]):
                rows.append(_coded_row(record))
        elif record["weights_sha256"] == weights_sha256 and record["task"] == "color":
            label = "default" if record["temperature"] else "z = 0"
            rows.append(_card_row(record, label, "rgb"))
    for name in CARD_SETS:
        for record in records:
            mine = (record["set"], record["weights_sha256"]) == (name, weights_sha256)
            if mine and record["task"] == "rescale":
                rows += [_card_row(record, "z = 0", "y_z0"), _card_row(record, "default", "y")]
    return rows


def _coded_row(record: Record) -> dict[str, Any]:
    return {
        "set": record["set"],
        "contestant": record["model"],
        "quality": record["quality"],
        "bits_per_pixel": round(record["bits_per_pixel"], 3),
        "psnr_rgb": round(record["psnr_rgb"], 3),
        "ssim_rgb": round(record["ssim_rgb"], 4),
    }


def _card_row(record: Record, label: str, suffix: str) -> dict[str, Any]:
    on = {"on": "RGB"} if record["task"] == "color" else {}
    return {
        "set": record["set"],
        "z": label,
        **on,
        "psnr": round(record[f"psnr_{suffix}"], 4),
        "ssim": round(record[f"ssim_{suffix}"], 4),
        "lr_psnr": round(record["lr_psnr_y"], 3),
    }


def markdown(model: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return lines for the README's table from the rows of a card, with a column per test set."""
    lines = []
    for label, temperature in (("z drawn", "default"), ("z = 0", "z = 0")):
        chosen = [row for row in rows if row["z"] == temperature]
        cells = [f"{row['psnr']:.2f} / {row['ssim']:.4f}" for row in chosen]
        lines += [f"| {model}, {label} | {' | '.join(cells)} |"] if cells else []
    fits = [f"{row['lr_psnr']:.2f}" for row in rows if row["z"] == rows[0]["z"]]
    colour = any("on" in row for row in rows)
    last = f"gray of {model} against luma" if colour else f"LR of {model} against bicubic LR"
    return [*lines, f"| {last} | {' | '.join(fits)} |"]
