"""Shell completion for bash, zsh and fish, by Typer but without its slow parts.

Typer loads rich to remove markup from help texts, and pydantic to check values. Each of them takes
as long as everything else together. Our help has no markup, and a line that is still being typed
need not be checked.
"""

from __future__ import annotations

import re
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
    """Prepare this process for answering a completion request of a shell through Typer."""
    for kind in (TyperArgument, TyperOption):
        kind.process_value = _as_typed  # type: ignore[method-assign,assignment]
    completion_init()
    add_completion_class(_Zsh, "zsh")
    add_completion_class(_Fish, "fish")


DIRECTORIES = "--output-dir|--out|--save"
"""Options whose values are directories, as a pattern of shells."""
BASH = f"""\
    local before="${{COMP_WORDS[COMP_CWORD-1]}}"
    [[ $before == "=" ]] && before="${{COMP_WORDS[COMP_CWORD-2]}}"
    case "$before" in ({DIRECTORIES})
        COMPREPLY=()
        compopt +o default -o dirnames 2>/dev/null
        return 0 ;;
    esac
"""
ZSH = f"""\
  case "${{words[CURRENT-1]}}" in ({DIRECTORIES})
    _files -/
    return ;;
  esac
"""
"""Have the shell itself complete directories, which quotes names and does not end them by a space.
Other shells get them from `candidates.directories`."""


def script(shell: str) -> str:
    """Return the script that makes a shell ask irn for completions."""
    text = get_completion_script(prog_name="irn", complete_var="_IRN_COMPLETE", shell=shell)
    own = {"bash": BASH, "zsh": ZSH}.get(shell, "")
    return re.sub(r"^(_irn_completion\(\) \{\n)", lambda found: found[1] + own, text, flags=re.M)
