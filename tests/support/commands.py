"""The commands of irn, as Typer knows them."""

import typer

from irncli.cli.app import NAME, program


def walk(command, ctx):
    yield ctx.command_path, command, ctx
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, typer.Context(child, parent=ctx, info_name=name))


def every_command():
    """Of each: its words, itself, and a context."""
    root = typer.main.get_command(program())
    return list(walk(root, typer.Context(root, info_name=NAME, **root.context_settings)))


COMMANDS = every_command()
NAMES = [name for name, _, _ in COMMANDS]


def options_of(command, ctx):
    return [
        name
        for parameter in command.get_params(ctx)
        if parameter.param_type_name == "option" and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]
