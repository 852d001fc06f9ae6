"""What a shell offers as the value of an option when TAB is pressed.

Only names of files are looked at: a shell does not wait for torch.
"""

from __future__ import annotations

__all__ = ["devices", "models", "presets"]


def models(incomplete: str) -> list[str]:
    """Names of the models that are here."""
    from irncli.zoo.model_dirs import entries, imported_folder, shipped_folder

    names = [entry.name for entry in entries(shipped_folder(), imported_folder())]
    return [name for name in names if name.startswith(incomplete)]


def presets(incomplete: str) -> list[tuple[str, str]]:
    """Names of what can be trained, and what each is for."""
    from irncli.zoo.catalogue import CATALOGUE

    return [item for item in CATALOGUE.items() if item[0].startswith(incomplete)]


def devices(incomplete: str) -> list[str]:
    """Names that `--device` knows."""
    return [name for name in ("auto", "cpu", "cuda", "mps") if name.startswith(incomplete)]
