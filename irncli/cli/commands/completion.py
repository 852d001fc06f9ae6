"""`irn completion`: print a shell script that completes the arguments of irn."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["completion"]


def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="bash|zsh|fish", help="Shell to generate the script for."),
    ],
) -> None:
    """Print a shell script that completes commands, options and models.

    Examples:
      # bash: once; new shells have it
      mkdir -p ~/.local/share/bash-completion/completions
      irn completion bash > ~/.local/share/bash-completion/completions/irn
      # zsh: in ~/.zshrc, after compinit
      source <(irn completion zsh)
      # fish: once; new shells have it
      mkdir -p ~/.config/fish/completions
      irn completion fish > ~/.config/fish/completions/irn.fish
    """
    from irncli.cli.help.shells import script

    typer.echo(script(shell))
