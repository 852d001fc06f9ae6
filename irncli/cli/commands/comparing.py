"""What `irn compare` does: read two pictures, measure them, show them."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from irncli import __version__
from irncli.batch.console import Console
from irncli.comparison.numbers import Numbers, measure
from irncli.comparison.page import page
from irncli.comparison.pair import Pair, Side, paired
from irncli.comparison.sheet import sheet
from irncli.errors import ExitStatus, IrnError, UsageError
from irncli.io.image_file import decode
from irncli.io.paths import STREAM, plan_outputs, refuse_existing
from irncli.io.picture import Picture

__all__ = ["Wanted", "run_comparison"]

Kind = Literal["png", "html"]
_SUFFIXES: dict[str, Kind] = {".png": "png", ".html": "html", ".htm": "html"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The arguments."""

    a: Path
    b: Path
    output: Path | None
    format: Kind | None
    crops: int
    gain: int | None
    max_pixels: int
    overwrite: bool
    json: bool
    quiet: bool
    debug: bool


def run_comparison(wanted: Wanted) -> int:
    """Compare two pictures.

    Returns:
        The exit status.

    Raises:
        UsageError: arguments that contradict each other, before any work.
    """
    env = Console(quiet=wanted.quiet, json=wanted.json, debug=wanted.debug)
    kind = _kind(wanted)
    record = _Record(wanted)
    try:
        _compare(wanted, kind, env, record)
    except IrnError as error:
        if wanted.debug:
            traceback.print_exc()
        env.complain(str(error))
        record.fail(error)
    if wanted.json:
        env.emit(record.values)
    return int(record.values["status"])


class _Record:
    """The record of `--json`: all its keys at any time, null where nothing is known."""

    def __init__(self, wanted: Wanted) -> None:
        output = None if wanted.output is None else str(wanted.output)
        self.values: dict[str, Any] = {
            "a": str(wanted.a), "b": str(wanted.b), "output": output,
            "status": int(ExitStatus.OK), "error": None,
            **dict.fromkeys(("a_size", "b_size", "bits", "scale", "identical")),
            **dict.fromkeys(("psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y")),
            **dict.fromkeys(("mean_difference", "largest_difference", "equal_share", "alpha")),
            "warnings": [],
        }  # fmt: skip

    def measured(self, pair: Pair, numbers: Numbers, notes: list[str]) -> None:
        self.values |= {
            "a_size": pair.a.size, "b_size": pair.b.size, "bits": pair.bits, "scale": pair.scale,
            **numbers.as_record(), "warnings": notes,
        }  # fmt: skip

    def fail(self, error: IrnError) -> None:
        self.values |= {"status": int(error.status), "error": str(error), "output": None}


def _kind(wanted: Wanted) -> Kind | None:
    """What to write; None: nothing.

    Raises:
        UsageError: arguments that contradict each other.
    """
    output = wanted.output
    if wanted.a == STREAM and wanted.b == STREAM:
        raise UsageError("A and B are both -: standard input holds one picture, name the other")
    if output is None:
        if wanted.format is not None:
            raise UsageError(f"--format {wanted.format} without an output: give -o FILE, or -o -")
        return None
    for path in (wanted.a, wanted.b):
        plan_outputs([path], [output])
    if output == STREAM:
        if wanted.json:
            raise UsageError("--json and -o - cannot both go to standard output: give -o FILE")
        return wanted.format or "png"
    if not output.suffix and wanted.format is not None:
        return wanted.format
    by_suffix = _SUFFIXES.get(output.suffix.lower())
    if by_suffix is None:
        got = f"not {output.suffix}" if output.suffix else "say which by a suffix or --format"
        raise UsageError(f"{output}: irn compare writes .png and .html, {got}")
    if wanted.format not in (None, by_suffix):
        raise UsageError(
            f"{output} is {by_suffix} by its suffix, but --format says {wanted.format}"
        )
    return by_suffix


def _compare(wanted: Wanted, kind: Kind | None, env: Console, record: _Record) -> None:
    output = wanted.output
    if output is not None:
        refuse_existing(output, wanted.overwrite)
    pictures = [_read(path, wanted.max_pixels, env) for path in (wanted.a, wanted.b)]
    notes = [
        f"{letter}: {note}"
        for letter, picture in zip("AB", pictures, strict=True)
        for note in picture.notes
    ]
    a, b = ((_shown(path), one) for path, one in zip((wanted.a, wanted.b), pictures, strict=True))
    pair = paired(a, b)
    del pictures, a, b
    numbers = measure(pair)
    notes += pair.notes
    record.measured(pair, numbers, notes)
    if output is not None:
        data = _made(pair, numbers, wanted, kind)
        env.write(output, data, overwrite=wanted.overwrite)
    _tell(wanted, env, pair, numbers, notes)


def _read(path: Path, max_pixels: int, env: Console) -> Picture:
    try:
        return decode(env.read(path), max_pixels=max_pixels, deep=True)
    except IrnError as error:
        raise type(error)(f"{path}: {error}") from error


def _shown(path: Path) -> str:
    """The name of a file, on one line, with nothing in it that a terminal or a page would obey."""
    name = "standard input" if path == STREAM else path.name
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def _made(pair: Pair, numbers: Numbers, wanted: Wanted, kind: Kind | None) -> bytes:
    if kind == "html":
        return page(pair, numbers, crops=wanted.crops, gain=wanted.gain, version=__version__)
    return sheet(pair, numbers, crops=wanted.crops, gain=wanted.gain)


def _tell(wanted: Wanted, env: Console, pair: Pair, numbers: Numbers, notes: list[str]) -> None:
    """The numbers, to standard output unless something else goes there, and remarks besides."""
    for note in notes:
        env.say(f"irn: {note}")
    if wanted.json or (wanted.quiet and wanted.output is not None):
        return
    lines = [("A", _line(pair.a)), ("B", _line(pair.b)), *numbers.lines()]
    text = "\n".join(f"{what:<11} {figures}" for what, figures in lines)
    if wanted.output == STREAM:
        env.say(text)
    else:
        typer.echo(text)


def _line(side: Side) -> str:
    return f"{side.name}, {side.size[0]}x{side.size[1]}, {side.bits} bits"
