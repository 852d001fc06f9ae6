r"""Gain and cost of refining the small image, on directories of images.

    python benchmarks/refinement.py Set5 --model irn-x2 --model irn-x4 --steps 10 --steps 30 \
        --quality 90 --json refinement.json --markdown refinement.md
    python benchmarks/refinement.py --from refinement.json

The harness of `irn eval` measures the following with z = 0, before and after refinement: PSNR of HR
on Y (RGB for a colour model), with `scale` pixels cropped at each border; PSNR of LR on Y against
bicubic LR (for a colour model: gray against luma); bits of the LR file per HR pixel. LR is read
back from its file: a PNG and, with --quality, also a JPEG as `irn compress --refine` makes it. Gray
images count as colour images.

The time of refinement includes the codec and the two restorations of the whole image that decide
whether the refined LR is kept. It is compared with plain downscales of the same image right before
and right after. On a CPU, processor time is measured, which other work disturbs least; on other
devices, wall-clock time.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from common import finish, hardware, middle

from irncli import __version__
from irncli.compression.pipeline import Compressor
from irncli.engine.guard import Guarded
from irncli.engine.refine import refine
from irncli.engine.rescaler import Pixels
from irncli.engine.ticks import Tick
from irncli.errors import IrnError
from irncli.eval.methods import Trained, choose, warm_up
from irncli.eval.records import Record
from irncli.eval.rescaling import MeasurementSettings, Rescaling, Sample
from irncli.eval.runner import measure_set
from irncli.eval.sets import ImageSet, find_sets
from irncli.io.picture import Picture
from irncli.operations.models import Models
from irncli.wording import counted

SUBJECT = ("model", "set", "codec", "quality", "steps")
COSTS = ("rgb_before", "rgb_after", "steps_taken", "seconds_refine", "seconds_downscale", "ratio")
HEAD = (
    "| model | set | LR file | steps | PSNR | refined | median gain, least to most "
    "| LR PSNR | refined | bits per pixel | refined | s per megapixel | x downscale |"
)
ROW = (
    "| {model}, {psnr_on} | {set} | {codec} {quality} | {steps} | {psnr_before:.2f} "
    "| {psnr_after:.2f} | {gain[median]:+.2f}, {gain[least]:+.2f} to {gain[most]:+.2f} "
    "| {lr_psnr_before:.2f} | {lr_psnr_after:.2f} | {bpp_before:.3f} | {bpp_after:.3f} "
    "| {seconds_per_megapixel:.0f} | {times_a_downscale[median]:.1f} |"
)
MACHINE = "- Machine: {hardware[cpu]}, {threads}, on {device} in {precision}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, nargs="*", help="directories of images")
    parser.add_argument("--model", action="append", default=[], help="name or path; repeatable")
    parser.add_argument("--steps", type=int, action="append", help="default: 10 and 30; repeatable")
    parser.add_argument(
        "--quality", type=int, action="append", default=[], help="of a JPEG; repeatable"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--from", type=Path, dest="earlier", help="JSON whose records are kept")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path, help="file for the table")
    options = parser.parse_args()
    if bool(options.data) != bool(options.model) or not (options.data or options.earlier):
        parser.error("give DATA and --model, or --from")
    found = json.loads(options.earlier.read_bytes())["records"] if options.earlier else []
    records: dict[tuple[Any, ...], Record] = {}
    for record in chain(found, measured(options)):
        records[tuple(record[key] for key in SUBJECT)] = record
        finish({"records": list(records.values())}, options.json)
    lines = table(list(records.values()))
    print(*lines, sep="\n")
    if options.markdown is not None:
        options.markdown.write_text("\n".join([*lines, ""]), encoding="utf-8")


@dataclass(frozen=True)
class Refining(Trained):
    """A model whose LR is refined and goes through a file, and the metrics of what that costs.

    Attributes:
        steps: number of refinement steps; None: no refinement.
        quality: quality of the JPEG; None: PNG.
        image_columns: columns of the last image.
    """

    steps: int | None = None
    quality: int | None = None
    image_columns: dict[str, float | None] = field(default_factory=dict)

    def down(self, hr: Pixels, tick: Tick) -> Guarded:
        """Return LR as read back from its file; `tick` is called only at the end."""
        low, seconds = self._downscaled(hr)
        self.image_columns.clear()
        if self.steps is not None:
            as_stored = None if self.quality is None else self._stored
            began = self._now()
            refined = refine(self.rescaler, hr, low, steps=self.steps, as_stored=as_stored)
            spent, low = self._now() - began, refined.pixels
            peer = (seconds + self._downscaled(hr)[1]) / 2
            costs = (refined.before, refined.after, refined.steps, spent, peer, spent / peer)
            self.image_columns.update(zip(COSTS, costs, strict=True))
        self.image_columns["bpp"] = 8 * len(self._coded(low)) / (hr.shape[0] * hr.shape[1])
        tick(1.0)
        return Guarded(self._stored(low))

    def _downscaled(self, hr: Pixels) -> tuple[Pixels, float]:
        began = self._now()
        return self.rescaler.downscale(hr), self._now() - began

    def _now(self) -> float:
        return time.process_time() if self.placement()[0] == "cpu" else time.perf_counter()

    @property
    def _compressor(self) -> Compressor:
        return Compressor(self.rescaler, "png" if self.quality is None else "jpeg")

    def _coded(self, low: Pixels) -> bytes:
        picture = Picture(low.repeat(3 // low.shape[2], axis=2), gray=low.shape[2] == 1)
        return self._compressor.code(picture, self.quality or 100)

    def _stored(self, low: Pixels) -> Pixels:
        return self._compressor.reread(self._coded(low))[:, :, : low.shape[2]]

    def add(self, sample: Sample) -> dict[str, float | None]:
        """Return the columns of one image."""
        del sample
        return dict(self.image_columns)

    def columns(self) -> dict[str, Any]:
        """Return the columns of the set."""
        return {"codec": self._compressor.codec, "quality": self.quality, "steps": self.steps}


def measured(options: argparse.Namespace) -> Iterator[Record]:
    """Yield a record for each set, model, codec and number of steps."""
    loader = Models(options.device)
    models = choose(options.model, [], None, loader) if options.model else []
    for pictures in find_sets(options.data):
        for model in models:
            for quality in (None, *options.quality):
                before = measure(pictures, model, None, quality)
                for steps in options.steps or (10, 30):
                    yield compared(before, measure(pictures, model, steps, quality))


def measure(files: ImageSet, model: Any, steps: int | None, quality: int | None) -> Record:
    """Return the harness's record of a model whose LR is refined in `steps` steps."""

    def stop(path: Path, error: IrnError) -> NoReturn:
        raise SystemExit(f"{path}: {error}")

    refining = Refining(model.name, model.model, steps=steps, quality=quality)
    warm_up(refining)
    settings = MeasurementSettings(temperature=0, version=__version__)
    measurement = Rescaling(refining, settings, metrics=refining)
    (record,) = measure_set(files, measurement, failed=stop)
    return record


def compared(before: Record, after: Record) -> Record:
    """Combine the records of a set before and after refinement, and add gains and costs."""
    on = "psnr_rgb" if after["task"] == "color" else "psnr_y"
    images = [
        {key: new[key] for key in ("image", "width", "height", *COSTS)} | changes(old, new, on)
        for old, new in zip(before["per_image"], after["per_image"], strict=True)
    ]
    seconds = sum(image["seconds_refine"] for image in images)
    kept = (*SUBJECT, "task", "scale", "images", "megapixels", "weights_sha256")
    return {
        **{key: after[key] for key in (*kept, "device", "precision", "irn")},
        "psnr_on": "RGB" if on == "psnr_rgb" else "Y",
        **changes(before, after, on),
        "gain": middle([image["psnr_after"] - image["psnr_before"] for image in images]),
        "seconds_per_megapixel": round(seconds / after["megapixels"], 3),
        "times_a_downscale": middle([image["ratio"] for image in images]),
        "hardware": hardware(),
        "per_image": images,
    }


def changes(before: Record, after: Record, on: str) -> dict[str, Any]:
    """Return PSNR, PSNR of LR, and bits of an image or a set, before and after."""
    columns = (("psnr", on), ("lr_psnr", "lr_psnr_y"), ("bpp", "bpp"))
    ends = (("before", before), ("after", after))
    return {f"{name}_{end}": record[key] for name, key in columns for end, record in ends}


def table(records: Sequence[Record]) -> list[str]:
    """Return lines of Markdown: the machines, and a table with a row for each record."""
    machines = dict.fromkeys(
        MACHINE.format(**record, threads=counted(record["hardware"]["threads"], "thread"))
        for record in records
    )
    rows = [ROW.format(**record).replace(" None |", " |") for record in records]
    return [*machines, "", HEAD, "|---" * 13 + "|", *rows]


if __name__ == "__main__":
    main()
