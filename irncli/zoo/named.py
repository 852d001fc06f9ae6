"""Models that a tag names. Tags are untrusted, so their names are never taken for paths."""

from __future__ import annotations

from irncli.errors import UnavailableError
from irncli.zoo.registry import Registry

__all__ = ["other_weights", "require_named"]


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
            f"it with 'irn models import FILE --name {name}'"
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
