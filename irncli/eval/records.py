"""Records: the measurements on one set as plain data, and their JSON.

A JSON file is a list of records. A number that does not exist is null: the SSIM of an image smaller
than the SSIM window, or the z = 0 columns of a filter, which has no z. The PSNR of equal images is
infinite: it is null for that image, the mean of the set leaves it out, and `identical` counts such
images per column.
"""

# This module does without `from __future__ import annotations`: with annotations as strings,
# NotRequired would have no effect on __required_keys__.
import json
import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from types import NoneType, UnionType
from typing import Any, NotRequired, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from irncli.errors import DataError

__all__ = [
    "IMAGE_NUMBERS",
    "PERCEPTUAL",
    "CompressionImage",
    "CompressionRecord",
    "Failure",
    "Record",
    "RescalingImage",
    "RescalingRecord",
    "dumps",
    "loads",
    "mean",
    "merge",
    "plain",
    "task_of",
]

Number = int | float | None


class Failure(TypedDict):
    """An image that could not be measured."""

    image: str
    error: str


class _Scores(TypedDict):
    """Numbers of one image, and their means or sums over a set."""

    psnr_y: Number
    ssim_y: Number
    psnr_rgb: Number
    ssim_rgb: Number
    psnr_y_z0: Number
    ssim_y_z0: Number
    lr_psnr_y: Number
    lr_ssim_y: Number
    bpp: Number
    seconds_down: Number
    seconds_up: Number


class RescalingImage(_Scores):
    """Measurements of one image that was downscaled and restored."""

    image: str
    width: int
    height: int
    psnr_y_by_seed: NotRequired[list[Number]]


class RescalingRecord(_Scores):
    """Measurements of one model or filter on one set: `irn eval`, task `rescale` or `color`."""

    set: str
    model: str
    kind: str
    task: str
    scale: int
    guard: NotRequired[bool | None]
    images: int
    psnr_y_std: Number
    psnr_y_least: Number
    psnr_y_most: Number
    seeds: int
    temperature: Number
    megapixels: Number
    mps_down: Number
    mps_up: Number
    weights_sha256: str | None
    device: str
    precision: str
    threads: int
    cpu: str
    torch: str
    irn: str
    lpips: NotRequired[Number]
    niqe: NotRequired[Number]
    pi: NotRequired[Number]
    fid: NotRequired[Number]
    identical: dict[str, int]
    failed: list[Failure]
    per_image: list[RescalingImage]
    remark: NotRequired[str]


class CompressionImage(TypedDict):
    """Measurements of one image coded by one method."""

    image: str
    width: int
    height: int
    codec_quality: int | None
    bytes: int
    bits_per_pixel: Number
    psnr_rgb: Number
    ssim_rgb: Number
    ssimulacra2: NotRequired[Number]


class CompressionRecord(TypedDict):
    """Measurements of one method at one quality on one set: `irn eval --task compress`."""

    task: str
    set: str
    model: str
    quality: int | None
    scale: int
    images: int
    too_large: int
    bits_per_pixel: Number
    psnr_rgb: Number
    ssim_rgb: Number
    ssimulacra2: NotRequired[Number]
    identical: dict[str, int]
    network: str | None
    weights_sha256: str | None
    restorer: str | None
    restorer_sha256: str | None
    device: str
    precision: str | None
    threads: int
    cpu: str
    torch: str
    irn: str
    failed: list[Failure]
    per_image: list[CompressionImage]
    bd_rate: NotRequired[dict[str, Number]]
    bd_rate_in_range: NotRequired[dict[str, Number]]
    bd_rate_ssim: NotRequired[dict[str, Number]]
    bd_rate_ssimulacra2: NotRequired[dict[str, Number]]
    gain: NotRequired[dict[str, dict[str, Number]]]
    effort: NotRequired[int]
    remark: NotRequired[str]


Record = dict[str, Any]
"""A RescalingRecord or a CompressionRecord, for code that accepts both."""

PERCEPTUAL = ("lpips", "niqe", "pi", "fid")
"""Optional columns; `<name>_note` gives the reason if one is null."""
IMAGE_NUMBERS = tuple(get_type_hints(_Scores))
"""Numeric columns that every RescalingImage has."""
_ORIGIN = "give a file that 'irn eval --json' wrote"


def mean(values: Iterable[float | None]) -> float:
    """Return the mean of the finite values, inf if all values are infinite, or nan without values.

    None and nan are ignored.
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    finite = [value for value in known if math.isfinite(value)]
    if finite:
        return fmean(finite)
    return math.inf if known else math.nan


def plain(value: float | None, digits: int = 4) -> float | None:
    """Round a number for JSON; return None if it is not finite."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def dumps(records: Sequence[Record]) -> str:
    """Return records as JSON, with one line per key and per image."""
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
    """Return the records in a JSON file that `dumps` wrote.

    All records are of compression, or all are of rescaling and colour.

    Raises:
        DataError: the data are not JSON or not a list of records, a record lacks a key, a value has
            the wrong type, or the records are of both kinds.
    """
    try:
        records = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({error}): {_ORIGIN}") from error
    if not isinstance(records, list) or not records:
        raise DataError(f"not a list of records: {_ORIGIN}")
    for number, record in enumerate(records, start=1):
        compressed = isinstance(record, dict) and record.get("task") == "compress"
        _check(f"record {number}", record, CompressionRecord if compressed else RescalingRecord)
    task_of(records)
    return records


def task_of(records: Sequence[Record]) -> str:
    """Return `compress` for records of compression, `rescale` for those of rescaling and colour.

    Raises:
        DataError: the records are of both kinds.
    """
    tasks = {"compress" if record["task"] == "compress" else "rescale" for record in records}
    if len(tasks) > 1:
        raise DataError("records of rescaling and of compression: show them separately")
    return tasks.pop()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _check(where: str, value: object, kind: Any) -> None:
    """Check a value against a type as the classes above annotate it.

    Raises:
        DataError: the value has another type or lacks a key.
    """
    origin = get_origin(kind)
    if is_typeddict(kind):
        _check_record(where, value, kind)
    elif origin is list:
        for place, each in enumerate(_is_a(where, value, list), start=1):
            _check(f"{where}, {place}", each, get_args(kind)[0])
    elif origin is dict:
        for key, each in _is_a(where, value, dict).items():
            _check(f"{where}, {key}", each, get_args(kind)[1])
    else:
        _is_a(where, value, *(get_args(kind) if origin is UnionType else (kind,)))


def _check_record(where: str, value: object, kind: Any) -> None:
    record, hints = _is_a(where, value, dict), get_type_hints(kind)
    for key in kind.__required_keys__:
        if key not in record:
            raise DataError(f"{where} has no {key!r}: {_ORIGIN}")
    for key in hints.keys() & record.keys():
        _check(f"{where}, {key}", record[key], hints[key])


def _is_a(where: str, value: object, *kinds: type) -> Any:
    fits = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
    if not fits:
        names = " or ".join("null" if each is NoneType else each.__name__ for each in kinds)
        raise DataError(f"{where} is {type(value).__name__}, expected {names}")
    return value


def merge(files: Iterable[Sequence[Record]]) -> list[Record]:
    """Join the records of several files.

    If several records have the same set, model, scale, quality and effort, the last one is kept.

    Raises:
        DataError: some records are of compression and others are not, or two differ in the guard.
    """
    merged: dict[tuple[object, ...], Record] = {}
    for records in files:
        for record in records:
            names = ("set", "model", "scale", "quality", "effort")
            key = tuple(record.get(name) for name in names)
            if record.get("guard") != merged.get(key, record).get("guard"):
                where = f"{record['model']} on {record['set']}"
                raise DataError(f"{where} with and without the guard: show one of them at a time")
            merged[key] = record
    task_of(list(merged.values()))
    return list(merged.values())
