r"""PSNR of `irn compress --always-irn` at fixed rates: by codec and scale, against the plain codec.

    python benchmarks/compression_rates.py Kodak --ways jpeg:2 jpeg:4 jpeg:auto avif:2 \
        --rates 0.1 0.2 0.3 --effort 3 --rows runs/rates.jsonl \
        --json benchmarks/results/compression-rates.json
    python benchmarks/pages.py

Each image is written by the Python interface with `target_bpp`, tag and all, and the plain file of
the same codec may be as large. The rows of single images are kept in a file, so that the script can
be stopped and continued.
"""

from __future__ import annotations

import argparse
import io
import json
import warnings
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from statistics import mean
from typing import Any

from common import finish, hardware

import irncli
from irncli.eval.page import grid
from irncli.eval.sets import find_sets
from irncli.operations.coded import MissedTargetError

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, help="directory of images")
    parser.add_argument("--ways", nargs="+", required=True, help="CODEC:SCALE")
    parser.add_argument("--rates", type=float, nargs="+", required=True, help="bits per pixel")
    parser.add_argument("--effort", type=int, default=1, help="effort of a JPEG")
    parser.add_argument("--every", type=int, default=1, help="take each N-th image only")
    parser.add_argument("--rows", type=Path, required=True, help="file of the rows, kept")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # that plain files are better is what is measured
    (images,) = find_sets([options.data])
    kept = Rows(options.rows)
    wanted = [
        measured(kept, images.name, path, way.split(":"), rate, options.effort)
        for path in images.paths[:: options.every]
        for way in options.ways
        for rate in options.rates
    ]
    records = list(summaries(wanted))
    result = {"set": images.name, "hardware": hardware(), "records": records}
    finish(result, options.json)
    print(*table(result), sep="\n")


class Rows:
    """Rows of single images, in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._rows = [json.loads(line) for line in lines]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def find(self, **key: Any) -> Row | None:
        """Return the row with these values; None if it was not measured yet."""
        return next((row for row in self._rows if key.items() <= row.items()), None)

    def add(self, row: Row) -> Row:
        """Keep a row."""
        self._rows.append(row)
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row


def measured(
    kept: Rows, name: str, path: Path, way: Sequence[str], rate: float, effort: int
) -> Row:
    """Return the row of an image of a set, measured if it is missing."""
    codec, scale = way
    effort = effort if codec == "jpeg" else 0
    key = {"set": name, "image": path.name, "codec": codec, "scale": scale, "rate": rate}
    key["effort"] = effort
    found = kept.find(**key)
    return found or kept.add({**key, **written(path, codec, scale, rate, effort)})


def written(path: Path, codec: Any, scale: str, rate: float, effort: int) -> Row:
    """Return bits, PSNR and scale of what irn writes; None where it cannot be as small."""
    try:
        result = irncli.compress(
            path, io.BytesIO(), scale="auto" if scale == "auto" else float(scale), target_bpp=rate,
            codec=codec, effort=effort if codec == "jpeg" else None, auto=False,
        )  # fmt: skip
    except MissedTargetError:
        return {"taken": None, "bits_per_pixel": None, "psnr": None, "plain": None}
    assert result.report is not None
    plain = result.report["plain_jpeg" if codec == "jpeg" else "plain"]
    return {
        "taken": f"{result.scale:g}",
        "bits_per_pixel": result.report["bits_per_pixel"],
        "psnr": result.report["psnr"],
        "plain": plain and plain["psnr"],
    }


def summaries(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the means over images, for each codec, rate and effort, of all scales together.

    Means are over the images that all scales can write at that rate.
    """
    keys = dict.fromkeys((row["codec"], row["rate"], row["effort"]) for row in rows)
    for codec, rate, effort in keys:
        same = [r for r in rows if (r["codec"], r["rate"], r["effort"]) == (codec, rate, effort)]
        missing = {row["image"] for row in same if row["psnr"] is None}
        for scale in dict.fromkeys(row["scale"] for row in same):
            mine = [r for r in same if r["scale"] == scale and r["image"] not in missing]
            plain = [row["plain"] for row in mine if row["plain"] is not None]
            yield {
                "codec": codec, "rate": rate, "effort": effort, "scale": scale,
                "images": len(mine), "too_large": len(missing),
                "bits_per_pixel": _mean([row["bits_per_pixel"] for row in mine]),
                "psnr": _mean([row["psnr"] for row in mine]),
                "plain_images": len(plain), "plain_psnr": _mean(plain),
                "above_plain": sum(row["psnr"] > (row["plain"] or inf) for row in mine),
                "by_x4": sum(row["taken"] == "4" for row in mine),
            }  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return round(mean(values), 4) if values else None


def table(result: Row) -> list[str]:
    """Return Markdown: a row for each codec, effort, rate and scale."""
    titles = ["codec", "effort", "bpp at most", "scale", "images", "bpp", "PSNR-RGB", "by x4"]
    titles += ["plain codec, same size", "images better than plain"]
    rows = [
        [
            record["codec"], str(record["effort"]), f"{record['rate']:g}", f"x{record['scale']}",
            str(record["images"]), _shown(record["bits_per_pixel"], 3), _shown(record["psnr"], 2),
            str(record["by_x4"]), _plain(record),
            f"{record['above_plain']} of {record['plain_images']}",
        ]
        for record in result["records"]
    ]  # fmt: skip
    return [grid(titles, rows)]


def _plain(record: Row) -> str:
    if record["plain_images"] < record["images"]:
        return f"- ({record['plain_images']} images)"
    return _shown(record["plain_psnr"], 2)


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
