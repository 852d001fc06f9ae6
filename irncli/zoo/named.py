"""Models that a tag names. Tags are untrusted, so their names are never taken for paths."""

from __future__ import annotations

from pathlib import Path

from irncli.errors import IrnError, UnavailableError
from irncli.zoo.model_dirs import recorded_sha256
from irncli.zoo.registry import Registry

__all__ = ["other_weights", "require_named", "uninstalled"]


def uninstalled(registry: Registry, name_or_path: str) -> str:
    """Return a warning if a model is given by a file and not installed, else "".

    Tags name such a model, so whoever restores the images needs its file.
    """
    installed = registry.entries()
    if name_or_path in {entry.name for entry in installed}:
        return ""
    try:
        checkpoint = registry.load(name_or_path)
    except IrnError:
        return ""
    sha256 = checkpoint.weights_sha256
    if sha256 in {recorded_sha256(entry.path) for entry in installed}:
        return ""
    return (
        f"the model {checkpoint.card.name} (weights {sha256[:12]}) is not installed: restoring "
        f"these images needs {Path(name_or_path).name}, for --model or 'irn models import'"
    )


def require_named(registry: Registry, name: str, sha256: str) -> None:
    """Raise an error unless a model of this name is installed.

    The name is never taken for the path of a file.

    Args:
        registry: registry of shipped and imported models.
        name: name of the model in the tag.
        sha256: hash of the weights in the tag.

    Raises:
        UnavailableError: the model is not installed; the message says how to get it.
    """
    if name not in {entry.name for entry in registry.entries()}:
        raise UnavailableError(
            f"made by the model {name!r} (weights {sha256[:12]}), which is not installed: import "
            f"it with 'irn models import FILE --name {name}', or pass --model FILE"
        )


def other_weights(here: str, name: str, sha256: str) -> str:
    """Return a message if the installed weights are not those that a tag names, else "".

    Args:
        here: hash of the installed weights.
        name: name of the model in the tag.
        sha256: hash of the weights in the tag.
    """
    if here == sha256:
        return ""
    return f"made by weights {sha256[:12]} of {name}, but the installed weights are {here[:12]}"
