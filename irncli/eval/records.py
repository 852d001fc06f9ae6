"""Records: what was measured of one contestant on one set, as plain data, and their JSON.

A JSON file is a list of records. A number that cannot be stated is null: an SSIM of a picture
smaller than its window, a z = 0 of a filter that has no z. The PSNR of equal pictures is infinite:
null for that picture; the mean of its set leaves it out, and `identical` counts it, per column.
`remark`, where there is one, is a sentence of the person who measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from irncli.errors import DataError

__all__ = ["IMAGE_NUMBERS", "PERCEPTUAL", "Record", "dumps", "loads", "mean", "merge", "plain"]

Record = dict[str, Any]

PERCEPTUAL = ("lpips", "niqe", "pi", "fid")
"""Columns that a record may have besides; `<name>_note` says why one is null."""

_TEXT, _COUNT = (str,), (int,)
_NUMBER: tuple[type, ...] = (int, float, type(None))
_KEYS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("set", "model", "kind", "task"), _TEXT),
    **dict.fromkeys(("scale", "images"), _COUNT),
    **dict.fromkeys(("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"), _NUMBER),
    **dict.fromkeys(("psnr_y_z0", "ssim_y_z0"), _NUMBER),
    **dict.fromkeys(("psnr_y_std", "psnr_y_least", "psnr_y_most"), _NUMBER),
    "seeds": _COUNT,
    "temperature": _NUMBER,
    **dict.fromkeys(("lr_psnr_y", "lr_ssim_y", "bpp", "megapixels"), _NUMBER),
    **dict.fromkeys(("seconds_down", "seconds_up", "mps_down", "mps_up"), _NUMBER),
    "weights_sha256": (str, type(None)),
    **dict.fromkeys(("device", "precision"), _TEXT),
    "threads": _COUNT,
    **dict.fromkeys(("cpu", "torch", "irn"), _TEXT),
    "identical": (dict,),
    "failed": (list,),
    "per_image": (list,),
}
IMAGE_NUMBERS = (
    *("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "psnr_y_z0", "ssim_y_z0"),
    *("lr_psnr_y", "lr_ssim_y", "bpp", "seconds_down", "seconds_up"),
)
"""Numbers of each entry of `per_image`, which also has image, width, height, psnr_y_by_seed."""


def mean(values: Iterable[float | None]) -> float:
    """Mean of the finite values; inf where there are only infinite ones; else nan."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    finite = [value for value in known if math.isfinite(value)]
    if finite:
        return fmean(finite)
    return math.inf if known else math.nan


def plain(value: float | None, digits: int = 4) -> float | None:
    """A number for JSON: rounded; None if not finite."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def dumps(records: Sequence[Record]) -> str:
    """The JSON of records, a line for each key and for each picture."""
    blocks = []
    for record in records:
        lines = [f"  {json.dumps(key)}: {_value(value)}" for key, value in record.items()]
        blocks.append(" {\n" + ",\n".join(lines) + "\n }")
    return "[\n" + ",\n".join(blocks) + "\n]\n"


def _value(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value, allow_nan=False)
    rows = [f"   {json.dumps(row, allow_nan=False)}" for row in value]
    return "[\n" + ",\n".join(rows) + "\n  ]"


def loads(data: bytes) -> list[Record]:
    """The records that `dumps` wrote.

    Raises:
        DataError: not JSON, not a list of records, or one that lacks a key or has another type.
    """
    try:
        records = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({error}): give a file that 'irn eval --json' wrote") from error
    if not isinstance(records, list) or not records:
        raise DataError("no list of records: give a file that 'irn eval --json' wrote")
    for number, record in enumerate(records, start=1):
        _check(number, record)
    return records


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check(number: int, record: object) -> None:
    if not isinstance(record, dict):
        raise DataError(f"record {number} is {type(record).__name__}, expected an object")
    for key, kinds in _KEYS.items():
        _check_value(f"record {number}", record, key, kinds)
    for name in PERCEPTUAL:
        if name in record:
            _check_value(f"record {number}", record, name, _NUMBER)
    if "remark" in record:
        _check_value(f"record {number}", record, "remark", _TEXT)
    for place, picture in enumerate(record["per_image"], start=1):
        where = f"record {number}, picture {place}"
        if not isinstance(picture, dict):
            raise DataError(f"{where} is {type(picture).__name__}, expected an object")
        _check_value(where, picture, "image", _TEXT)
        for key in ("width", "height"):
            _check_value(where, picture, key, _COUNT)
        for key in IMAGE_NUMBERS:
            _check_value(where, picture, key, _NUMBER)


def _check_value(where: str, record: dict[str, Any], key: str, kinds: tuple[type, ...]) -> None:
    if key not in record:
        raise DataError(f"{where} has no {key!r}: give a file that 'irn eval --json' wrote")
    value = record[key]
    if isinstance(value, bool) or not isinstance(value, kinds):
        names = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
        raise DataError(f"{where}: {key} is {type(value).__name__}, expected {names}")


def merge(files: Iterable[Sequence[Record]]) -> list[Record]:
    """Records of several files; of one set, model and scale the last one counts."""
    merged: dict[tuple[str, str, int], Record] = {}
    for records in files:
        for record in records:
            merged[record["set"], record["model"], record["scale"]] = record
    return list(merged.values())
