"""Models that a tag names. A tag is input from strangers, so its names are no more than names."""

from __future__ import annotations

from irncli.errors import UnavailableError
from irncli.zoo.registry import Registry

__all__ = ["other_weights", "require_named"]


def require_named(registry: Registry, name: str, sha256: str) -> None:
    """Refuse a name that is none of a model here: never is it taken for the path of a file.

    Args:
        registry: shipped and imported models.
        name: out of a tag.
        sha256: of the weights, out of the tag too.

    Raises:
        UnavailableError: no such model; how to get it is said.
    """
    if name not in {entry.name for entry in registry.entries()}:
        raise UnavailableError(
            f"made by the model {name!r} (weights {sha256[:12]}), which is not here: import it "
            f"with 'irn models import FILE --name {name}'"
        )


def other_weights(here: str, name: str, sha256: str) -> str:
    """What to say of weights that are not those a tag names; "" where they are.

    Args:
        here: hash of the weights that are here.
        name: of the model, out of the tag.
        sha256: of the weights, out of the tag.
    """
    if here == sha256:
        return ""
    return f"made by weights {sha256[:12]} of {name}, here are weights {here[:12]}"
