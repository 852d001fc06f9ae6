"""LPIPS, NIQE, PI and FID, computed by the optional library pyiqa (irncli[perceptual]).

The library downloads the weights of a metric when the metric is first used. A metric that is
unavailable or fails is null in the record, with a note; the other metrics are not affected.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from irncli.errors import UsageError
from irncli.eval.records import PERCEPTUAL, mean, plain
from irncli.eval.rescaling import Sample
from irncli.io.encoding import encode
from irncli.io.picture import Picture
from irncli.wording import did_you_mean

__all__ = ["PerceptualMetrics", "PerceptualSetMetrics", "parse_names"]

Metric = Callable[..., Any]
_NEEDS_REFERENCE = ("lpips",)


def parse_names(text: str) -> list[str]:
    """Parse the value of `--perceptual`: names separated by commas.

    Raises:
        UsageError: a name is unknown; the message suggests the nearest one.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PERCEPTUAL:
            raise UsageError(
                f"unknown perceptual metric {name!r}{did_you_mean(name, PERCEPTUAL)}: expected "
                f"{', '.join(PERCEPTUAL)}"
            )
    return list(dict.fromkeys(names))


class PerceptualMetrics:
    """The requested metrics, each created once.

    Args:
        names: names from `PERCEPTUAL`.
        device: device that the library runs the metrics on.

    Attributes:
        names: names of the requested metrics.
        device: device that the library runs the metrics on.
        notes: reason why a metric is missing, by name.
        available: metrics that are available, by name.
    """

    def __init__(self, names: Sequence[str], device: torch.device) -> None:
        self.names, self.device = names, device
        self.notes: dict[str, str] = {}
        self.available: dict[str, Metric] = {}
        try:
            library = importlib.import_module("pyiqa")
        except ImportError as error:
            # The import also fails if dependencies of pyiqa are missing or incompatible.
            reason = "not installed: pip install 'irncli[perceptual]'"
            if not isinstance(error, ModuleNotFoundError) or error.name != "pyiqa":
                reason = f"cannot be imported: {_reason(error)}"
            self.notes = dict.fromkeys(names, f"pyiqa {reason}")
            return
        for name in names:
            self._make(library, name)

    def _make(self, library: Any, name: str) -> None:
        try:
            with _quiet():
                self.available[name] = library.create_metric(name, device=self.device)
        except Exception as error:  # the library may raise anything if a download fails
            self.notes[name] = f"pyiqa has no {name} here: {_reason(error)}"

    def for_set(self) -> PerceptualSetMetrics:
        """Return the metrics of one method on one set, to which images can be added."""
        return PerceptualSetMetrics(self)


class PerceptualSetMetrics:
    """The metrics of one method on one set; see `rescaling.SetMetrics`."""

    def __init__(self, metrics: PerceptualMetrics) -> None:
        self._metrics = metrics
        self._scores: dict[str, list[float | None]] = {name: [] for name in metrics.available}
        self._notes = dict(metrics.notes)
        self._folders: tempfile.TemporaryDirectory[str] | None = None
        if "fid" in metrics.available:
            self._folders = tempfile.TemporaryDirectory(prefix="irn-fid-")
            for side in ("hr", "restored"):
                (Path(self._folders.name) / side).mkdir()

    def add(self, sample: Sample) -> dict[str, float | None]:
        """Return the metrics of one image restored with seed 0; store the image for FID."""
        if self._folders:
            self._save(Path(self._folders.name), sample)
        images = (_tensor(sample.restored, self._metrics), _tensor(sample.hr, self._metrics))
        found: dict[str, float | None] = {}
        for name in self._metrics.names:
            if name != "fid":
                given = images if name in _NEEDS_REFERENCE else images[:1]
                found[name] = self._score(name, *given)
                self._scores.setdefault(name, []).append(found[name])
        return found

    def _save(self, root: Path, sample: Sample) -> None:
        name = f"{len(list((root / 'hr').iterdir())):06}.png"
        for side, pixels in (("hr", sample.hr), ("restored", sample.restored)):
            (root / side / name).write_bytes(encode(Picture(pixels), image_format="png"))

    def _score(self, name: str, *given: Any, **options: Any) -> float | None:
        if name not in self._metrics.available:
            return None
        try:
            with _quiet(), torch.inference_mode():
                value = plain(float(self._metrics.available[name](*given, **options)), 5)
        except Exception as error:  # the image is too small, weights are unavailable, ...
            self._notes.setdefault(name, f"pyiqa failed on an image: {_reason(error)}")
            return None
        if value is None:
            self._notes.setdefault(name, "not a finite number for an image")
        return value

    def columns(self) -> dict[str, Any]:
        """Return the columns of the set: means over the images that have a value, and notes."""
        columns: dict[str, Any] = {}
        for name in self._metrics.names:
            if name == "fid":
                columns[name] = self._fid()
            else:
                columns[name] = plain(mean(self._scores.get(name, [])), 5)
            if name in self._notes:
                columns[f"{name}_note"] = self._notes[name]
        return columns

    def _fid(self) -> float | None:
        if self._folders is None:
            return None
        with self._folders as root:
            sides = (f"{root}/restored", f"{root}/hr")
            return self._score("fid", *sides, num_workers=0, verbose=False)


def _tensor(pixels: Any, metrics: PerceptualMetrics) -> torch.Tensor | None:
    if not metrics.available:
        return None
    values = torch.from_numpy(np.ascontiguousarray(pixels)).to(metrics.device)
    return values.permute(2, 0, 1)[None].float().div(255)


def _quiet() -> contextlib.AbstractContextManager[Any]:
    """Redirect what the library prints to standard error: standard output carries data."""
    return contextlib.redirect_stdout(sys.stderr)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
