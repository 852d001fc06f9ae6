"""`irn export`: write a model as ONNX files."""

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from irncli.cli import options
from irncli.cli.declare import argument, option
from irncli.cli.help import candidates, groups
from irncli.errors import ExitStatus, IrnError, OutputError, UsageError

if TYPE_CHECKING:
    from irncli.export.model_file import Part

__all__ = ["export"]

SUFFIX = ".onnx"


def export(
    model: Annotated[
        str,
        argument(
            groups.FILES,
            "MODEL",
            "Name or path of a model.",
            autocompletion=candidates.invertible_models,
        ),
    ],
    output: Annotated[
        Path | None,
        option(
            groups.FILES,
            "--output -o FILE",
            "Output file (.onnx). The default is MODEL_inverse.onnx or MODEL_forward.onnx here; "
            "with --part both, each part is added to the name.",
        ),
    ] = None,
    part: Annotated[
        Literal["forward", "inverse", "both"],
        option(
            groups.RESULT,
            "--part",
            "Direction: inverse restores images, forward makes them small; both writes two files.",
        ),
    ] = "inverse",
    precision: Annotated[
        Literal["fp32", "fp16"],
        option(
            groups.RESULT,
            "--precision",
            "Floating-point precision of the network; fp16 halves the file and suits GPUs.",
        ),
    ] = "fp32",
    overwrite: options.Overwrite = False,
    json: Annotated[
        bool,
        option(groups.MESSAGES, "--json", "Print one JSON record per file to standard output."),
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a model as ONNX files, which run without irn and torch.

    Each file computes one direction of a rescaling or colour model, for images of any size. It is
    compared with torch by ONNX Runtime first: if an output differs by more than one code value of 8
    bits, it is an error and nothing is written. The files hold the network alone; the tag, the
    blocks that the guard has marked, alpha and metadata are not its concern.

    This needs two more packages: pip install 'irncli[onnx]'.

    Examples:
      irn export irn-x4
      irn export irn-x2 --part both -o x2.onnx
      irn export irn-color --precision fp16 -o color.onnx
    """
    from irncli.batch.console import Console

    console = Console(quiet=quiet, json=json, debug=debug)
    parts: list[Part] = ["forward", "inverse"] if part == "both" else [part]
    records: list[dict[str, Any]] = []
    status = ExitStatus.OK
    try:
        _export(model, output, parts, precision, overwrite, records)
    except IrnError as error:
        if debug:
            traceback.print_exc()
        console.complain(str(error))
        status = error.status
        records.append(_record(model, None, status=int(status), error=str(error)))
    for record in records:
        if json:
            console.emit(record)
        elif record["output"] is not None:
            console.say(_line(record))
    return int(status)


def _record(model: str, output: Path | None, **values: Any) -> dict[str, Any]:
    """Return a record, which always has all keys; unknown values are null."""
    return {
        "model": model, "output": None if output is None else str(output),
        "status": int(ExitStatus.OK), "error": None,
        **dict.fromkeys(("part", "precision", "opset", "weights_sha256", "bytes", "difference")),
        **values,
    }  # fmt: skip


def _line(record: dict[str, Any]) -> str:
    return (
        "{model} -> {output}: {part} in {precision}, opset {opset}, {bytes:,} bytes, "
        "within {difference:.2g} code values of torch"
    ).format(**record)


def _export(
    model: str,
    output: Path | None,
    parts: "list[Part]",
    precision: Literal["fp32", "fp16"],
    overwrite: bool,
    records: list[dict[str, Any]],
) -> None:
    """Write a file for each part, once all of them are checked."""
    from irncli import __version__
    from irncli.export.model_file import exported, require
    from irncli.io.paths import atomic_write, identity, refuse_existing
    from irncli.zoo.registry import default_registry

    _refuse_name(output)
    require()
    registry = default_registry()
    source = registry.locate(model)
    checkpoint = registry.load(model)
    outputs = [_output(checkpoint.card.name, output, part, len(parts)) for part in parts]
    for path in outputs:
        if identity(path) == identity(source):
            raise UsageError(f"{path} is the model: choose another output with -o")
        refuse_existing(path, overwrite)
        if not path.parent.is_dir():
            raise OutputError(f"no directory {path.parent}: create it or choose another output")
    made = [exported(checkpoint, part, precision, __version__) for part in parts]
    for path, part, each in zip(outputs, parts, made, strict=True):
        atomic_write(path, each.data, overwrite=overwrite)
        record = _record(
            checkpoint.card.name,
            path,
            part=part,
            precision=precision,
            opset=each.opset,
            weights_sha256=checkpoint.weights_sha256,
            bytes=len(each.data),
            difference=round(each.difference, 6),
        )
        records.append(record)


def _refuse_name(output: Path | None) -> None:
    """Refuse outputs that are not ONNX files by their name.

    Raises:
        UsageError: the output is standard output, or has another suffix.
    """
    from irncli.io.paths import STREAM

    if output == STREAM:
        raise UsageError("an ONNX file cannot go to standard output: give -o FILE.onnx")
    if output is not None and output.suffix.lower() != SUFFIX:
        got = f"not {output.suffix}" if output.suffix else "add that suffix"
        raise UsageError(f"{output}: irn export writes {SUFFIX}, {got}")


def _output(name: str, output: Path | None, part: str, count: int) -> Path:
    """Return the file of a part."""
    if output is None:
        return Path(f"{name}_{part}{SUFFIX}")
    return output if count == 1 else output.with_stem(f"{output.stem}_{part}")
