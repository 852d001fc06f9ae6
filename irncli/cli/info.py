"""`irn info`: what a file says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from irncli.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from irncli.cli.env import Environment, Record

__all__ = ["info"]


def info(
    inputs: options.Inputs,
    max_pixels: options.MaxPixels = 500_000_000,
    json: options.Json = False,
    debug: options.Debug = False,
) -> int:
    """Show the tag of small pictures."""
    from irncli.cli.env import Environment, run_batch
    from irncli.io.paths import STREAM, expand_inputs

    env = Environment(debug=debug)

    def show(path: Path, output: Path, record: Record) -> None:  # noqa: ARG001
        described = _describe(env, path, max_pixels)
        if json:
            env.emit({"input": str(path), **described})
        else:
            _print(path, described)

    return int(run_batch([(path, STREAM) for path in expand_inputs(inputs)], show, env))


def _describe(env: Environment, path: Path, max_pixels: int) -> dict[str, Any]:
    from irncli.errors import TagError
    from irncli.io.images import content_sha256, probe
    from irncli.io.tag import extract

    data = env.read(path)
    header = probe(data, max_pixels=max_pixels)
    tag = extract(header.xmp)
    if tag is None:
        raise TagError("no irn tag: irn did not make this file, or it was stripped")
    unchanged = content_sha256(data, max_pixels=max_pixels) == tag.content_sha256
    return {**tag.as_record(), "lr_size": [header.width, header.height], "unchanged": unchanged}


def _print(path: Path, described: dict[str, Any]) -> None:
    import typer

    typer.echo(f"{path}")
    for key, value in described.items():
        if value is None:
            continue
        text = "x".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, dict):
            text = ", ".join(f"{k} {v:g}" for k, v in value.items())
        typer.echo(f"  {key:<15} {text}")
