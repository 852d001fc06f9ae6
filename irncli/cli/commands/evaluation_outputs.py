"""Where the results of `irn eval` go: tables, files, pictures. Refused before the work starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from irncli.batch.console import Console
from irncli.engine.rescaler import Pixels, bicubic
from irncli.errors import OutputError, UsageError
from irncli.eval import page, plot, report
from irncli.eval.contestants import Contestant
from irncli.eval.harness import PictureSet, Sample
from irncli.eval.montage import comparison
from irncli.eval.records import Record, dumps
from irncli.io.encoding import encode
from irncli.io.paths import STREAM, atomic_write, make_directory, real, refuse_existing
from irncli.io.picture import Picture

__all__ = ["Outputs", "SavedPictures", "Showing"]


@dataclass(frozen=True)
class Showing:
    """How the records of a task are shown: as table, CSV, page of Markdown and PNG chart."""

    table: Callable[[Sequence[Record]], str]
    csv: Callable[[Sequence[Record]], str]
    page: Callable[[Sequence[Record]], str]
    chart: Callable[[Sequence[Record]], bytes]


RESCALING = Showing(report.table, report.csv_text, page.page, plot.chart)


@dataclass(frozen=True)
class Outputs:
    """The files that were asked for; None: not this one. `-` is standard output.

    A remark is put into each record.
    """

    env: Console
    json: Path | None
    csv: Path | None
    markdown: Path | None
    plot: Path | None
    overwrite: bool
    remark: str | None = None
    show: Showing = RESCALING

    def _files(self) -> list[Path]:
        wanted = (self.json, self.csv, self.markdown, self.plot)
        return [path for path in wanted if path is not None]

    def refuse(self, inputs: Sequence[Path]) -> None:
        """Refuse what could not be written in the end.

        Raises:
            UsageError: two outputs to one place, an output that is an input, or a chart not .png.
            OutputError: a file that exists, or lies where there is no folder.
            UnavailableError: a chart without matplotlib.
        """
        places = [path if path == STREAM else real(path) for path in self._files()]
        for path, place in zip(self._files(), places, strict=True):
            if places.count(place) > 1:
                raise UsageError(f"two outputs would go to {path}: give each its own")
            if path == STREAM:
                continue
            if place in {real(one) for one in inputs}:
                raise UsageError(f"{path} is an input: choose another output")
            refuse_existing(path, self.overwrite)
            if not place.parent.is_dir():
                raise OutputError(f"cannot create {path}: no folder {place.parent}; make it first")
        if self.plot is not None:
            if self.plot != STREAM and self.plot.suffix.lower() != ".png":
                raise UsageError(f"--plot {self.plot}: the chart is a PNG, name it .png")
            plot.require()

    def write(self, records: Sequence[Record]) -> None:
        """Write all files, and the table: to standard output unless a file goes there."""
        if self.remark is not None:
            records = [record | {"remark": self.remark} for record in records]
        show = self.show
        makers: tuple[tuple[Path | None, Callable[[], bytes]], ...] = (
            (self.json, lambda: dumps(records).encode()),
            (self.csv, lambda: show.csv(records).encode()),
            (self.markdown, lambda: show.page(records).encode()),
            (self.plot, lambda: show.chart(records)),
        )
        text = show.table(records)
        if STREAM in self._files():
            self.env.say(text)
        else:
            print(text, flush=True)  # noqa: T201
        for path, make in makers:
            if path is not None:
                self.env.write(path, make(), overwrite=self.overwrite)


class SavedPictures:
    """`--save`: for each set and contestant a folder of LR, restored pictures and comparisons.

    Args:
        root: DIR/{set}/{model}/{stem}.png, {stem}_lr.png, {stem}_montage.png.
        sets: what is measured.
        contestants: by whom.
        overwrite: replace files that exist.

    Raises:
        UsageError: two pictures of one name in a set, or an output that is an input.
        OutputError: a file exists, or a folder cannot be made.
    """

    def __init__(
        self,
        root: Path,
        sets: Sequence[PictureSet],
        contestants: Sequence[Contestant],
        overwrite: bool,
    ) -> None:
        self.root, self.overwrite = root, overwrite
        inputs = {real(path) for one in sets for path in one.paths}
        for pictures in sets:
            _refuse_doubles(pictures)
            for contestant in contestants:
                folder = self._folder(pictures, contestant)
                for path in pictures.paths:
                    for output in _names(folder, path):
                        refuse_existing(output, overwrite)
                        if real(output) in inputs:
                            raise UsageError(f"{output} is an input: choose another --save DIR")
        for pictures in sets:
            for contestant in contestants:
                make_directory(self._folder(pictures, contestant))

    def _folder(self, pictures: PictureSet, contestant: Contestant) -> Path:
        name = contestant.name
        if contestant.kind == "baseline":
            name = f"{name}-x{contestant.scale}"
        return self.root / pictures.name / name

    def keeper(self, pictures: PictureSet, contestant: Contestant) -> Callable[[Sample], None]:
        """What writes the files of one picture."""
        folder = self._folder(pictures, contestant)

        def keep(sample: Sample) -> None:
            restored = encode(Picture(sample.restored), image_format="png")
            montage = encode(Picture(_montage(sample, contestant)), image_format="png")
            data = (restored, sample.low_file, montage)
            for path, content in zip(_names(folder, sample.path), data, strict=True):
                atomic_write(path, content, overwrite=self.overwrite)

        return keep


def _names(folder: Path, path: Path) -> list[Path]:
    return [folder / f"{path.stem}{suffix}.png" for suffix in ("", "_lr", "_montage")]


def _refuse_doubles(pictures: PictureSet) -> None:
    taken: dict[Path, Path] = {}
    for path in pictures.paths:
        for name in _names(Path(), path):
            if name in taken:
                raise UsageError(
                    f"{taken[name]} and {path} would both be saved as {name}: rename one"
                )
            taken[name] = path


def _montage(sample: Sample, contestant: Contestant) -> Pixels:
    height, width = sample.hr.shape[:2]
    plain = sample.low
    if contestant.task == "rescale":
        plain = bicubic(bicubic(sample.hr, *sample.low.shape[:2]), height, width)
    return comparison(sample.low, plain, sample.restored, sample.hr)
