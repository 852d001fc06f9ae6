"""Settings that are common to all batches, regardless of the operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from irncli.limits import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from irncli.engine.device import Precision
    from irncli.io.encoding import Format

__all__ = ["BatchSettings"]


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Settings of a batch, with the defaults of the command line.

    Attributes:
        inputs: files and directories; `-` is standard input.
        files_from: file with the names of more inputs.
        recursive: also read the subdirectories of directories.
        output: output file for a single input, or a template.
        output_dir: directory of the outputs.
        image_format: format of the outputs; None: chosen by the suffix.
        quality: quality of lossy formats, 1 to 100; None: that of the operation.
        tile: side of a tile in HR pixels, at least 64; `auto`, or 0 for no tiles.
        device: device, or several devices separated by commas.
        threads: number of CPU threads, with `ray` of each worker; None: chosen automatically.
        ray: Ray cluster, `auto`, `local` or HOST:PORT; None to use this machine only.
        precision: floating-point precision of the network.
        max_pixels: refuse images with more pixels than this.
        overwrite: replace existing outputs.
        skip_existing: skip outputs that were made before from the same file with the same settings.
        dry_run: report what would be done without writing anything.
        frame: number of the only frame to take from files of several, from 0; None: all frames.
        background: colour on which transparent images are put; None: alpha is kept.
        strip: leave out EXIF (except the orientation), XMP, DPI and text.
        preserve_times: give outputs the times of their inputs.
        json: print records to standard output.
        quiet: print errors only.
        verbose: print a line for each file even with `json` or to standard output, with its time.
        debug: print tracebacks.
    """

    inputs: list[Path] | None = None
    files_from: Path | None = None
    recursive: bool = False
    output: Path | None = None
    output_dir: Path | None = None
    image_format: Format | None = None
    quality: int | None = None
    tile: str = "auto"
    device: str = "auto"
    threads: int | None = None
    ray: str | None = None
    precision: Precision = "auto"
    max_pixels: int = DEFAULT_MAX_PIXELS
    overwrite: bool = False
    skip_existing: bool = False
    dry_run: bool = False
    frame: int | None = None
    background: str | None = None
    strip: bool = False
    preserve_times: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
