"""The plan of a batch: its inputs, and the output of each input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from irncli.batch.settings import BatchSettings
from irncli.batch.templates import fill, is_template
from irncli.errors import UnavailableError, UsageError
from irncli.io.encoding import Format, chosen_format, spoken_name, suffix_for_format
from irncli.io.inputs import Input
from irncli.io.paths import STREAM, identity, is_directory, make_directory, plan_outputs
from irncli.operations.result import Operation

__all__ = [
    "Destination",
    "PlannedFile",
    "ineffective",
    "make_directories",
    "output_format",
    "plan",
    "refuse_ineffective",
    "require_ray",
    "tile_side",
]


def tile_side(text: str) -> int | None:
    """Parse `--tile`; return None for `auto`."""
    if text == "auto":
        return None
    if not text.isdecimal() or 0 < int(text) < 64:
        raise UsageError(f"--tile {text}: expected auto, 0 (none) or at least 64 HR pixels")
    return int(text)


def require_ray(address: str, device: str) -> None:
    """Check that `--ray` is compatible with `--device` and that Ray is installed.

    Raises:
        UsageError: `device` is a particular device or several devices, or `address` is one for
            Ray Client.
        UnavailableError: Ray is not installed.
    """
    if "://" in address:
        raise UsageError(
            f"--ray {address}: Ray Client is not supported: expected auto, local or HOST:PORT, on "
            "a machine of the cluster"
        )
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {device} with --ray: expected auto, cpu or cuda, as Ray assigns devices"
        )
    if find_spec("ray") is None:
        raise UnavailableError("--ray needs Ray: pip install 'irncli[ray]', on every machine")


def output_format(output: Path, wanted: Format | None, operation: Operation) -> Format:
    """Return the format for an output file or `-`; see `chosen_format`."""
    if output == STREAM:
        return wanted or operation.default_format
    return chosen_format(output, wanted, operation.formats)


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The destination of the outputs of a batch.

    Attributes:
        output: value of `-o`: an output file for a single input, or a template.
        directory: value of `--output-dir`; directory trees are mirrored in this directory.
        format: value of `--format` or `--codec`.
        operation: operation that makes the outputs.
        label: function that returns the stem of the default output of an input.
        model: value of `{model}` in a template; None if it is not known yet.
        scale: value of `{scale}` in a template; None if it is not known yet.
    """

    output: Path | None = None
    directory: Path | None = None
    format: Format | None = None
    operation: Operation
    label: Callable[[Path], str]
    model: str | None = None
    scale: str | None = None

    @property
    def makes_directories(self) -> bool:
        """True if output directories are created: wherever the user has named them."""
        return self.directory is not None or self.output is not None

    def output_of(self, source: Input, index: int) -> Path:
        """Return the output of an input; `index` is its position in the batch, from 1."""
        path = source.path
        suffix = suffix_for_format(self.format or self.operation.default_format)
        if self.output is not None and is_template(self.output):
            stream = path == STREAM
            fields = {
                "stem": "stdin" if stream else path.stem,
                "name": "stdin" if stream else path.name,
                "ext": suffix,
                "scale": self.scale,
                "model": self.model,
                "parent": str(path.parent),
                "index": index,
            }
            return fill(self.output, fields)
        if self.output is not None:
            return self.output
        if self.directory is not None:
            name = Path("stdin") if path == STREAM else path
            return self.directory / (source.below or Path()) / (self.label(name) + suffix)
        return STREAM if path == STREAM else path.parent / (self.label(path) + suffix)


class PlannedFile(NamedTuple):
    """An input with its output.

    Attributes:
        path: input file.
        output: output file.
        format: format of the output.
        found: True if the input was found in a directory; False if it was named.
    """

    path: Path
    output: Path
    format: Format
    found: bool = False


def plan(
    sources: Sequence[Input],
    to: Destination,
    unsuitable: Callable[[Path], bool] = lambda _: False,
) -> tuple[list[PlannedFile], int]:
    """Find the output of each input and its format.

    Images that were found in a directory and are outputs of other inputs are left out, so that a
    batch can be repeated in the directory that it writes to.

    Args:
        sources: inputs of the batch.
        to: destination of the outputs.
        unsuitable: function that tells whether an image that was found in a directory will be left
            out when its turn comes, and has no output.

    Returns:
        The inputs with their outputs, and the number of inputs that were left out.

    Raises:
        UsageError: the arguments contradict each other.
    """
    if to.output is not None and to.directory is not None:
        raise UsageError("-o and --output-dir exclude each other: give one")
    if to.output is not None and len(sources) > 1 and not is_template(to.output):
        raise UsageError(
            f"-o {to.output} with {len(sources)} inputs: use --output-dir, or a template such as "
            "-o 'out/{stem}{ext}'"
        )
    if to.output not in (None, STREAM) and is_directory(to.output):
        raise UsageError(f"-o {to.output} is a directory: use --output-dir {to.output}")
    made_from = {identity(to.output_of(source, n)): source for n, source in enumerate(sources, 1)}
    kept = [
        each
        for each in sources
        if not each.found or made_from.get(identity(each.path), each) is each
    ]
    outputs = [to.output_of(source, n) for n, source in enumerate(kept, 1)]
    formats = [output_format(output, to.format, to.operation) for output in outputs]
    found = {each.path for each in kept if each.found}
    pairs = plan_outputs(
        [each.path for each in kept], outputs, lambda path: path in found and unsuitable(path)
    )
    files = [
        PlannedFile(*pair, each, source.found)
        for pair, each, source in zip(pairs, formats, kept, strict=True)
    ]
    return files, len(sources) - len(kept)


def ineffective(options: BatchSettings, operation: Operation, file: PlannedFile) -> list[str]:
    """Return a warning for each option that has no effect on this file."""
    found = []
    if options.quality is not None and file.format in operation.lossless:
        name = _lossless_name(file.format)
        found.append(f"--quality {options.quality} was ignored: {name} has no quality")
    if options.preserve_times and STREAM in (file.path, file.output):
        found.append("--preserve-times was ignored: standard streams have no times")
    return found


def _lossless_name(image_format: Format) -> str:
    name = spoken_name(image_format)
    return f"lossless {name}" if image_format == "webp" else name  # others are always lossless


def refuse_ineffective(
    options: BatchSettings, operation: Operation, files: Sequence[PlannedFile]
) -> None:
    """Refuse options that contradict each other, or have no effect on any of the files.

    Raises:
        UsageError: there is such an option.
    """
    if options.quiet and options.verbose:
        raise UsageError("--quiet and --verbose exclude each other: give one")
    if options.json and any(each.output == STREAM for each in files):
        raise UsageError("--json and an image cannot both go to standard output: give -o FILE")
    if options.skip_existing and any(each.output == STREAM for each in files):
        raise UsageError("--skip-existing with standard output: give -o FILE, or leave it out")
    if options.quality is not None and all(each.format in operation.lossless for each in files):
        name = " and ".join(dict.fromkeys(_lossless_name(each.format) for each in files))
        raise UsageError(
            f"--quality {options.quality} with {name}: {name} has no quality, leave it out"
        )
    if options.preserve_times and all(STREAM in (each.path, each.output) for each in files):
        raise UsageError("--preserve-times with a standard stream: it has no times, leave it out")


def make_directories(files: Sequence[PlannedFile]) -> None:
    """Create the directories of the outputs.

    Raises:
        OutputError: a directory cannot be created.
    """
    for folder in sorted({each.output.parent for each in files if each.output != STREAM}):
        make_directory(folder)
