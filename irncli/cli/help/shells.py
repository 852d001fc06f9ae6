"""How bash, zsh and fish are told what may come next: by Typer, but without what makes it slow.

Typer loads rich to take markup out of help, and pydantic to check values: each costs as much as all
else together. Our help has no markup, and a line that is being typed needs no check.
"""

from __future__ import annotations

from typing import Any

from typer._click.shell_completion import add_completion_class
from typer._completion_classes import FishComplete, ZshComplete, completion_init
from typer._completion_shared import get_completion_script
from typer.core import TyperArgument, TyperOption

__all__ = ["get_ready", "script"]


class _Zsh(ZshComplete):
    def format_completion(self, item: Any) -> str:
        value = super().format_completion(type(item)(item.value))
        return f"{value}:{super().format_completion(type(item)(item.help))}" if item.help else value


class _Fish(FishComplete):
    def format_completion(self, item: Any) -> str:
        value = super().format_completion(type(item)(item.value))
        return f"{value}\t{' '.join(item.help.split())}" if item.help else value


def _as_typed(parameter: Any, ctx: Any, value: Any) -> Any:  # noqa: ARG001
    return value


def get_ready() -> None:
    """Make this process one that answers a shell, by Typer, and does nothing else."""
    for kind in (TyperArgument, TyperOption):
        kind.process_value = _as_typed  # type: ignore[method-assign,assignment]
    completion_init()
    add_completion_class(_Zsh, "zsh")
    add_completion_class(_Fish, "fish")


def script(shell: str) -> str:
    """What makes a shell ask irn."""
    return get_completion_script(prog_name="irn", complete_var="_IRN_COMPLETE", shell=shell)
