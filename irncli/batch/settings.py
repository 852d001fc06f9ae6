"""The settings that every batch of files has, whatever is done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from irncli.engine.device import Precision
    from irncli.io.encoding import Format

__all__ = ["Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a batch, with the defaults of the command line.

    Attributes:
        inputs: files and directories; `-` is standard input.
        files_from: file that names more inputs.
        recursive: also look below directories.
        output: a file for one input, or a template.
        output_dir: directory of the outputs.
        image_format: format of the outputs; None: by the suffix.
        quality: quality of lossy formats, 1 to 100.
        tile: side of a tile in HR pixels; `auto`, or 0 for none.
        device: one, or several with commas between them.
        ray: address of a Ray cluster; None: this machine.
        precision: floating-point precision of the network.
        max_pixels: refuse larger images.
        overwrite: replace outputs that exist.
        skip_existing: skip what was made before from the same file with the same settings.
        dry_run: report what would be done, and write nothing.
        strip: leave out the metadata.
        preserve_times: give outputs the times of their inputs.
        json: print records to standard output.
        quiet: print errors only.
        verbose: print a line for each file.
        debug: print tracebacks.
    """

    inputs: list[Path] | None = None
    files_from: Path | None = None
    recursive: bool = False
    output: Path | None = None
    output_dir: Path | None = None
    image_format: Format | None = None
    quality: int = 95
    tile: str = "auto"
    device: str = "auto"
    ray: str | None = None
    precision: Precision = "auto"
    max_pixels: int = 500_000_000
    overwrite: bool = False
    skip_existing: bool = False
    dry_run: bool = False
    strip: bool = False
    preserve_times: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
