"""Models on their way to another machine, where they go by the names that they have here."""

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
    """The models of another machine.

    Attributes:
        paths: files that were named by their paths there, and where they are here.
    """

    paths: Mapping[str, Path]

    def locate(self, name_or_path: str) -> Path:
        """See Registry."""
        return self.paths.get(name_or_path) or super().locate(name_or_path)


@dataclass(frozen=True)
class ModelBundle:
    """Files of models; plain data.

    Attributes:
        files: contents, by folder and name.
        paths: of those that were named by a path, that path and their key in `files`.
    """

    files: Mapping[tuple[str, str], bytes]
    paths: Mapping[str, tuple[str, str]]

    def unpack(self, folder: Path) -> Registry:
        """Have the files in a folder of this name: equal parcels share one, whoever comes first.

        Raises:
            OutputError: the folder cannot be written.
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
    """All models of a registry, and the one that was asked for if it is none of those.

    Files of a batch name models by their tags, so which ones it takes is not known before.
    """
    files: dict[tuple[str, str], bytes] = {
        (each.origin, each.path.name): each.path.read_bytes() for each in registry.entries()
    }
    paths: dict[str, tuple[str, str]] = {}
    if asked is not None and asked not in {each.name for each in registry.entries()}:
        with contextlib.suppress(UnavailableError):  # every file will say so
            path = registry.locate(asked)
            paths[asked] = ("named", path.name)
            files["named", path.name] = path.read_bytes()
    return ModelBundle(files, paths)
