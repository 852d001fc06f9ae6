"""Measurement of rescaling and colour: each method downscales images and restores them.

HR is cropped at the bottom and right to a multiple of the scale. LR is written to a PNG in memory
and read back, so that the image is restored from the file that a user would have. PSNR and SSIM of
the restored image are on Y and on RGB, with `scale` pixels cropped at each border. LR is compared
in the same way with the 8-bit bicubic LR (for colour, with the usual luma gray). Bits per pixel are
the bits of the PNG divided by the number of HR pixels. Times are those of the network alone.

A gray image counts as a colour image with equal channels. Without the guard, its LR may have
colours, as in published measurements; with the guard, gray stays gray, as in the commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from irncli.engine.device import cpu_name
from irncli.engine.metrics import luma, psnr, ssim
from irncli.engine.rescaler import Pixels, bicubic
from irncli.engine.ticks import Tick
from irncli.eval.methods import Method, describe
from irncli.eval.records import Failure, Record, mean, plain
from irncli.eval.sets import load_cropped
from irncli.io.encoding import encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.model.transforms import YUV_ROWS

__all__ = ["MeasurementSettings", "Rescaling", "Sample", "SetMetrics"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class MeasurementSettings:
    """Settings of the measurement.

    Attributes:
        seeds: number of draws of z, with the seeds 0 to seeds - 1, whose results are averaged.
        temperature: width of z, as a multiple of the recorded standard deviations; None: the
            default of each model.
        max_pixels: largest number of pixels of an image; larger images are refused.
        version: version of irn, for the record.
    """

    seeds: int = 1
    temperature: float | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    version: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """One test image with its LR and its restored image.

    Attributes:
        path: path of the image.
        hr: cropped HR, uint8 [H, W, 3].
        low: LR as decoded from `low_file`, uint8 [h, w, 3]; a gray LR has equal channels.
        low_file: PNG file of LR.
        restored: image restored with seed 0, uint8 [H, W, 3].
    """

    path: Path
    hr: Pixels
    low: Pixels
    low_file: bytes
    restored: Pixels


class SetMetrics(Protocol):
    """Additional columns for one method on one set."""

    def add(self, sample: Sample) -> dict[str, float | None]:
        """Take an image into account, and return its columns."""

    def columns(self) -> dict[str, Any]:
        """Return the columns of the set."""


@dataclass
class Rescaling:
    """One method on one set: a `Measurement` that makes one record.

    Attributes:
        method: method to measure.
        settings: seeds, temperature and limits.
        metrics: source of additional columns; None: none.
        keep: called with each measured image, to store it; None: images are not stored.
    """

    method: Method
    settings: MeasurementSettings
    metrics: SetMetrics | None = None
    keep: Callable[[Sample], None] | None = None
    _results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def label(self) -> str:
        """See Measurement."""
        return self.method.name

    def measure(self, path: Path, tick: Tick) -> tuple[dict[str, Any], Sample]:
        """See Measurement."""
        return _measure_image(path, self.method, self.settings, tick)

    def add(self, measured: tuple[dict[str, Any], Sample]) -> None:
        """See Measurement."""
        result, sample = measured
        if self.metrics:
            result |= self.metrics.add(sample)
        if self.keep:
            self.keep(sample)
        self._results.append(result)

    def records(self, name: str, failed: list[Failure]) -> list[Record]:
        """See Measurement."""
        further = self.metrics.columns() if self.metrics else {}
        return [_record(name, self.method, self.settings, self._results, further, failed)]


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def _draws(method: Method, settings: MeasurementSettings) -> list[tuple[int, float]]:
    """Return the pairs of seed and temperature to restore with; z = 0 comes last."""
    temperature = _temperature(method, settings)
    if temperature == 0:
        return [(0, 0.0)]
    return [*((seed, temperature) for seed in range(settings.seeds)), (0, 0.0)]


def _temperature(method: Method, settings: MeasurementSettings) -> float:
    if method.kind == "baseline":
        return 0.0
    return method.temperature if settings.temperature is None else settings.temperature


def _measure_image(
    path: Path, method: Method, settings: MeasurementSettings, tick: Tick
) -> tuple[dict[str, Any], Sample]:
    hr = load_cropped(path, method.scale, settings.max_pixels)
    draws = _draws(method, settings)

    def step(share: float) -> None:
        tick(share / (1 + len(draws)))

    made, seconds_down = _timed(partial(method.down, hr, step))
    low_file = encode(_as_picture(made.pixels), image_format="png")
    stored = decode(low_file).pixels
    given = replace(made, pixels=stored[:, :, : made.pixels.shape[2]])
    scores, seconds_up = [], []
    kept: Pixels | None = None
    for seed, width in draws:
        restored, seconds = _timed(partial(method.up, given, seed, width, step))
        scores.append(_scores(hr, restored, method.scale))
        seconds_up.append(seconds)
        kept = restored if kept is None else kept
    assert kept is not None  # noqa: S101
    result = {
        "image": path.name,
        "width": hr.shape[1],
        "height": hr.shape[0],
        **_fidelity(scores, method),
        **_low_fidelity(hr, stored, method),
        "bpp": 8 * len(low_file) / (hr.shape[0] * hr.shape[1]),
        "seconds_down": seconds_down,
        "seconds_up": mean(seconds_up),
    }
    return result, Sample(path, hr, stored, low_file, kept)


def _as_picture(low: Pixels) -> Picture:
    """Return LR as a Picture to write; one channel, from a colour network, makes a gray file."""
    if low.shape[2] == 1:
        return Picture(low.repeat(3, axis=2), gray=True)
    return Picture(low)


def _scores(hr: Pixels, restored: Pixels, border: int) -> dict[str, float]:
    planes = luma(hr), luma(restored)
    return {
        "psnr_y": psnr(*planes, border),
        "ssim_y": ssim(*planes, border),
        "psnr_rgb": psnr(hr, restored, border),
        "ssim_rgb": ssim(hr, restored, border),
    }


def _fidelity(scores: Sequence[dict[str, float]], method: Method) -> dict[str, Any]:
    """Return means over the draws; z = 0, the last, is separate unless it is the only one."""
    drawn, without_z = scores[:-1] or scores, scores[-1]
    is_model = method.kind == "model"
    return {
        **{key: mean(score[key] for score in drawn) for key in without_z},
        "psnr_y_z0": without_z["psnr_y"] if is_model else None,
        "ssim_y_z0": without_z["ssim_y"] if is_model else None,
        "psnr_y_by_seed": [score["psnr_y"] for score in drawn],
    }


def _low_fidelity(hr: Pixels, low: Pixels, method: Method) -> dict[str, Any]:
    """Return PSNR and SSIM of LR against bicubic LR or, for colour, against luma gray."""
    if method.task == "color":
        pair = np.rint(hr @ np.array(YUV_ROWS[0])), low[:, :, 0].astype(np.float64)
    else:
        pair = luma(bicubic(hr, *low.shape[:2])), luma(low)
    return {
        "lr_psnr_y": psnr(*pair, method.scale),
        "lr_ssim_y": ssim(*pair, method.scale),
    }


MEANS = (
    *("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "psnr_y_z0", "ssim_y_z0"),
    *("lr_psnr_y", "lr_ssim_y", "bpp"),
)


def _record(
    name: str,
    method: Method,
    settings: MeasurementSettings,
    results: Sequence[dict[str, Any]],
    further: dict[str, Any],
    failures: list[Failure],
) -> Record:
    means = {key: plain(mean(r[key] for r in results), _digits(key)) for key in MEANS}
    identical = {key: sum(r[key] == np.inf for r in results) for key in MEANS}
    device, precision = method.placement()
    fit = {key: means.pop(key) for key in ("lr_psnr_y", "lr_ssim_y", "bpp")}
    return {
        "set": name,
        **describe(method),
        "images": len(results),
        **means,
        **_spread(results),
        "seeds": len(_draws(method, settings)[:-1]) or 1,
        "temperature": _temperature(method, settings),
        **fit,
        **_speed(results),
        "weights_sha256": method.weights_sha256,
        "device": device,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "cpu": cpu_name(),
        "torch": torch.__version__,
        "irn": settings.version,
        **further,
        "identical": {key: count for key, count in identical.items() if count},
        "failed": failures,
        "per_image": [_rounded(result) for result in results],
    }


def _spread(results: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Return the spread over the seeds of the mean PSNR of the set."""
    columns = zip(*(result["psnr_y_by_seed"] for result in results), strict=True)
    means = [value for value in map(mean, columns) if np.isfinite(value)]
    return {
        "psnr_y_std": plain(stdev(means)) if len(means) > 1 else None,
        "psnr_y_least": plain(min(means)) if means else None,
        "psnr_y_most": plain(max(means)) if means else None,
    }


def _speed(results: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    megapixels = sum(result["width"] * result["height"] for result in results) / 1e6
    down, up = (sum(result[f"seconds_{way}"] for result in results) for way in ("down", "up"))
    return {
        "megapixels": round(megapixels, 6),
        "seconds_down": plain(down),
        "seconds_up": plain(up),
        "mps_down": plain(megapixels / down) if down else None,
        "mps_up": plain(megapixels / up) if up else None,
    }


def _digits(key: str) -> int:
    return 6 if "ssim" in key else 4


def _rounded(result: dict[str, Any]) -> dict[str, Any]:
    return {key: _rounded_value(key, value) for key, value in result.items()}


def _rounded_value(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [plain(number) for number in value]
    return plain(value, _digits(key)) if isinstance(value, float) else value
