"""`irn info`: show the content of a file, and what is needed to restore the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from irncli.cli import options
from irncli.limits import DEFAULT_MAX_PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    from irncli.batch.console import Console, Record
    from irncli.io.image_file import ImageFile
    from irncli.io.tag import Tag

__all__ = ["info"]

State = Literal["here", "missing", "other weights"]


def info(
    inputs: options.Inputs,
    max_pixels: options.MaxPixels = DEFAULT_MAX_PIXELS,
    json: options.Json = False,
    debug: options.Debug = False,
) -> int:
    """Show the tag of small images, and whether they can be restored here.

    A file without a tag gets one line that says what it is, or a record with --json.

    Examples:
      irn info small.png
      irn info --json small/

    Exit status:
      65  a file has no tag: irn did not make it, or it was stripped
    """
    from irncli.batch.console import Console, run_batch
    from irncli.io.image_file import ImageFile
    from irncli.io.inputs import expand_inputs

    console = Console(debug=debug)

    printed = False

    def show(path: Path, record: Record) -> None:  # noqa: ARG001
        nonlocal printed
        file = ImageFile(console.read(path), max_pixels=max_pixels)
        if json:
            _emit(console, path, file)
        else:
            _print(path, _described(file), after_another=printed)
            printed = True

    return int(run_batch([each.path for each in expand_inputs(inputs)], show, console))


def _described(file: ImageFile) -> dict[str, Any]:
    """Return the record of a file, with the tag first.

    Raises:
        ImageError: the file is damaged.
        TagError: the file has no tag, or the tag is unusable.
    """
    from irncli.errors import TagError

    tag, facts = file.tag, _facts(file)
    if tag is None:
        raise TagError(
            f"no irn tag in this {_line(facts)}: irn did not make it, or it was stripped"
        )
    return {
        **tag.as_record(),
        "lr_size": facts["size"],
        "unchanged": file.holds(tag.content_sha256),
        "file": facts,
        "restoring": _restoring(tag),
    }


def _emit(console: Console, path: Path, file: ImageFile) -> None:
    from irncli.errors import TagError

    try:
        console.emit({"input": str(path), **_described(file)})
    except TagError:
        console.emit({"input": str(path), "file": _facts(file)})
        raise


def _facts(file: ImageFile) -> dict[str, Any]:
    """Return what a file is, with or without a tag.

    Raises:
        ImageError: the file is damaged.
    """
    header = file.header
    return {
        "format": header.format,
        "size": [header.width, header.height],
        "mode": header.mode,
        "bits": header.bits,
        **({"frames": file.frames} if file.frames > 1 else {}),
        "bytes": len(file.data),
        "carries": list(header.carries),
    }


def _line(file: dict[str, Any]) -> str:
    """Return a short description of a file."""
    width, height = file["size"]
    text = f"{file['format'].upper()} of {width}x{height}, {file['mode']}, {file['bits']} bits"
    if "frames" in file:
        text += f", {file['frames']} frames"
    return f"{text}, with {', '.join(file['carries'])}" if file["carries"] else text


def _restoring(tag: Tag) -> dict[str, Any]:
    """Return what is needed to restore the image, and whether it is available here."""
    width, height = tag.hr_size
    model = None if tag.task == "plain" else _state(tag.model, tag.weights_sha256)
    restorer = _state(tag.restorer, tag.restorer_sha256) if tag.restorer else None
    return {
        "megapixels": round(width * height / 1e6, 3),
        "model": model,
        "restorer": restorer,
        # A restorer with other weights is used, with a warning; a model with other weights is not.
        "possible": model in (None, "here") and restorer != "missing",
    }


def _state(name: str, sha256: str) -> State:
    """Tell whether the weights named in a tag are installed, or others under the same name."""
    from irncli.zoo.model_dirs import entries, imported_folder, recorded_sha256, shipped_folder

    here = entries(shipped_folder(), imported_folder())
    if sha256 in {recorded_sha256(entry.path) for entry in here}:
        return "here"
    return "other weights" if name in {entry.name for entry in here} else "missing"


def _print(path: Path, described: dict[str, Any], *, after_another: bool) -> None:
    """Print the record of a file, with an empty line between files."""
    import typer

    if after_another:
        typer.echo()
    typer.echo(f"{'input':<15} {path}")
    # A file that holds the image itself has no model, only a placeholder for one.
    without = ("model", "weights_sha256", "sampling") if described["task"] == "plain" else ()
    for key, value in described.items():
        if value is not None and key not in without:
            typer.echo(f"{key:<15} {_text(key, value)}")


def _text(key: str, value: Any) -> str:
    if key == "file":
        return f"{_line(value)}, {value['bytes']} bytes"
    if key == "restoring":
        needed = {name: value[name] for name in ("model", "restorer") if value[name] is not None}
        states = "".join(f", {name} {state}" for name, state in needed.items())
        plural = "megapixel" if value["megapixels"] == 1 else "megapixels"
        verdict = "possible here" if value["possible"] else "not possible here"
        return f"{verdict}: {value['megapixels']:g} {plural}{states}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {part:g}" for name, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
