"""Values that a shell offers for an option when TAB is pressed.

Only file names are examined, since importing torch would be too slow for a shell.
"""

from __future__ import annotations

__all__ = ["devices", "imported", "models", "presets"]


def models(incomplete: str) -> list[str]:
    """Return the names of the shipped and imported models that complete `incomplete`."""
    from irncli.zoo.model_dirs import entries, imported_folder, shipped_folder

    names = [entry.name for entry in entries(shipped_folder(), imported_folder())]
    return [name for name in names if name.startswith(incomplete)]


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
