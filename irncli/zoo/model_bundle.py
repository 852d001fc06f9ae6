"""Bundles of models that are sent to another machine and keep their names there."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from irncli.errors import UnavailableError
from irncli.io.paths import atomic_write, make_directory
from irncli.zoo.registry import Registry

__all__ = ["Borrowed", "ModelBundle", "pack"]


@dataclass(frozen=True)
class Borrowed(Registry):
    """Registry of the models of another machine.

    Attributes:
        paths: local files of the models that are named by a path, by their path on the other
            machine.
    """

    paths: Mapping[str, Path]

    def locate(self, name_or_path: str) -> Path:
        """Return the file of a model; see `Registry.locate`."""
        return self.paths.get(name_or_path) or super().locate(name_or_path)


@dataclass(frozen=True)
class ModelBundle:
    """Model files as plain data.

    Attributes:
        files: contents of the files, by directory and file name.
        paths: keys in `files` of the models that are named by a path, by that path.
    """

    files: Mapping[tuple[str, str], bytes]
    paths: Mapping[str, tuple[str, str]]

    def unpack(self, folder: Path) -> Registry:
        """Write the files to a subdirectory of `folder` and return their registry.

        The subdirectory is named after the hash of the contents, so equal bundles share it,
        whichever process writes first.

        Raises:
            OutputError: the directory cannot be written to.
            StorageError: the disk is full or fails.
        """
        root = folder / self._digest()
        for (part, name), data in self.files.items():
            target = root / part / name
            if not target.exists():
                make_directory(target.parent)
                atomic_write(target, data, overwrite=True)
        paths = {path: root.joinpath(*key) for path, key in self.paths.items()}
        return Borrowed(root / "shipped", root / "imported", paths)

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for key, data in sorted(self.files.items()):
            digest.update(repr((key, len(data))).encode())
            digest.update(data)
        return digest.hexdigest()


def pack(registry: Registry, asked: str | None = None) -> ModelBundle:
    """Bundle all models of a registry, and the model `asked` if the registry does not list it.

    The files of a batch name their models in tags, so the needed models are not known in advance.
    """
    files: dict[tuple[str, str], bytes] = {
        (each.origin, each.path.name): each.path.read_bytes() for each in registry.entries()
    }
    paths: dict[str, tuple[str, str]] = {}
    if asked is not None and asked not in {each.name for each in registry.entries()}:
        with contextlib.suppress(UnavailableError):  # each file reports the missing model
            path = registry.locate(asked)
            paths[asked] = ("named", path.name)
            files["named", path.name] = path.read_bytes()
    return ModelBundle(files, paths)
