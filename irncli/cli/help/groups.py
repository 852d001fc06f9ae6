"""Names of the groups in which help and manual list options and commands, in this order.

A parameter or command names its group by `rich_help_panel`, Typer's own place for it. What names
none, or one that is not here, comes after these.
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
