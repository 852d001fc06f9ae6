"""Titles of the groups in which help and manual pages list options and commands.

A parameter or command names its group in `rich_help_panel`, as usual with Typer. Groups are listed
in the order of `ORDER`; options and commands without a group, or with another one, come last.
"""

from __future__ import annotations

__all__ = [
    "BUDGET",
    "FILES",
    "LOOKING",
    "MACHINE",
    "MEASURED",
    "MESSAGES",
    "MODELS",
    "ORDER",
    "OTHERS",
    "PICTURES",
    "PROGRAM",
    "RECIPE",
    "RESULT",
]

FILES = "Inputs and outputs"
MEASURED = "What is measured"
RECIPE = "Model and images"
BUDGET = "Budget"
RESULT = "Model and result"
OTHERS = "Options"
MACHINE = "Machine"
MESSAGES = "Messages"

PICTURES = "Images"
LOOKING = "Inspecting and measuring"
MODELS = "Models"
PROGRAM = "This program"

ORDER = (
    *(PICTURES, LOOKING, MODELS, PROGRAM),
    *(MEASURED, FILES, RECIPE, BUDGET, RESULT, OTHERS, MACHINE, MESSAGES),
)
