"""`irn models`: list, describe, verify, import, rename and remove models."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from irncli.cli.declare import argument, option
from irncli.cli.help import candidates, groups
from irncli.cli.help.program import Program
from irncli.cli.tables import entry, listing, terminal_width
from irncli.errors import ExitStatus, IrnError

if TYPE_CHECKING:
    from irncli.zoo.registry import Registry

app = Program(help="List, describe, verify, import, rename and remove models.")

__all__ = ["app"]

Name = Annotated[
    str,
    argument(groups.FILES, "NAME", "Name or path of a model.", autocompletion=candidates.models),
]


@app.command("list")
def list_(
    json: Annotated[
        bool,
        option(groups.MESSAGES, "--json", "Print one JSON record per model to standard output."),
    ] = False,
) -> None:
    """List all models that can be used by name, and those whose weights are missing.

    Examples:
      irn models list
      irn models list --json
    """
    from irncli.batch.console import Console
    from irncli.zoo.registry import default_registry

    registry = default_registry()
    rows: list[dict[str, Any]] = [
        {
            "name": summary.entry.name,
            "origin": summary.entry.origin,
            "task": summary.task,
            "scale": summary.scale,
            "bytes": summary.size,
            "summary": summary.text,
        }
        for summary in registry.summaries()
    ]
    rows += [
        {"name": name, "origin": "untrained", "task": None, "scale": None, "bytes": 0}
        | {"summary": f"no weights yet, see 'irn train': {text}"}
        for name, text in registry.untrained().items()
    ]
    if json:
        for row in rows:
            Console().emit(row)
        return
    usual = _defaults(registry)
    cells = [["NAME", "SCALE", "ORIGIN", "SIZE", "SUMMARY"]]
    for row in rows:
        mark = " *" if row["name"] in usual and row["origin"] == usual[row["name"]] else ""
        scale = f"x{row['scale']}" if (row["scale"] or 1) > 1 else ""
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else ""
        cells.append([row["name"] + mark, scale, row["origin"], size.rjust(7), row["summary"]])
    for line in listing(cells, terminal_width()):
        typer.echo(line)
    typer.echo("* used unless --model is given, for its scale and task")


def _defaults(registry: Registry) -> dict[str, str]:
    """Return the models that commands use by default, with the origin of each."""
    from irncli.operations.codec_models import default_restorer, model_for
    from irncli.operations.models import COLOR_MODEL

    summaries = registry.summaries()
    scales = {each.scale for each in summaries if each.task == "rescale" and each.scale}
    names = {registry.for_scale(scale) for scale in scales}
    names |= {COLOR_MODEL, model_for(2, "jpeg"), default_restorer(registry) or ""}
    origins = {each.entry.name: each.entry.origin for each in reversed(summaries)}
    return {name: origins[name] for name in names if name in origins}


@app.command("info")
def info(
    name: Name,
    json: Annotated[
        bool,
        option(groups.MESSAGES, "--json", "Print the card as one JSON record to standard output."),
    ] = False,
) -> None:
    """Show the card of a model: data, licence, recipe, measurements.

    Examples:
      irn models info irn-x4
    """
    from irncli.batch.console import Console
    from irncli.config import to_json
    from irncli.zoo.registry import default_registry

    checkpoint = default_registry().load(name)
    record: dict[str, Any] = asdict(checkpoint.card)
    record["weights_sha256"] = checkpoint.weights_sha256
    record["architecture"] = to_json(checkpoint.architecture)
    if json:
        Console().emit(record)
        return
    for key, value in record.items():
        for line in _shown(key, value, terminal_width()):
            typer.echo(line)


LABELS = 16
"""Width of the names at the left of a card in characters."""


def _shown(key: str, value: Any, width: int) -> list[str]:
    """Return the lines that show a value of a card; none if it is empty."""
    if value is None or value == "" or value == ():
        return []
    if key == "measured":
        return [f"{key:{LABELS}}{line}".rstrip() if n == 0 else " " * LABELS + line
                for n, line in enumerate(_table(value, width - LABELS))]  # fmt: skip
    if key == "architecture":
        value = tuple(f"{name}: {_words(each)}" for name, each in value.items())
    rows = value if isinstance(value, tuple | list) else [value]
    return [entry(key, _words(row), LABELS, width) for row in rows]


def _table(rows: Sequence[dict[str, Any]], width: int) -> list[str]:
    """Return the lines of a table with a column for each key."""
    from irncli.eval.report import aligned

    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_words(row[key]) if key in row else "-" for key in keys] for row in rows]
    return aligned([keys, *cells], width)


def _words(value: Any) -> str:
    """Return plain data as words."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(each)}" for name, each in value.items())
    if isinstance(value, tuple | list):
        return "; ".join(_words(each) for each in value)
    if isinstance(value, str):
        parsed = _parsed(value)
        return value if parsed is None else _words(parsed)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parsed(text: str) -> Any | None:
    """Return the recipe that 'irn train' writes into a card as a dict; None for other text."""
    try:
        return ast.literal_eval(text) if text.startswith("{") else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


@app.command("verify")
def verify() -> int:
    """Check the weights of every model against their recorded hash.

    Examples:
      irn models verify

    Exit status:
      1  a model is damaged
    """
    from irncli.zoo.checkpoint import read_checkpoint
    from irncli.zoo.registry import default_registry

    failed = 0
    for each in default_registry().entries():
        try:
            checkpoint = read_checkpoint(each.path)
        except IrnError as error:
            typer.echo(f"irn: {each.name}: {error}", err=True)
            failed += 1
        else:
            typer.echo(entry(each.name, f"ok {checkpoint.weights_sha256}", 13, terminal_width()))
    return int(ExitStatus.SOME_FAILED if failed else ExitStatus.OK)


@app.command("import")
def import_(
    file: Annotated[
        Path, argument(groups.FILES, "FILE", "Checkpoint: a .pth or .safetensors file.")
    ],
    name: Annotated[
        str | None,
        option(groups.FILES, "--name N", "Name of the model; the default is that of the file."),
    ] = None,
) -> None:
    """Import a checkpoint, such as the paper's, so that it can be used by name.

    The checkpoint is checked, converted to irn's format and stored in your data directory. Only
    plain tensors are read from a .pth file; no code in it is run.

    Examples:
      irn models import IRN_x4.pth --name paper-x4
      irn models import runs/x2/best.safetensors --name mine
    """
    from irncli.zoo.registry import default_registry

    made = default_registry().import_file(file, name)
    typer.echo(f"{made.name} imported from {file}")


def _installed(metavar: str) -> Any:
    return argument(
        groups.FILES, metavar, "Name of an imported model.", autocompletion=candidates.imported
    )


@app.command("remove")
def remove(name: Annotated[str, _installed("NAME")]) -> None:
    """Delete an imported model. Models that were shipped with irn cannot be deleted.

    Images that were made small by the model cannot be restored without it: keep a copy of its file
    as long as you keep them.

    Examples:
      irn models remove mine
    """
    from irncli.zoo.registry import default_registry

    typer.echo(f"{name} removed: {default_registry().remove(name)} deleted")


@app.command("rename")
def rename(
    old: Annotated[str, _installed("OLD")],
    new: Annotated[str, argument(groups.FILES, "NEW", "New name: no model may have it yet.")],
) -> None:
    """Rename an imported model. Models that were shipped with irn keep their names.

    Images that were made small by the model name it in their tags: restore them with --model NEW.

    Examples:
      irn models rename paper-x4 authors-x4
    """
    from irncli.zoo.registry import default_registry

    default_registry().rename(old, new)
    typer.echo(f"{old} renamed to {new}")
