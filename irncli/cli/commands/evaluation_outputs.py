"""Outputs of `irn eval`: tables, files and images, all checked before the work starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from irncli.batch.console import Console
from irncli.cli.commands.evaluation_options import EvalOptions
from irncli.cli.tables import terminal_width
from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import Pixels, bicubic
from irncli.errors import OutputError, UsageError
from irncli.eval import compression_plot, compression_report, page, plot, report
from irncli.eval.methods import Method
from irncli.eval.montage import Panel, comparison
from irncli.eval.records import Record, dumps, task_of
from irncli.eval.rescaling import Sample
from irncli.eval.sets import ImageSet
from irncli.io.encoding import encode
from irncli.io.paths import (
    STREAM,
    atomic_write,
    make_directory,
    real,
    refuse_existing,
    refuse_terminal,
)
from irncli.io.picture import Picture

__all__ = ["Outputs", "SavedImages", "Showing"]


@dataclass(frozen=True)
class Showing:
    """Functions that show the records of a task as table, CSV, Markdown page and PNG chart."""

    table: Callable[[Sequence[Record], int], str]
    csv: Callable[[Sequence[Record]], str]
    page: Callable[[Sequence[Record]], str]
    chart: Callable[[Sequence[Record]], bytes]


SHOWING = {
    "rescale": Showing(report.table, report.csv_text, page.page, plot.chart),
    "compress": Showing(
        compression_report.table,
        compression_report.csv_text,
        compression_report.page,
        compression_plot.chart,
    ),
}


@dataclass(frozen=True)
class Outputs:
    """The output files that the settings ask for; `-` is standard output."""

    console: Console
    settings: EvalOptions

    def _files(self) -> list[Path]:
        wanted = (self.settings.json, self.settings.csv, self.settings.markdown, self.settings.plot)
        return [path for path in wanted if path is not None]

    def refuse(self, inputs: Sequence[Path]) -> None:
        """Refuse outputs that could not be written after the work.

        Raises:
            UsageError: two outputs have the same path, an output is an input, or the chart is not
                a .png or would be printed on a terminal.
            OutputError: an output exists, or its directory does not exist.
            UnavailableError: matplotlib, which charts need, is not installed.
        """
        places = [path if path == STREAM else real(path) for path in self._files()]
        for path, place in zip(self._files(), places, strict=True):
            if places.count(place) > 1:
                raise UsageError(f"two outputs would go to {path}: give each its own")
            if path == STREAM:
                if path == self.settings.plot:
                    refuse_terminal()
                continue
            if place in {real(one) for one in inputs}:
                raise UsageError(f"{path} is an input: choose another output")
            refuse_existing(path, self.settings.overwrite)
            if not place.parent.is_dir():
                raise OutputError(
                    f"cannot create {path}: no directory {place.parent}; create it first"
                )
        if self.settings.plot is not None:
            if self.settings.plot != STREAM and self.settings.plot.suffix.lower() != ".png":
                raise UsageError(f"--plot {self.settings.plot}: the chart is a PNG, name it .png")
            plot.require()

    def write(self, records: Sequence[Record]) -> None:
        """Write all files and print the table, on standard error if standard output gets a file.

        The table is folded at the width of the terminal.
        """
        if self.settings.remark is not None:
            records = [record | {"remark": self.settings.remark} for record in records]
        show = SHOWING[task_of(records)]
        makers: tuple[tuple[Path | None, Callable[[], bytes]], ...] = (
            (self.settings.json, lambda: dumps(records).encode()),
            (self.settings.csv, lambda: show.csv(records).encode()),
            (self.settings.markdown, lambda: show.page(records).encode()),
            (self.settings.plot, lambda: show.chart(records)),
        )
        text = show.table(records, terminal_width())
        if STREAM in self._files():
            self.console.say(text)
        else:
            print(text, flush=True)  # noqa: T201
        for path, make in makers:
            if path is not None:
                self.console.write(path, make(), overwrite=self.settings.overwrite)


class SavedImages:
    """The images of `--save`: LR, restored images and comparisons, by set and method.

    The files are {root}/{set}/{model}/{stem}.png, {stem}_lr.png and {stem}_montage.png.

    Args:
        root: value of `--save`.
        sets: sets of images to be measured.
        methods: models and filters to be measured.
        overwrite: replace existing files.

    Raises:
        UsageError: two images of a set have the same name, or an output is an input.
        OutputError: a file exists, or a directory cannot be created.
    """

    def __init__(
        self,
        root: Path,
        sets: Sequence[ImageSet],
        methods: Sequence[Method],
        overwrite: bool,
    ) -> None:
        self.root, self.overwrite = root, overwrite
        inputs = {real(path) for one in sets for path in one.paths}
        for images in sets:
            _refuse_doubles(images)
            for method in methods:
                folder = self._folder(images, method)
                for path in images.paths:
                    for output in _names(folder, path):
                        refuse_existing(output, overwrite)
                        if real(output) in inputs:
                            raise UsageError(f"{output} is an input: choose another --save DIR")
        for images in sets:
            for method in methods:
                make_directory(self._folder(images, method))

    def _folder(self, images: ImageSet, method: Method) -> Path:
        name = method.name
        if method.kind == "baseline":
            name = f"{name}-x{method.scale}"
        return self.root / images.name / name

    def keeper(self, images: ImageSet, method: Method) -> Callable[[Sample], None]:
        """Return a function that writes the files of one image."""
        folder = self._folder(images, method)

        def keep(sample: Sample) -> None:
            restored = encode(Picture(sample.restored), image_format="png")
            montage = encode(Picture(_montage(sample, method)), image_format="png")
            data = (restored, sample.low_file, montage)
            for path, content in zip(_names(folder, sample.path), data, strict=True):
                atomic_write(path, content, overwrite=self.overwrite)

        return keep


def _names(folder: Path, path: Path) -> list[Path]:
    return [folder / f"{path.stem}{suffix}.png" for suffix in ("", "_lr", "_montage")]


def _refuse_doubles(images: ImageSet) -> None:
    taken: dict[Path, Path] = {}
    for path in images.paths:
        for name in _names(Path(), path):
            if name in taken:
                raise UsageError(
                    f"{taken[name]} and {path} would both be saved as {name}: rename one"
                )
            taken[name] = path


def _montage(sample: Sample, method: Method) -> Pixels:
    """Return the small image, a plain restored image, that of the method, and the original."""
    height, width = sample.hr.shape[:2]
    low_height, low_width = sample.low.shape[:2]
    source = f"from {len(sample.low_file):,} bytes"
    small = Panel(
        sample.low,
        ("gray image" if method.task == "color" else "small image",
         f"{low_width}x{low_height}, {len(sample.low_file):,} bytes"),
    )  # fmt: skip
    restored = Panel(
        sample.restored, (method.name, f"{_decibels(sample.hr, sample.restored, method)} {source}")
    )
    original = Panel(
        sample.hr, ("original", f"{width}x{height}, {sample.path.stat().st_size:,} bytes")
    )
    if method.task == "color":
        return comparison([small, restored, original], sample.low)
    low = bicubic(sample.hr, low_height, low_width)
    size = len(encode(Picture(low), image_format="png"))
    plain = bicubic(low, height, width)
    lines = ("bicubic down and up", f"{_decibels(sample.hr, plain, method)} from {size:,} bytes")
    return comparison([small, Panel(plain, lines), restored, original], plain)


def _decibels(hr: Pixels, restored: Pixels, method: Method) -> str:
    """Return the PSNR as the tables have it: on Y, or on RGB for colour."""
    a, b, on = (hr, restored, "RGB") if method.task == "color" else (luma(hr), luma(restored), "Y")
    return f"{psnr(a, b, method.scale):.2f} dB ({on})"
