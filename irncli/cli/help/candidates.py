"""Values that a shell offers for an option when TAB is pressed.

Only names and metadata of files are examined, since importing torch would be too slow for a shell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from irncli.zoo.model_dirs import Entry

__all__ = [
    "codec_models",
    "color_models",
    "devices",
    "directories",
    "imported",
    "invertible_models",
    "models",
    "presets",
    "rescaling_models",
    "restorers",
]


def models(incomplete: str) -> list[str]:
    """Return the names of the shipped and imported models that complete `incomplete`."""
    return [entry.name for entry in _entries(incomplete)]


def rescaling_models(incomplete: str) -> list[str]:
    """Return the names of the models for downscale and upscale that complete `incomplete`."""
    return _for_use("rescale", incomplete)


def color_models(incomplete: str) -> list[str]:
    """Return the names of the models for decolor and colorize that complete `incomplete`."""
    return _for_use("color", incomplete)


def codec_models(incomplete: str) -> list[str]:
    """Return the names of the models for compress that complete `incomplete`.

    If no model that was trained with a codec does, those are offered that suit lossless PNG only.
    """
    return _for_use("codec", incomplete) or _for_use("rescale", incomplete)


def invertible_models(incomplete: str) -> list[str]:
    """Return the names of the rescaling and colour models that complete `incomplete`."""
    return sorted({*_for_use("rescale", incomplete), *_for_use("color", incomplete)})


def restorers(incomplete: str) -> list[str]:
    """Return the names of the restoration modules that complete `incomplete`, and `none`."""
    return [*_for_use("restore", incomplete), *(["none"] if "none".startswith(incomplete) else [])]


def _for_use(use: str, incomplete: str) -> list[str]:
    from irncli.zoo.model_dirs import uses

    return [entry.name for entry in _entries(incomplete) if use in uses(entry.path)]


def _entries(incomplete: str) -> list[Entry]:
    from irncli.zoo.model_dirs import entries, imported_folder, shipped_folder

    found = entries(shipped_folder(), imported_folder())
    return [entry for entry in found if entry.name.startswith(incomplete)]


def directories(incomplete: str) -> list[str]:
    """Return the directories that complete `incomplete`, each with a slash at its end."""
    import os
    from pathlib import Path

    head, slash, start = incomplete.rpartition("/")
    try:
        names = sorted(os.listdir(Path(head + slash or ".").expanduser()))  # noqa: PTH208
    except OSError:
        return []
    within = Path(head + slash or ".").expanduser()
    return [
        f"{head}{slash}{name}/"
        for name in names
        if name.startswith(start)
        and (start or not name.startswith("."))
        and os.path.isdir(within / name)  # noqa: PTH112 -- False where one may not look
    ]


def imported(incomplete: str) -> list[str]:
    """Return the names of the imported models that complete `incomplete`."""
    from irncli.zoo.model_dirs import imported_folder, scan

    names = [entry.name for entry in scan(imported_folder(), "imported")]
    return [name for name in names if name.startswith(incomplete)]


def presets(incomplete: str) -> list[tuple[str, str]]:
    """Return the names and purposes of the training presets that complete `incomplete`."""
    from irncli.zoo.catalogue import CATALOGUE

    return [item for item in CATALOGUE.items() if item[0].startswith(incomplete)]


def devices(incomplete: str) -> list[str]:
    """Return the device names that complete `incomplete`."""
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]
