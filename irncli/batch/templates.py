"""Output names from a template such as 'out/{stem}_x{scale}{ext}'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Formatter

from irncli.errors import UsageError

__all__ = ["FIELDS", "fill", "is_template"]

FIELDS = ("stem", "name", "ext", "scale", "model", "parent", "index")
"""Name of the input without and with its ending, ending of the output, and what they say."""


def is_template(output: Path) -> bool:
    """Tell whether a path has fields to fill in; a literal brace is written twice."""
    return "{" in str(output) or "}" in str(output)


def fill(template: Path, values: Mapping[str, str | int | None]) -> Path:
    """Fill in the fields of a path.

    Args:
        template: fields as `str.format` has them, without attributes or indices.
        values: by field; None: not known before the file is read.

    Raises:
        UsageError: an unknown field, one that is not known, or a format that it cannot have.
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
        raise UsageError(f"-o {template}: {error}; a brace by itself is written twice") from error
    return Path(made)


def _value(
    template: Path, field: str, conversion: str | None, values: Mapping[str, str | int | None]
) -> str | int:
    if field not in FIELDS or conversion:
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        raise UsageError(f"-o {template}: no field {{{field}}}; there are {known}")
    value = values[field]
    if value is None:
        raise UsageError(
            f"-o {template}: {{{field}}} is not known before a file is read; give --{field}, or "
            "leave it out"
        )
    return value
