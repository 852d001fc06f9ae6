"""What `irn compress` writes where a network does better: files of a small image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from irncli.compression.pipeline import Compressor, Xmp
from irncli.compression.target import Target
from irncli.engine.metrics import psnr
from irncli.engine.refine import refine
from irncli.engine.rescaler import Pixels, resize_plane, to_gray
from irncli.engine.ticks import Tick
from irncli.geometry import lr_size
from irncli.io.picture import Picture
from irncli.operations.coded import Coded, MissedTargetError, largest_within, reaching
from irncli.operations.forward import gain_of
from irncli.operations.models import LoadedModel

__all__ = ["NetworkFiles", "Trial", "best_trial"]


class NetworkFiles:
    """Files of one image that one network has made small.

    Args:
        image: the image.
        model: model that makes it small.
        scale: HR size over LR size.
        compressor: pipeline with that model.
        packet: function that makes the XMP packet of a file from the hash of its pixels.
        effort: above 0, the coefficients of a JPEG are chosen for the restored image.
        tick: called with the share of the forward pass that was just done.

    Attributes:
        model: model that made the image small.
        scale: HR size over LR size.
        low: LR of the image.
        hr_pixels: number of pixels of the image.
    """

    def __init__(
        self,
        image: Picture,
        model: LoadedModel,
        scale: float,
        compressor: Compressor,
        packet: Xmp,
        effort: int,
        tick: Tick,
    ) -> None:
        self.model, self.scale = model, scale
        self._image, self._compressor, self._packet = image, compressor, packet
        self.hr_pixels = image.size[0] * image.size[1]
        width, height = lr_size(image.size, scale)
        pixels = model.rescaler.downscale(image.pixels, scale, tick)
        self.low = replace(
            image,
            pixels=to_gray(pixels) if compressor.neutral else pixels,
            alpha=None if image.alpha is None else resize_plane(image.alpha, height, width),
        )
        self._coder = compressor.coder(image.pixels, self.low, scale) if effort else None

    def _at(self, quality: int) -> Coded:
        chosen = None if self._coder is None else self._coder.code(quality)
        return Coded(self._compressor.code(self.low, quality, self._packet, chosen), quality)

    def search(self, target: Target, growth: float = 1) -> Coded:
        """Return the file that meets a target, or would if it grew by a factor.

        Raises:
            MissedTargetError: there is none.
        """
        if target.psnr is not None:
            return reaching(self._at, target.psnr, self.restored, self._image.pixels)
        limit = target.most_bytes(self.hr_pixels)
        if limit is None:
            return self._at(target.quality)
        return largest_within(self._at, limit, self.hr_pixels, growth)

    def restored(self, coded: Coded) -> Pixels:
        """Return the image that is restored from a file."""
        if coded.restored is not None:
            return coded.restored
        return self._compressor.restore(coded.data, self._image.size, self.scale)

    def improve(self, quality: int, rounds: int, tick: Tick) -> None:
        """Optimise the coefficients of the files of a quality, and of those near it.

        This needs an effort above 0.
        """
        assert self._coder is not None  # noqa: S101
        self._coder = self._coder.improved(quality, rounds, tick)

    def refine(self, quality: int, steps: int, tick: Tick) -> dict[str, float]:
        """Refine LR for the files of a quality; return the PSNR in dB before and after."""

        def as_stored(pixels: Pixels) -> Pixels:
            window = Picture(pixels, gray=self._image.gray)
            return self._compressor.reread(self._compressor.code(window, quality))

        found = refine(
            self.model.rescaler, self._image.pixels, self.low.pixels, self.scale,
            steps=steps, as_stored=as_stored, tick=tick,
        )  # fmt: skip
        pixels = to_gray(found.pixels) if self._compressor.neutral else found.pixels
        self.low = replace(self.low, pixels=pixels)
        return gain_of(found)

    def psnr(self, coded: Coded) -> float:
        """Return the RGB PSNR in dB of the image that is restored from a file."""
        return psnr(self.restored(coded), self._image.pixels)


@dataclass(frozen=True)
class Trial:
    """The file of a network for a target, before anything was optimised for it.

    Attributes:
        files: files of the network.
        target: the target.
        coded: the file.
    """

    files: NetworkFiles
    target: Target
    coded: Coded

    def excess(self, growth: float = 1) -> float:
        """Return the bytes by which the file would be too large if it grew by a factor."""
        limit = self.target.most_bytes(self.files.hr_pixels)
        return 0 if limit is None else max(0, growth * len(self.coded.data) - limit)


def best_trial(candidates: Sequence[NetworkFiles], target: Target, growth: float) -> Trial:
    """Return the trial of the network that meets a target best.

    That is the one with the smallest file if a PSNR is wanted, otherwise the one with the highest
    PSNR. If a quality is wanted, the file of the first network has that quality, and those of the
    others may become as large as that one will.

    Args:
        candidates: files of different networks, from the smallest scale to the largest.
        target: the target.
        growth: factor by which the file will grow.

    Raises:
        MissedTargetError: no network can meet the target.
    """
    first, *others = candidates
    trials, missed = [], []
    for files in candidates:
        try:
            trials.append(Trial(files, target, files.search(target, growth)))
        except MissedTargetError as error:
            missed.append(error)
        if files is first and not target.searched:
            target = Target(bytes=int(growth * len(trials[0].coded.data)))
    if not trials:
        # The largest scale makes the smallest files, the smallest scale the best images.
        raise missed[0 if target.psnr is not None else -1]
    if not others:
        return trials[0]
    if target.psnr is not None:
        return min(trials, key=lambda trial: len(trial.coded.data))
    restored = [
        replace(trial, coded=replace(trial.coded, restored=trial.files.restored(trial.coded)))
        for trial in trials
    ]
    return min(restored, key=lambda trial: (trial.excess(growth), -trial.files.psnr(trial.coded)))
