"""Settings of `irn eval`, each declared once as an option."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from irncli.cli import options
from irncli.cli.declare import argument, option
from irncli.cli.help import candidates
from irncli.cli.help.groups import FILES, MEASURED
from irncli.cli.numbers import parse_scale
from irncli.errors import UsageError
from irncli.limits import DEFAULT_MAX_PIXELS, MAX_SCALE

__all__ = ["EvalOptions"]

SHOWING = ("source", "json", "csv", "markdown", "plot", "remark", "overwrite", "quiet", "debug")
"""Fields that have a meaning with --from; the others say what is measured, and how."""
NO_RESTORER = "none"
BASELINES = ("bicubic", "lanczos")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EvalOptions:
    """Settings of `irn eval`: what to measure, and where to write the results."""

    data: Annotated[
        list[Path] | None,
        argument(
            MEASURED, "DATA...", "Directories, each of which is one set; single files form another."
        ),
    ] = None
    task: Annotated[
        Literal["rescale", "compress"],
        option(
            MEASURED,
            "--task",
            "rescale: measure restored images; compress: measure quality against bits per pixel, "
            "compared with JPEG, WebP and AVIF.",
        ),
    ] = "rescale"
    model: Annotated[
        list[str] | None,
        option(
            MEASURED,
            "--model M",
            "Name or path of a model; repeatable.",
            autocompletion=candidates.invertible_models,
        ),
    ] = None
    scale: Annotated[
        str | None, option(MEASURED, "--scale S", "Measure this whole-number scale only.")
    ] = None
    baseline: Annotated[
        str | None,
        option(MEASURED, "--baseline B,...", "Filters to compare with: bicubic,lanczos."),
    ] = None
    seeds: Annotated[
        int | None,
        option(MEASURED, "--seeds N", "Number of draws of z. The default is 1.", min=1, max=1000),
    ] = None
    temperature: Annotated[
        float | None,
        option(
            MEASURED,
            "--temperature T",
            "Width of the random latent z; 0 uses z = 0.",
            min=0.0,
            max=100.0,
        ),
    ] = None
    guard: options.Guard = "on"
    qualities: Annotated[
        str | None,
        option(
            MEASURED,
            "--qualities Q,...",
            "Qualities for --task compress. The default is 30,50,70,80,90.",
        ),
    ] = None
    effort: Annotated[
        int | None,
        option(
            MEASURED,
            "--effort N",
            "Effort of irn's JPEG for --task compress, as for irn compress. The default is 1, or 0 "
            "with --restorer.",
            min=0,
            max=9,
        ),
    ] = None
    restorer: Annotated[
        str | None,
        option(
            MEASURED,
            "--restorer M",
            "Restoration module for --task compress, or none.",
            autocompletion=candidates.restorers,
        ),
    ] = None
    perceptual: Annotated[
        str | None,
        option(MEASURED, "--perceptual P,...", "Also measure lpips,niqe,pi,fid (needs pyiqa)."),
    ] = None
    json: Annotated[
        Path | None,
        option(FILES, "--json F", "Write the records as JSON; - is standard output."),
    ] = None
    csv: Annotated[
        Path | None, option(FILES, "--csv F", "Write a CSV line for each set and image.")
    ] = None
    markdown: Annotated[
        Path | None,
        option(FILES, "--markdown F", "Write a page that compares with the paper's table."),
    ] = None
    plot: Annotated[
        Path | None, option(FILES, "--plot F.png", "Write a chart (needs matplotlib).")
    ] = None
    save: Annotated[
        Path | None,
        option(
            FILES,
            "--save DIR",
            "Save LR, restored images and comparisons.",
            autocompletion=candidates.directories,
        ),
    ] = None
    remark: Annotated[
        str | None,
        option(FILES, "--remark TEXT", "Remark to keep in the records and show on the page."),
    ] = None
    source: Annotated[
        list[Path] | None,
        option(FILES, "--from F.json", "Show these records instead of measuring."),
    ] = None
    tile: options.TileSide = "auto"
    device: options.Device = "auto"
    precision: options.PrecisionName = "auto"
    threads: options.Threads = None
    max_pixels: options.MaxPixels = DEFAULT_MAX_PIXELS
    overwrite: options.Overwrite = False
    quiet: options.Quiet = False
    debug: options.Debug = False

    def check(self) -> None:
        """Refuse options that cannot be parsed or contradict each other.

        Raises:
            UsageError: an option is invalid, or options contradict each other.
        """
        foreign: dict[str, object] = {
            "--qualities": self.qualities, "--restorer": self.restorer, "--effort": self.effort,
        }  # fmt: skip
        if self.task == "compress":
            foreign = {
                "--baseline": self.baseline, "--seeds": self.seeds,
                "--temperature": self.temperature, "--perceptual": self.perceptual,
                "--save": self.save, "--guard": None if self.guard == "on" else self.guard,
            }  # fmt: skip
        for name, value in foreign.items():
            if value is not None:
                raise UsageError(f"{name} has no meaning with --task {self.task}: leave it out")
        measuring = [each for each in fields(self) if each.name not in SHOWING]
        given = [each for each in measuring if getattr(self, each.name) not in (each.default, [])]
        if self.source and given:
            raise UsageError("--from shows existing records: leave out what is to be measured")
        if not self.data and not self.source:
            raise UsageError("nothing to measure: give directories of images, or --from F.json")
        if self.effort and self.restorer not in (None, NO_RESTORER):
            raise UsageError("--effort with --restorer: a restorer is for --effort 0")
        self.whole_scale()
        self.filters()
        self.chosen_qualities()

    def whole_scale(self) -> int | None:
        """Return the scale as a whole number.

        Raises:
            UsageError: the scale is not a whole number from 2 to 64.
        """
        if self.scale is None:
            return None
        scale = parse_scale(self.scale)
        if not 2 <= scale <= MAX_SCALE or scale != int(scale):
            raise UsageError(f"--scale {self.scale}: expected a whole number, 2 to {MAX_SCALE}")
        return int(scale)

    def filters(self) -> list[str]:
        """Return the names of the baselines.

        Raises:
            UsageError: a baseline is unknown.
        """
        from irncli.wording import did_you_mean

        text = self.baseline
        names = [] if text is None else [name.strip() for name in text.split(",")]
        for name in names:
            if name not in BASELINES:
                raise UsageError(
                    f"unknown baseline {name!r}{did_you_mean(name, BASELINES)}: expected "
                    f"{', '.join(BASELINES)}"
                )
        return list(dict.fromkeys(names))

    def chosen_qualities(self) -> tuple[int, ...] | None:
        """Return the distinct qualities in ascending order, or None for the default qualities.

        Raises:
            UsageError: a quality is not a number from 1 to 100.
        """
        if self.qualities is None:
            return None
        words = [word.strip() for word in self.qualities.split(",")]
        if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= 100 for word in words):
            raise UsageError(
                f"--qualities {self.qualities}: expected numbers from 1 to 100, such as 30,50,70"
            )
        return tuple(sorted({int(word) for word in words}))
