"""`irn compare`: compare two images in numbers, in one image, or on a page."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from irncli.cli import options
from irncli.cli.declare import argument, option, settings_command
from irncli.cli.help import groups
from irncli.errors import ExitStatus, IrnError, UsageError
from irncli.limits import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from irncli.batch.console import Console
    from irncli.comparison.numbers import Numbers
    from irncli.comparison.pair import Pair, Side
    from irncli.io.picture import Picture

__all__ = ["compare"]

Kind = Literal["png", "html"]
_SUFFIXES: dict[str, Kind] = {".png": "png", ".html": "html", ".htm": "html"}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CompareOptions:
    """Settings of `irn compare`, each declared as an option."""

    a: Annotated[
        Path,
        argument(groups.FILES, "A", "First image, usually the original; - is standard input."),
    ]
    b: Annotated[
        Path,
        argument(groups.FILES, "B", "Second image, such as the restored one; - is standard input."),
    ]
    output: Annotated[
        Path | None,
        option(
            groups.FILES,
            "--output -o FILE",
            "Write an image (.png) or a page with a slider (.html) of both; - is standard output.",
        ),
    ] = None
    kind: Annotated[
        Literal["png", "html"] | None,
        option(
            groups.FILES,
            "--format",
            "Output format. The default is that of the file name suffix, or PNG.",
        ),
    ] = None
    crops: Annotated[
        int,
        option(
            groups.RESULT,
            "--crops N",
            "Number of details to show, from where they differ most.",
            min=0,
            max=48,
        ),
    ] = 3
    gain: Annotated[
        int | None,
        option(
            groups.RESULT,
            "--amplify N",
            "Factor by which the difference is brightened. By default it is chosen so that the "
            "difference is visible.",
            min=1,
            max=65535,
        ),
    ] = None
    max_pixels: options.MaxPixels = DEFAULT_MAX_PIXELS
    overwrite: options.Overwrite = False
    json: Annotated[
        bool, option(groups.MESSAGES, "--json", "Print the numbers as one JSON record.")
    ] = False
    quiet: options.Quiet = False
    debug: options.Debug = False


@settings_command
def compare(settings: CompareOptions) -> int:
    """Compare two images, in numbers or side by side.

    PSNR and SSIM are computed over the RGB values and over the luma Y of the whole image (irn eval
    leaves out the edges). If one image is the other made small, it is enlarged bicubically first;
    other differences in size are refused. If one image has 16 bits per channel, both are compared
    at 16. Transparent images are compared on white, and their alpha is compared as well.

    -o FILE.png shows A, B, their brightened difference, and details from where they differ most.
    -o FILE.html is a self-contained page for any browser: a slider between A and B, the difference,
    the details and the numbers.

    Examples:
      irn compare photo.png back.png
      irn compare photo.png back.png -o look.html
      irn compare photo.png small.png -o look.png --crops 5
    """
    from irncli.batch.console import Console

    console = Console(quiet=settings.quiet, json=settings.json, debug=settings.debug)
    kind = _kind(settings)
    record = _Record(settings)
    try:
        _compare(settings, kind, console, record)
    except IrnError as error:
        if settings.debug:
            traceback.print_exc()
        console.complain(str(error))
        record.fail(error)
    if settings.json:
        console.emit(record.values)
    return int(record.values["status"])


class _Record:
    """The record of `--json`, which always has all keys; unknown values are null."""

    def __init__(self, settings: CompareOptions) -> None:
        output = None if settings.output is None else str(settings.output)
        self.values: dict[str, Any] = {
            "a": str(settings.a), "b": str(settings.b), "output": output,
            "status": int(ExitStatus.OK), "error": None,
            **dict.fromkeys(("a_size", "b_size", "bits", "scale", "identical")),
            **dict.fromkeys(("psnr_rgb", "ssim_rgb", "psnr_y", "ssim_y")),
            **dict.fromkeys(("mean_difference", "largest_difference", "equal_share", "alpha")),
            "warnings": [],
        }  # fmt: skip

    def measured(self, pair: "Pair", numbers: "Numbers", notes: list[str]) -> None:
        self.values |= {
            "a_size": pair.a.size, "b_size": pair.b.size, "bits": pair.bits, "scale": pair.scale,
            **numbers.as_record(), "warnings": notes,
        }  # fmt: skip

    def fail(self, error: IrnError) -> None:
        self.values |= {"status": int(error.status), "error": str(error), "output": None}


def _kind(settings: CompareOptions) -> Kind | None:
    """Return the kind of output, or None if nothing is written.

    Raises:
        UsageError: the arguments contradict each other.
    """
    from irncli.io.paths import STREAM, plan_outputs

    output = settings.output
    if settings.a == STREAM and settings.b == STREAM:
        raise UsageError(
            "A and B are both -: standard input holds one image, name a file for the other"
        )
    if output is None:
        _refuse_without_output(settings)
        return None
    for path in (settings.a, settings.b):
        plan_outputs([path], [output])
    if output == STREAM:
        return _streamed_kind(settings)
    if not output.suffix and settings.kind is not None:
        return settings.kind
    by_suffix = _SUFFIXES.get(output.suffix.lower())
    if by_suffix is None:
        got = f"not {output.suffix}" if output.suffix else "choose one by a suffix or --format"
        raise UsageError(f"{output}: irn compare writes .png and .html, {got}")
    if settings.kind not in (None, by_suffix):
        raise UsageError(
            f"{output} is {by_suffix} by its suffix, but --format says {settings.kind}"
        )
    return by_suffix


def _refuse_without_output(settings: CompareOptions) -> None:
    """Refuse options that only affect an output.

    Raises:
        UsageError: there is such an option.
    """
    if settings.kind is not None:
        raise UsageError(f"--format {settings.kind} without an output: give -o FILE, or -o -")
    if settings.gain is not None or settings.crops != CompareOptions.crops:
        raise UsageError("--crops and --amplify need an output: give -o FILE, or -o -")


def _streamed_kind(settings: CompareOptions) -> Kind:
    """Return the kind of output that goes to standard output.

    Raises:
        UsageError: the records go there as well, or it is a terminal, which cannot show an image.
    """
    from irncli.io.paths import refuse_terminal

    if settings.json:
        raise UsageError("--json and -o - cannot both go to standard output: give -o FILE")
    if settings.kind != "html":
        refuse_terminal()
    return settings.kind or "png"


def _compare(
    settings: CompareOptions, kind: Kind | None, console: "Console", record: _Record
) -> None:
    from irncli.comparison.numbers import measure
    from irncli.comparison.pair import paired
    from irncli.io.paths import refuse_existing

    output = settings.output
    if output is not None:
        refuse_existing(output, settings.overwrite)
    pictures = [_read(path, settings.max_pixels, console) for path in (settings.a, settings.b)]
    notes = [
        f"{letter}: {note}"
        for letter, picture in zip("AB", pictures, strict=True)
        for note in picture.notes
    ]
    a, b = (
        (_shown(path), one) for path, one in zip((settings.a, settings.b), pictures, strict=True)
    )
    pair = paired(a, b)
    del pictures, a, b
    numbers = measure(pair)
    notes += pair.notes
    record.measured(pair, numbers, notes)
    if output is not None:
        data = _made(pair, numbers, settings, kind)
        console.write(output, data, overwrite=settings.overwrite)
    _print(settings, console, pair, numbers, notes)


def _read(path: Path, max_pixels: int, console: "Console") -> "Picture":
    from irncli.io.image_file import decode

    try:
        return decode(console.read(path), max_pixels=max_pixels, deep=True)
    except IrnError as error:
        raise type(error)(f"{path}: {error}") from error


def _shown(path: Path) -> str:
    """Return the name of a file in which unprintable characters are replaced."""
    from irncli.io.paths import STREAM

    name = "standard input" if path == STREAM else path.name
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def _made(pair: "Pair", numbers: "Numbers", settings: CompareOptions, kind: Kind | None) -> bytes:
    from irncli import __version__
    from irncli.comparison.page import page
    from irncli.comparison.sheet import sheet

    if kind == "html":
        return page(pair, numbers, crops=settings.crops, gain=settings.gain, version=__version__)
    return sheet(pair, numbers, crops=settings.crops, gain=settings.gain)


def _print(
    settings: CompareOptions, console: "Console", pair: "Pair", numbers: "Numbers", notes: list[str]
) -> None:
    """Print the notes and the numbers; the numbers go to standard output, unless the image does."""
    for note in notes:
        console.say(f"irn: {note}")
    if settings.json or (settings.quiet and settings.output is not None):
        return
    from irncli.io.paths import STREAM

    lines = [("A", _line(pair.a)), ("B", _line(pair.b)), *numbers.lines()]
    text = "\n".join(f"{what:<11} {figures}" for what, figures in lines)
    if settings.output == STREAM:
        console.say(text)
    else:
        typer.echo(text)


def _line(side: "Side") -> str:
    return f"{side.name}, {side.size[0]}x{side.size[1]}, {side.bits} bits"
