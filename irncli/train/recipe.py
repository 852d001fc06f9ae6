"""Recipes: everything that a training run depends on besides its images and its seed.

A recipe consists of a few frozen sections of plain values, and survives a round trip through JSON
or TOML. Field names are unique, so `batch` and `data.batch` mean the same. This module does not
import torch.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from irncli.config import Architecture
from irncli.errors import UsageError
from irncli.train.sections import (
    SECTIONS,
    Adversary,
    Codec,
    Compute,
    Data,
    Latent,
    Loss,
    Network,
    Optimiser,
    Report,
    require,
)
from irncli.wording import nearest

__all__ = ["Recipe", "parse_assignments", "parse_toml"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Sections of a recipe.

    Raises:
        UsageError: a value is out of range, or sections contradict each other.
    """

    network: Network
    loss: Loss = field(default_factory=Loss)
    latent: Latent = field(default_factory=Latent)
    data: Data = field(default_factory=Data)
    optimiser: Optimiser = field(default_factory=Optimiser)
    codec: Codec = field(default_factory=Codec)
    adversary: Adversary = field(default_factory=Adversary)
    compute: Compute = field(default_factory=Compute)
    report: Report = field(default_factory=Report)

    def __post_init__(self) -> None:
        step = self.network.reduction
        for name in ("crop", "crop_end"):
            side = getattr(self.data, name)
            if name == "crop_end" and not side:
                continue
            require(
                side % step == 0 and side >= max(4 * step, 16),
                f"{name} is {side}, expected a multiple of {step}, at least {max(4 * step, 16)}",
            )
            require(
                not self.loss.adversarial_weight or 128 <= side < 160,
                f"{name} is {side}, expected 128 to 159 for the discriminator",
            )
        require(
            not self.loss.rate_weight or self.codec.jpeg_least > 0,
            "rate_weight needs jpeg_least and jpeg_most",
        )
        if self.network.family == "crm":
            require(self.codec.jpeg_least > 0, "a CRM needs jpeg_least and jpeg_most")
            require(
                bool(self.network.rescaler), "a CRM needs rescaler: the model that makes its LR"
            )
            require(not self.compute.recompute, "recompute is for invertible networks, not a CRM")

    @property
    def architecture(self) -> Architecture:
        """Architecture of the network."""
        return self.network.architecture

    def as_record(self) -> dict[str, Any]:
        """Return the recipe as plain data for JSON: a dict of values for each section."""
        record = asdict(self)
        return {name: _plain(section) for name, section in record.items()}

    @classmethod
    def from_record(cls, record: object) -> Recipe:
        """Rebuild the recipe from a result of `as_record`.

        Raises:
            UsageError: the record is not such a result.
        """
        if not isinstance(record, dict) or set(record) != set(SECTIONS):
            raise UsageError("not a recipe of this version of irn")
        built = {}
        for name, values in record.items():
            section = SECTIONS[name]
            if not isinstance(values, dict) or set(values) != {f.name for f in fields(section)}:
                raise UsageError(f"section {name} is not of this version of irn")
            built[name] = section(**{k: _checked(k, v) for k, v in values.items()})
        return cls(**built)

    def as_toml(self) -> str:
        """Return the recipe as the text of a TOML file, which `parse_toml` reads."""
        lines: list[str] = []
        for name, values in self.as_record().items():
            lines += [f"[{name}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items()), ""]
        return "\n".join(lines)

    def changed(self, changes: Mapping[str, object]) -> Recipe:
        """Return a copy of the recipe with some fields replaced.

        Args:
            changes: new values by field name, such as `batch` or `data.batch`.

        Raises:
            UsageError: a name is unknown (a similar one is named), or a value is of the wrong type
                or out of range.
        """
        by_section: dict[str, dict[str, object]] = {}
        for key, value in changes.items():
            section, name = _resolve(key)
            by_section.setdefault(section, {})[name] = _checked(name, value)
        sections = {s: replace(getattr(self, s), **values) for s, values in by_section.items()}
        return replace(self, **sections)

    def differences(self, other: Recipe) -> list[str]:
        """List the fields in which two recipes differ, such as "data.batch: 16, not 8"."""
        mine, others = self.as_record(), other.as_record()
        return [
            f"{section}.{name}: {value}, not {others[section][name]}"
            for section, values in mine.items()
            for name, value in values.items()
            if value != others[section][name]
        ]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@cache
def _hints() -> dict[str, tuple[str, Any]]:
    """Return the section and the type of every field, by name."""
    return {
        name: (section, hint)
        for section, cls in SECTIONS.items()
        for name, hint in get_type_hints(cls).items()
    }


def _resolve(key: str) -> tuple[str, str]:
    """Return the section and the name that `key` stands for."""
    hints = _hints()
    section, _, name = key.rpartition(".")
    if name in hints and section in ("", hints[name][0]):
        return hints[name][0], name
    known = [*hints, *(f"{section}.{name}" for name, (section, _) in hints.items())]
    near = nearest(key, known) or nearest(name, hints)
    hint = f" (did you mean {near}?)" if near else ""
    raise UsageError(f"no recipe field {key!r}{hint}: 'irn train --show PRESET' shows all fields")


def _checked(name: str, value: object) -> Any:
    """Return the value as the type of the field, or raise UsageError."""
    hint = _hints()[name][1]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number and math.isfinite(float(value)):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    if hint in (int, bool, str) and type(value) is hint:
        return value
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    listed = get_origin(hint) is tuple and isinstance(value, list | tuple)
    if listed and all(type(item) is int for item in value):  # type: ignore[attr-defined]
        return tuple(value)  # type: ignore[arg-type]
    raise UsageError(f"{name} is {value!r}, expected {_kind(hint)}")


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(get_args(hint))
    if get_origin(hint) is tuple:
        return "a list of whole numbers"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names[hint]


def parse_assignments(assignments: Sequence[str]) -> dict[str, object]:
    """Parse `--set name=value`, reading each value as JSON if possible and else as text.

    Raises:
        UsageError: an assignment has no `=`.
    """
    changes: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set {assignment}: expected name=value")
        try:
            changes[name.strip()] = json.loads(text)
        except ValueError:
            changes[name.strip()] = text
    return changes


def parse_toml(text: str) -> dict[str, object]:
    """Return the fields of a TOML recipe file by name, `section.name` if a section is given.

    Raises:
        UsageError: the text is not TOML.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"not a TOML file: {error}") from error
    changes: dict[str, object] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            changes |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            changes[key] = value
    return changes
