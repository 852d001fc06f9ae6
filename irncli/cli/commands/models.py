"""`irn models`: list, describe, verify and import models."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from irncli.cli.declare import argument, option
from irncli.cli.help import candidates, groups
from irncli.cli.help.program import Program
from irncli.errors import ExitStatus, IrnError

app = Program(help="List, describe, verify and import models.")

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
    for row in rows:
        if json:
            Console().emit(row)
            continue
        scale = f"x{row['scale']}" if row["scale"] else ""
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else ""
        typer.echo(f"{row['name']:<16} {scale:<4} {row['origin']:<9} {size:>8}  {row['summary']}")


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
        rows = value if isinstance(value, tuple | list) else [value]
        for row in rows:
            text = row
            if isinstance(row, dict):
                text = "  ".join(f"{k} {v}" for k, v in row.items())
            typer.echo(f"{key:<15} {text}")


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
    for entry in default_registry().entries():
        try:
            checkpoint = read_checkpoint(entry.path)
        except IrnError as error:
            typer.echo(f"irn: {entry.name}: {error}", err=True)
            failed += 1
        else:
            typer.echo(f"{entry.name:<16} ok  {checkpoint.weights_sha256}")
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

    entry = default_registry().import_file(file, name)
    typer.echo(f"{entry.name} imported from {file}")
