"""Markdown page of the records: the measurements beside the figures of the paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from irncli.eval.paper import PAPER, PAPER_SETS, PaperRow
from irncli.eval.records import PERCEPTUAL, Record
from irncli.eval.report import figure, notes
from irncli.wording import counted

__all__ = ["escaped", "grid", "page", "versions"]

MISSING = "not measured"
PROTOCOL = (
    "PSNR is in dB; SSIM uses an 11x11 Gaussian window with sigma 1.5 and the valid region. Both "
    "are computed on 8-bit images, on Y of BT.601 unless RGB is stated, with `scale` pixels "
    "cropped at each border, and averaged over the images of a set. HR is first cropped at the "
    "bottom and right to a multiple of the scale; a gray image counts as a colour image with equal "
    "channels. LR is stored as an 8-bit PNG, whose bits are counted per HR pixel. LR is compared "
    "with the 8-bit bicubic LR of the same image or, for a colour model, with the usual luma gray. "
    "MP/s are megapixels of HR per second, for the network alone."
)


def page(records: Sequence[Record]) -> str:
    """Return the whole page: protocol, hardware, and for each scale the quality, LR and speed.

    The quality is shown beside the figures of the paper. Sets of the paper that were not measured
    are marked as such.
    """
    parts = [
        "# Results",
        f"Written by `irn eval` ({versions(records)}); not edited by hand.",
        PROTOCOL,
        _hardware(records),
    ]
    rescaling = [record for record in records if record["task"] == "rescale"]
    for scale in sorted({record["scale"] for record in rescaling}):
        chosen = [record for record in rescaling if record["scale"] == scale]
        parts += [f"## x{scale}", _quality(chosen, scale)]
        parts += [f"### x{scale}: LR, bits and speed", _rest(chosen)]
    colour = [record for record in records if record["task"] == "color"]
    if colour:
        parts += ["## Colour from gray", _colour(colour)]
        parts += ["### Colour: gray, bits and speed", _rest(colour)]
    remarks = notes(records)
    if remarks:
        parts += ["## Remarks", "\n".join(f"- {escaped(remark)}" for remark in remarks)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Escape text for a cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def grid(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    titles = [escaped(title) for title in header]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    lines += [f"| {' | '.join(escaped(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def versions(records: Sequence[Record]) -> str:
    """Return the versions of irn and torch that the records were made with."""
    return "; ".join(_unique(f"irn {r['irn']}, torch {r['torch']}" for r in records))


def _hardware(records: Sequence[Record]) -> str:
    """Return lines with the machines that the models ran on, their weights and their z."""
    models = [record for record in records if record["kind"] == "model"]
    machines = _unique(
        f"{escaped(r['cpu'])}, {counted(r['threads'], 'thread')}, on {r['device']}"
        + (f" in {r['precision']}" if models else "")
        for r in models or records
    )
    lines = [f"- Machine: {machine}." for machine in machines]
    lines += _unique(
        f"- {r['model']}: weights {r['weights_sha256'][:12]}, {_draws(r)}." for r in models
    )
    return "\n".join(lines)


def _draws(record: Record) -> str:
    if record["temperature"] == 0:
        return "z = 0"
    seeds = "seed 0" if record["seeds"] == 1 else f"mean over seeds 0 to {record['seeds'] - 1}"
    return f"z drawn at temperature {record['temperature']:g}, {seeds}"


def _quality(records: Sequence[Record], scale: int) -> str:
    measured = _unique(record["set"] for record in records)
    sets = [*PAPER_SETS, *(name for name in measured if name not in PAPER_SETS)]
    filters = _unique(r["model"] for r in records if r["kind"] == "baseline")
    rows = [[name, *_cells(records, name, sets, "")] for name in filters]
    rows += [[f"{row.method} (paper)", *_paper_cells(row, sets)] for row in PAPER.get(scale, ())]
    for name in _unique(r["model"] for r in records if r["kind"] == "model"):
        drawn = any(r["model"] == name and r["temperature"] > 0 for r in records)
        if drawn:
            rows.append([f"{name}, z drawn", *_cells(records, name, sets, "")])
        rows.append([f"{name}, z = 0", *_cells(records, name, sets, "_z0")])
    return grid(["PSNR-Y / SSIM-Y", *sets], rows)


def _cells(
    records: Sequence[Record], model: str, sets: Sequence[str], suffix: str, channels: str = "y"
) -> list[str]:
    by_set = {record["set"]: record for record in records if record["model"] == model}
    return [_pair(by_set.get(name), f"{channels}{suffix}") for name in sets]


def _pair(record: Record | None, which: str) -> str:
    if record is None or not record["images"]:
        return MISSING
    return f"{figure(record, f'psnr_{which}', '.2f')} / {figure(record, f'ssim_{which}', '.4f')}"


def _paper_cells(row: PaperRow, sets: Sequence[str]) -> list[str]:
    cells = []
    for name in sets:
        psnr, ssim = row.figures.get(name, (None, None))
        known = [f"{psnr:.2f}" if psnr else "", f"{ssim:.4f}" if ssim else ""]
        cells.append(" / ".join(text for text in known if text) or "-")
    return cells


def _colour(records: Sequence[Record]) -> str:
    sets = _unique(record["set"] for record in records)
    names = _unique(record["model"] for record in records)
    rows = [[name, *_cells(records, name, sets, "", "rgb")] for name in names]
    return grid(["PSNR-RGB / SSIM-RGB", *sets], rows)


def _rest(records: Sequence[Record]) -> str:
    judged = [name for name in PERCEPTUAL if any(name in record for record in records)]
    header = [
        *("set", "model", "images", "LR PSNR-Y / SSIM-Y", "bits per pixel", "PSNR-RGB", "± seeds"),
        *("MP/s down", "MP/s up", *(name.upper() for name in judged)),
    ]
    return grid(header, [_rest_row(record, judged) for record in records])


def _rest_row(record: Record, judged: Sequence[str]) -> list[str]:
    return [
        record["set"],
        record["model"],
        str(record["images"]),
        f"{figure(record, 'lr_psnr_y', '.2f')} / {figure(record, 'lr_ssim_y', '.4f')}",
        figure(record, "bpp", ".3f"),
        figure(record, "psnr_rgb", ".2f"),
        figure(record, "psnr_y_std", ".3f"),
        figure(record, "mps_down", ".3f"),
        figure(record, "mps_up", ".3f"),
        *(figure(record, name, ".4f") for name in judged),
    ]
