"""Output names that are made from a template such as 'out/{stem}_x{scale}{ext}'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Formatter

from irncli.errors import UsageError

__all__ = ["FIELDS", "fill", "is_template"]

FIELDS = ("stem", "name", "ext", "scale", "model", "parent", "index")
"""Fields of a template: the name of the input without and with its suffix, the suffix of the
output, the scale, the name of the model, the directory of the input, and its position in the batch,
from 1."""


def is_template(output: Path) -> bool:
    """Tell whether a path contains braces, which make it a template."""
    return "{" in str(output) or "}" in str(output)


def fill(template: Path, values: Mapping[str, str | int | None]) -> Path:
    """Fill in the fields of a template.

    Args:
        template: path with fields as for `str.format`, without attributes and indices; a literal
            brace is written twice.
        values: value of each field; None if the value is not known before the file is read.

    Raises:
        UsageError: a field does not exist, has no known value, or has an unsuitable format.
    """
    made = ""
    try:
        pieces = list(Formatter().parse(str(template)))
        for literal, field, form, conversion in pieces:
            made += literal
            if field is not None:
                made += format(_value(template, field, conversion, values), form or "")
    except (ValueError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"-o {template}: {error}; a literal brace is written twice") from error
    return Path(made)


def _value(
    template: Path, field: str, conversion: str | None, values: Mapping[str, str | int | None]
) -> str | int:
    if field not in FIELDS or conversion:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise UsageError(f"-o {template}: unknown field {{{field}}}: expected one of {known}")
    value = values[field]
    if value is None:
        raise UsageError(
            f"-o {template}: {{{field}}} is not known before a file is read: leave it out, or give "
            f"--{field} if the command has it"
        )
    return value
