"""From the arguments of an image command to pairs of input and output."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from irncli.errors import OutputError, UsageError
from irncli.io.encoding import Format, format_for_suffix, suffix_for_format
from irncli.io.paths import STREAM, expand_inputs, make_directory, plan_outputs

__all__ = [
    "EVERY_FORMAT",
    "LOSSLESS_OR_JPEG",
    "output_format",
    "plan",
    "refuse_existing",
    "tile_side",
]

LOSSLESS_OR_JPEG: tuple[Format, ...] = ("png", "jpeg")
"""What LR is written as where no codec is asked for."""
EVERY_FORMAT: tuple[Format, ...] = ("png", "jpeg", "webp", "avif", "jxl")


def tile_side(text: str) -> int | None:
    """`--tile`: None for auto."""
    if text == "auto":
        return None
    if not text.isdecimal() or 0 < int(text) < 64:
        raise UsageError(f"--tile {text}: expected auto, 0 (none) or at least 64 HR pixels")
    return int(text)


def output_format(
    output: Path, wanted: Format | None, allowed: tuple[Format, ...] = LOSSLESS_OR_JPEG
) -> Format:
    """The format to write: by the suffix, which `--format` must not contradict.

    Args:
        output: a file, or `-`.
        wanted: `--format`.
        allowed: the formats that the command writes.

    Raises:
        UsageError: it does, or the suffix is of no format that the command writes.
    """
    if output == STREAM:
        return wanted or "png"
    by_suffix = format_for_suffix(output.suffix)
    if by_suffix not in allowed:
        *most, last = map(suffix_for_format, allowed)
        known = f"{', '.join(most)} and {last}" if most else last
        raise UsageError(f"{output}: irn writes {known}, not {output.suffix or 'no suffix'}")
    if wanted is not None and wanted != by_suffix:
        raise UsageError(f"{output} is {by_suffix} by its suffix, but --format says {wanted}")
    return by_suffix


def refuse_existing(output: Path, overwrite: bool) -> None:
    """Raise OutputError for an output that is there: before the work, not after it."""
    if not overwrite and output != STREAM and os.path.lexists(output):
        raise OutputError(f"{output} exists already: pass --overwrite to replace it")


def plan(
    inputs: Sequence[Path],
    output: Path | None,
    output_dir: Path | None,
    wanted: Format | None,
    name: Callable[[Path], str],
    allowed: tuple[Format, ...] = LOSSLESS_OR_JPEG,
) -> list[tuple[Path, Path]]:
    """Pairs of input and output.

    Args:
        inputs: files, directories, `-`.
        output: `-o`, for a single input.
        output_dir: `--output-dir`; made if need be.
        wanted: `--format` or `--codec`.
        name: stem of the default output of an input.
        allowed: formats that the command writes.

    Raises:
        UsageError: arguments that contradict each other, before any work.
        OutputError: the directory cannot be made.
    """
    if output is not None and output_dir is not None:
        raise UsageError("-o and --output-dir exclude each other: give one")
    files = expand_inputs(inputs)
    if output is not None and len(files) > 1:
        raise UsageError(f"-o {output} with {len(files)} inputs: use --output-dir")
    if output is not None:
        output_format(output, wanted, allowed)
    if output_dir is not None:
        make_directory(output_dir)
    suffix = suffix_for_format(wanted or "png")

    def output_for(path: Path) -> Path:
        if output is not None:
            return output
        if path == STREAM:
            return STREAM
        return (output_dir or path.parent) / (name(path) + suffix)

    return plan_outputs(files, output_for)
