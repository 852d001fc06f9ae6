"""Models by name: those that ship in the package, and those that the user imported."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from irncli.errors import CheckpointError, UnavailableError, UsageError
from irncli.io.paths import atomic_write, make_directory
from irncli.zoo.catalogue import CATALOGUE, how_to_train
from irncli.zoo.checkpoint import Checkpoint, read_checkpoint, read_summary, serialise
from irncli.zoo.model_dirs import Entry, entries, imported_folder, shipped_folder

__all__ = ["Entry", "Registry", "Summary", "default_registry"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES = (".safetensors", ".pth", ".pt")


@dataclass(frozen=True)
class Summary:
    """What `irn models` lists without building a network."""

    entry: Entry
    task: str
    scale: int | None
    text: str
    size: int


@dataclass(frozen=True)
class Registry:
    """Two folders of checkpoints; a shipped name wins over an imported one, which cannot take it.

    Attributes:
        shipped: folder of the package.
        imported: folder of the user; made on the first import.
    """

    shipped: Path
    imported: Path

    def entries(self) -> list[Entry]:
        """All models, shipped first, each by name."""
        return entries(self.shipped, self.imported)

    def locate(self, name_or_path: str) -> Path:
        """The file of a model: a name out of `entries`, or the path of a checkpoint.

        Raises:
            UnavailableError: neither.
        """
        for entry in self.entries():
            if entry.name == name_or_path:
                return entry.path
        path = Path(name_or_path)
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            return path
        if name_or_path in CATALOGUE:
            raise UnavailableError(
                f"{name_or_path} has no weights here yet; train it: {how_to_train(name_or_path)}"
            )
        names = ", ".join(entry.name for entry in self.entries()) or "none"
        raise UnavailableError(
            f"no model {name_or_path!r}; there are: {names} (or give the path of a .safetensors "
            "or .pth file, or import one with 'irn models import FILE')"
        )

    def load(self, name_or_path: str) -> Checkpoint:
        """Read a model; its card bears the name under which it was found."""
        path = self.locate(name_or_path)
        checkpoint = read_checkpoint(path)
        return replace(checkpoint, card=replace(checkpoint.card, name=path.stem))

    def summaries(self) -> list[Summary]:
        """All models with what their metadata say; a damaged one says that."""
        return [self._summary(entry) for entry in self.entries()]

    def untrained(self) -> dict[str, str]:
        """Models of the catalogue without weights here, and what each is for."""
        here = {entry.name for entry in self.entries()}
        return {name: text for name, text in CATALOGUE.items() if name not in here}

    @staticmethod
    def _summary(entry: Entry) -> Summary:
        try:
            architecture, card = read_summary(entry.path)
        except CheckpointError as error:
            return Summary(entry, "damaged", None, str(error), entry.path.stat().st_size)
        return Summary(
            entry=entry,
            task=getattr(architecture, "task", "restore"),
            scale=getattr(architecture, "scale", None),
            text=card.summary,
            size=entry.path.stat().st_size,
        )

    def for_scale(self, scale: float) -> str:
        """Name of the rescaling model with the smallest scale of at least `scale`.

        Shipped models come before imported ones, and irn-xN before its variants.

        Raises:
            UnavailableError: there is none; the scales that there are are named.
        """
        rescalers = [s for s in self.summaries() if s.task == "rescale" and s.scale is not None]
        fitting = [s for s in rescalers if s.scale is not None and s.scale >= scale]
        if not fitting:
            have = ", ".join(f"x{s.scale} ({s.entry.name})" for s in rescalers) or "none"
            raise UnavailableError(
                f"no model for scale {scale:g}; there are: {have}. Train one with 'irn train' or "
                "import one with 'irn models import FILE'"
            )
        order = {"shipped": 0, "imported": 1}

        def rank(summary: Summary) -> tuple[object, ...]:
            name, scale = summary.entry.name, summary.scale
            return scale, order[summary.entry.origin], name != f"irn-x{scale}", name

        return min(fitting, key=rank).entry.name

    def import_file(self, source: Path, name: str | None = None) -> Entry:
        """Check a checkpoint, convert it to our format and keep it in the user's folder.

        Raises:
            UsageError: a name that is no name, or that is taken.
            CheckpointError: an unusable file; nothing is left behind.
            OutputError: the folder cannot be written.
            StorageError: the disk is full or fails.
        """
        chosen = name or re.sub(r"[^A-Za-z0-9._-]", "-", source.stem).strip("-.")[:64]
        if not _NAME.fullmatch(chosen):
            raise UsageError(
                f"model name {chosen!r}: expected letters, digits, '.', '_' and '-', at most 64; "
                "give one with --name"
            )
        for entry in self.entries():
            if entry.name == chosen:
                raise UsageError(
                    f"there is a {entry.origin} model {chosen!r} already: give another with --name"
                )
        checkpoint = read_checkpoint(source)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        card = replace(checkpoint.card, name=chosen, source=f"{source.name}, SHA-256 {digest}")
        target = self.imported / f"{chosen}.safetensors"
        make_directory(self.imported)
        atomic_write(target, serialise(checkpoint.network, card), overwrite=False)
        return Entry(chosen, target, "imported")


def default_registry() -> Registry:
    """The package's own weights (in a checkout: the folder beside it) and the user's folder."""
    return Registry(shipped=shipped_folder(), imported=imported_folder())
