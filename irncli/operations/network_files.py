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
        self.model, self.scale, self.compressor = model, scale, compressor
        self._image, self._packet = image, packet
        self.hr_pixels = image.size[0] * image.size[1]
        width, height = lr_size(image.size, scale)
        pixels = model.rescaler.downscale(image.pixels, scale, tick)
        self.low = replace(
            image,
            pixels=to_gray(pixels) if compressor.neutral else pixels,
            alpha=None if image.alpha is None else resize_plane(image.alpha, height, width),
        )
        self._coder = compressor.coder(image.pixels, self.low, scale) if effort else None

    def at(self, quality: int) -> Coded:
        """Return the file of a quality, 1 to 100."""
        chosen = None if self._coder is None else self._coder.code(quality)
        return Coded(self.compressor.code(self.low, quality, self._packet, chosen), quality)

    def search(self, target: Target, growth: float = 1) -> Coded:
        """Return the file that meets a target, or would if it grew by a factor.

        Raises:
            MissedTargetError: there is none.
        """
        if target.psnr is not None:
            return reaching(self.at, target.psnr, self.restored, self._image.pixels)
        limit = target.most_bytes(self.hr_pixels)
        if limit is None:
            return self.at(target.quality)
        return largest_within(self.at, limit, self.hr_pixels, growth)

    def restored(self, coded: Coded) -> Pixels:
        """Return the image that is restored from a file."""
        if coded.restored is not None:
            return coded.restored
        return self.compressor.restore(coded.data, self._image.size, self.scale)

    def improve(self, quality: int, rounds: int, tick: Tick) -> None:
        """Optimise the coefficients of the files of a quality, and of those near it."""
        if self._coder is not None and rounds:
            self._coder = self._coder.improved(quality, rounds, tick)

    def refine(self, quality: int, steps: int, tick: Tick) -> dict[str, float]:
        """Refine LR for the files of a quality; return the PSNR in dB before and after."""

        def as_stored(pixels: Pixels) -> Pixels:
            window = Picture(pixels, gray=self._image.gray)
            return self.compressor.reread(self.compressor.code(window, quality))

        found = refine(
            self.model.rescaler, self._image.pixels, self.low.pixels, self.scale,
            steps=steps, as_stored=as_stored, tick=tick,
        )  # fmt: skip
        pixels = to_gray(found.pixels) if self.compressor.neutral else found.pixels
        self.low = replace(self.low, pixels=pixels)
        return gain_of(found)

    def psnr(self, coded: Coded) -> float:
        """Return the RGB PSNR in dB of the image that is restored from a file."""
        return psnr(self.restored(coded), self._image.pixels)


@dataclass(frozen=True)
class Trial:
    """The file of a network that meets a target, before anything was optimised for it."""

    files: NetworkFiles
    target: Target
    coded: Coded


def best_trial(candidates: Sequence[NetworkFiles], target: Target, growth: float) -> Trial:
    """Return the trial of the network that meets a target best.

    That is the one with the smallest file if a PSNR is wanted, otherwise the one with the highest
    PSNR. If a quality is wanted, the file of the first network has that quality, and those of the
    others may have as many bytes.

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
            target = Target(bytes=len(trials[0].coded.data))
    if not trials:
        # The largest scale makes the smallest files, the smallest scale the best images.
        raise missed[0 if target.psnr is not None else -1]
    if not others:
        return trials[0]
    return min(trials, key=_cost)


def _cost(trial: Trial) -> tuple[float, float]:
    size = len(trial.coded.data)
    if trial.target.psnr is not None:
        return size, 0
    limit = trial.target.most_bytes(trial.files.hr_pixels)
    excess = 0 if limit is None else max(0, size - limit)
    return excess, -trial.files.psnr(trial.coded)
