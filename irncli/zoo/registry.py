"""Models by name: those shipped in the package, and those imported by the user."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

from irncli.errors import CheckpointError, UnavailableError, UsageError
from irncli.io.paths import atomic_write, delete_file, make_directory, rename_file
from irncli.wording import did_you_mean
from irncli.zoo.catalogue import CATALOGUE, how_to_train
from irncli.zoo.checkpoint import Checkpoint, read_checkpoint, read_summary, serialise
from irncli.zoo.model_dirs import Entry, entries, imported_folder, shipped_folder

__all__ = ["Entry", "Registry", "Summary", "default_registry"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OF_A_RUN = ("best", "last")
_SUFFIXES = (".safetensors", ".pth", ".pt")


def name_of_file(path: Path) -> str:
    """Return the name of the model in a file, the stem of the file.

    Every run of `irn train` has a `best` and a `last` checkpoint, so the directory of the run is
    part of their names.
    """
    folder = path.resolve().parent.name
    return f"{folder}-{path.stem}" if path.stem in _OF_A_RUN and folder else path.stem


@dataclass(frozen=True)
class Summary:
    """Properties of a model that `irn models` lists without building a network."""

    entry: Entry
    task: str
    scale: int | None
    text: str
    size: int


@dataclass(frozen=True)
class Registry:
    """Two directories of checkpoints; the names of shipped models take precedence.

    Models cannot be imported under a name that is taken.

    Attributes:
        shipped: directory of the package.
        imported: directory of the user, created on the first import.
    """

    shipped: Path
    imported: Path

    def entries(self) -> list[Entry]:
        """Return all models, shipped ones first, each sorted by name."""
        return entries(self.shipped, self.imported)

    def locate(self, name_or_path: str) -> Path:
        """Return the file of a model, given a name from `entries` or the path of a checkpoint.

        Raises:
            UnavailableError: there is no such name and no such checkpoint.
        """
        for entry in self.entries():
            if entry.name == name_or_path:
                return entry.path
        path = Path(name_or_path)
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            return path
        if name_or_path in CATALOGUE:
            raise UnavailableError(
                f"{name_or_path} has no weights yet; train it: {how_to_train(name_or_path)}"
            )
        here = [entry.name for entry in self.entries()]
        raise UnavailableError(
            f"no model {name_or_path!r}{did_you_mean(name_or_path, here)}; available: "
            f"{', '.join(here) or 'none'} (or give the path of a .safetensors or .pth file, or "
            "import one with 'irn models import FILE')"
        )

    def load(self, name_or_path: str) -> Checkpoint:
        """Read a model, and give its card the name that tags will have."""
        path = self.locate(name_or_path)
        checkpoint = read_checkpoint(path)
        return replace(checkpoint, card=replace(checkpoint.card, name=name_of_file(path)))

    def summaries(self) -> list[Summary]:
        """Return a summary of each model from its metadata; damaged models are marked as such."""
        return [self._summary(entry) for entry in self.entries()]

    def untrained(self) -> dict[str, str]:
        """Return the purpose of each model of the catalogue that has no weights, by name."""
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
        """Return the name of the rescaling model with the smallest scale of at least `scale`.

        Shipped models take precedence over imported ones, and irn-xN over its variants.

        Raises:
            UnavailableError: there is no such model; the message lists the available scales.
        """
        rescalers = self._rescalers()
        fitting = [s for s in rescalers if s.scale is not None and s.scale >= scale]
        if not fitting:
            have = ", ".join(f"x{s.scale} ({s.entry.name})" for s in rescalers) or "none"
            raise UnavailableError(
                f"no model for scale {scale:g}; available: {have}. Train one with 'irn train' or "
                "import one with 'irn models import FILE'"
            )
        order = {"shipped": 0, "imported": 1}

        def rank(summary: Summary) -> tuple[object, ...]:
            name, scale = summary.entry.name, summary.scale
            return scale, order[summary.entry.origin], name != f"irn-x{scale}", name

        return min(fitting, key=rank).entry.name

    def largest_scale(self) -> int:
        """Return the largest scale of the rescaling models; 1 if there are none."""
        return max((s.scale or 1 for s in self._rescalers()), default=1)

    def defaults(self) -> list[str]:
        """Return the names of the models that `for_scale` chooses from."""
        scales = {s.scale or 1 for s in self._rescalers()}
        return [self.for_scale(scale) for scale in sorted(scales)]

    def _rescalers(self) -> list[Summary]:
        return [s for s in self.summaries() if s.task == "rescale" and s.scale is not None]

    def import_file(self, source: Path, name: str | None = None) -> Entry:
        """Check a checkpoint, convert it to irn's format and save it in the user's directory.

        Raises:
            UsageError: the name is invalid or taken.
            CheckpointError: the file is unusable; nothing is left behind.
            OutputError: the directory cannot be written to.
            StorageError: the disk is full or fails.
        """
        chosen = name or re.sub(r"[^A-Za-z0-9._-]", "-", name_of_file(source)).strip("-.")[:64]
        self._refuse_name(chosen, "with --name")
        checkpoint = read_checkpoint(source)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        card = replace(checkpoint.card, name=chosen, source=f"{source.name}, SHA-256 {digest}")
        target = self.imported / f"{chosen}.safetensors"
        make_directory(self.imported)
        atomic_write(target, serialise(checkpoint.network, card), overwrite=False)
        return Entry(chosen, target, "imported")

    def remove(self, name: str) -> Path:
        """Delete an imported model, and return the path of its file.

        Raises:
            UsageError: the model was shipped.
            UnavailableError: there is no such model.
            OutputError: the file cannot be deleted.
        """
        entry = self._own(name, "removed")
        delete_file(entry.path)
        return entry.path

    def rename(self, old: str, new: str) -> Entry:
        """Rename an imported model.

        The file is renamed in one step, so that the model has the old name or the new one whenever
        this is interrupted. Names in tags and in the card are not changed.

        Raises:
            UsageError: the model was shipped, or the new name is invalid or taken.
            UnavailableError: there is no such model.
            OutputError: the file cannot be renamed.
        """
        entry = self._own(old, "renamed")
        self._refuse_name(new, "as NEW")
        target = entry.path.with_name(f"{new}.safetensors")
        rename_file(entry.path, target)
        return Entry(new, target, "imported")

    def _own(self, name: str, action: str) -> Entry:
        """Return an imported model by its name."""
        found = {entry.origin: entry for entry in self.entries() if entry.name == name}
        if "imported" in found:
            return found["imported"]
        if "shipped" in found:
            raise UsageError(
                f"{name} was shipped with irn and cannot be {action}: expected an imported model"
            )
        mine = [entry.name for entry in self.entries() if entry.origin == "imported"]
        raise UnavailableError(
            f"no imported model {name!r}{did_you_mean(name, mine)}; imported: "
            f"{', '.join(mine) or 'none'}"
        )

    def _refuse_name(self, name: str, how: str) -> None:
        """Raise UsageError if a name is invalid or taken; `how` says how to give another one."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"model name {name!r}: expected letters, digits, '.', '_' and '-', at most 64; "
                f"give one {how}"
            )
        for entry in self.entries():
            if entry.name == name:
                raise UsageError(
                    f"model {name!r} already exists ({entry.origin}): give another {how}"
                )


def default_registry() -> Registry:
    """Return the registry of the shipped models and of those in the user's directory."""
    return Registry(shipped=shipped_folder(), imported=imported_folder())
