"""Measurement of compression: quality over rate of irn and of plain codecs.

HR is cropped at the bottom and right to a multiple of the scale, and all methods code the
cropped image. RGB PSNR and SSIM are computed over the whole image without cropping a border, since
the file contains all of it. Gray images are coded as gray. Files have no metadata, so the files of
irn lack the tag that `irn compress` stores. z = 0.

At each quality, LR of irn and bicubic LR are coded as JPEG: 4:4:4, optimised, progressive. With an
effort, the coefficients of irn's are chosen as `irn compress --effort` chooses them, and two more
methods are measured: the best plain JPEG that `irn compress` can make, and the better one of that
and irn's file, which it writes. The plain codecs may use as many bytes as irn's file has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import torch

from irncli.compression.jpeg_coder import JpegCoder, rounds_of
from irncli.compression.pipeline import Compressor
from irncli.compression.plain import encode_plain, plain
from irncli.engine.device import cpu_name
from irncli.engine.metrics import psnr, ssim
from irncli.engine.rescaler import Pixels, bicubic, to_gray
from irncli.engine.ticks import Tick
from irncli.errors import DataError
from irncli.eval.methods import Trained
from irncli.eval.rates import Curve, bd_rate, between, gain
from irncli.eval.records import Failure, Record, mean
from irncli.eval.records import plain as number
from irncli.eval.sets import load_cropped
from irncli.eval.ssimulacra2 import ssimulacra2
from irncli.geometry import lr_size
from irncli.io.encoding import Coefficients, Format
from irncli.io.image_file import decode
from irncli.io.libraries import jxl_is_here
from irncli.io.picture import Picture
from irncli.limits import DEFAULT_MAX_PIXELS
from irncli.operations.models import LoadedRestorer

__all__ = [
    "BD_RATES",
    "BD_RATE_IN_RANGE",
    "IRN",
    "QUALITIES",
    "RATES",
    "REFERENCES",
    "Compression",
    "CompressionMethods",
    "joined",
]

IRN, BARE, LOSSLESS, BICUBIC = "irn", "irn without restorer", "irn png", "bicubic + jpeg"
OWN_JPEG, CHOSEN = "jpeg by irn", "irn compress"
"""The best plain JPEG of `irn compress`, and what it writes: the better of that and irn's file."""
CODECS: tuple[Format, ...] = ("jpeg", "webp", "avif", "jxl")
QUALITIES = (30, 50, 70, 80, 90)
RATES = (0.2, 0.3, 0.5, 0.8)
"""Bits per pixel at which PSNR is compared."""
BD_RATES = {
    "psnr_rgb": "bd_rate",
    "ssim_rgb": "bd_rate_ssim",
    "ssimulacra2": "bd_rate_ssimulacra2",
}
"""Key of the BD-rate at equal values of each metric."""
BD_RATE_IN_RANGE = "bd_rate_in_range"
"""Key of the BD-rate at equal RGB PSNR of the parts of the curves between the first and the last of
RATES."""
_OURS = (IRN, BARE, CHOSEN)
REFERENCES = ("jpeg", BICUBIC, OWN_JPEG, "webp", "avif", "jxl")
"""Methods that irn is compared with."""

Result = dict[str, Any]


@dataclass(frozen=True)
class CompressionMethods:
    """The methods and the settings of the measurement.

    Attributes:
        jpeg: network whose LR is stored as JPEG.
        png: network whose LR is stored as PNG.
        restorer: network that undoes JPEG compression; None: irn is only measured without one.
        scale: HR size over LR size.
        qualities: qualities of irn's JPEG, 1 to 100.
        effort: effort for irn's JPEG, 0 to 9; more than 0 excludes a restorer.
        max_pixels: largest number of pixels of an image; larger images are refused.
        version: version of irn, for the record.
    """

    jpeg: Trained
    png: Trained
    restorer: LoadedRestorer | None
    scale: int
    qualities: Sequence[int] = QUALITIES
    effort: int = 0
    max_pixels: int = DEFAULT_MAX_PIXELS
    version: str = ""

    @cached_property
    def compressor(self) -> Compressor:
        """Compressor of the method `irn`."""
        restorer = self.restorer.restorer if self.restorer else None
        return Compressor(self.jpeg.rescaler, "jpeg", restorer)

    @property
    def codecs(self) -> tuple[Format, ...]:
        """The plain codecs that can be written on this system."""
        return tuple(codec for codec in CODECS if codec != "jxl" or jxl_is_here())

    @property
    def points(self) -> list[tuple[str, int | None]]:
        """All pairs of method and quality, in the order of the records."""
        own = [CHOSEN, OWN_JPEG] if self.effort else []
        names = [IRN, *([BARE] if self.restorer else []), *own, BICUBIC, *self.codecs]
        curves = [(name, quality) for name in names for quality in self.qualities]
        return [*curves, (LOSSLESS, None)]


@dataclass
class Compression:
    """All methods on one set: a `Measurement` with a record for each method and quality."""

    methods: CompressionMethods
    label: str = ""
    _results: list[Result] = field(default_factory=list)
    _images: int = 0

    def measure(self, path: Path, tick: Tick) -> list[Result]:
        """See Measurement."""
        return _measure_image(path, self.methods, tick)

    def add(self, measured: list[Result]) -> None:
        """See Measurement."""
        self._results += measured
        self._images += 1

    def records(self, name: str, failed: list[Failure]) -> list[Record]:
        """See Measurement."""
        return _compared([self._record(name, *point, failed) for point in self.methods.points])

    def _record(self, name: str, model: str, quality: int | None, failed: list[Failure]) -> Record:
        mine = [r for r in self._results if (r["model"], r["quality"]) == (model, quality)]
        return {
            "task": "compress",
            "set": name,
            "model": model,
            "quality": quality,
            "scale": self.methods.scale,
            "images": len(mine),
            "too_large": self._images - len(mine),
            **_means(mine),
            **_facts(model, self.methods),
            "failed": failed,
            "per_image": [_shown(result) for result in mine],
        }


def joined(parts: Sequence[Sequence[Record]], name: str) -> list[Record]:
    """Return the records of a set that was measured in parts, each with other images.

    Args:
        parts: records of the parts, measured with the same settings.
        name: name of the set.

    Raises:
        DataError: the parts have different methods, or an image is in two of them.
    """
    found = []
    for same in _aligned(parts):
        images = [image for record in same for image in record["per_image"]]
        names = {image["image"] for image in images}
        if len(names) != len(images):
            raise DataError(f"{name}, {same[0]['model']}: an image was measured twice")
        infinite = [image | {"psnr_rgb": inf} for image in images if image["psnr_rgb"] is None]
        finite = [image for image in images if image["psnr_rgb"] is not None]
        found.append(
            {
                **same[0],
                "set": name,
                "images": len(images),
                "too_large": sum(record["too_large"] for record in same),
                **_means([*finite, *infinite]),
                "failed": [failure for record in same for failure in record["failed"]],
                "per_image": images,
            }
        )
    return _compared(found)


def _aligned(parts: Sequence[Sequence[Record]]) -> Iterator[tuple[Record, ...]]:
    """Yield the records of each method and quality, one of each part."""
    keys = ("model", "quality", "effort", "scale", "weights_sha256")
    for same in zip(*parts, strict=False):
        if len({tuple(record.get(key) for key in keys) for record in same}) > 1:
            raise DataError(f"parts that were measured differently: {same[0]['model']}")
        yield same
    if len({len(part) for part in parts}) > 1:
        raise DataError("parts with different methods")


def _measure_image(path: Path, methods: CompressionMethods, tick: Tick) -> list[Result]:
    """Measure all methods on one image; a codec whose files are all too large has no result."""
    hr = load_cropped(path, methods.scale, methods.max_pixels)
    results = []
    for name, quality, data, restored, codec_quality in _attempts(hr, methods, tick):
        results.append(
            {
                "model": name,
                "quality": quality,
                "image": path.name,
                "width": hr.shape[1],
                "height": hr.shape[0],
                "codec_quality": codec_quality,
                "bytes": len(data),
                "bits_per_pixel": 8 * len(data) / (hr.shape[0] * hr.shape[1]),
                "psnr_rgb": psnr(restored, hr),
                "ssim_rgb": ssim(restored, hr),
                "ssimulacra2": ssimulacra2(restored, hr),
            }
        )
    return results


Attempt = tuple[str, int | None, bytes, Pixels, int | None]
"""Method, quality, file, image restored from the file, quality setting of its codec."""


def _attempts(hr: Pixels, methods: CompressionMethods, tick: Tick) -> Iterator[Attempt]:
    size, scale, ours = (hr.shape[1], hr.shape[0]), methods.scale, methods.compressor
    share = 1 / (len(methods.qualities) + 1)
    low, small = _low(hr, methods.jpeg, scale), _bicubic_low(hr, scale)
    coder = ours.coder(hr, low, scale) if methods.effort else None
    for quality in methods.qualities:
        data = ours.code(low, quality, coefficients=_chosen(coder, quality, methods.effort))
        restored = ours.restore(data, size, scale)
        yield IRN, quality, data, restored, quality
        if ours.restorer is not None:
            bare = replace(ours, restorer=None)
            yield BARE, quality, data, bare.restore(data, size, scale), quality
        coded = encode_plain(small, "jpeg", quality)
        back = bicubic(decode(coded).pixels, *hr.shape[:2])
        yield BICUBIC, quality, coded, back, quality
        own = plain(hr, "jpeg", len(data), methods.effort) if methods.effort else None
        if methods.effort:
            if own is not None:
                yield OWN_JPEG, quality, own.data, decode(own.data).pixels, own.quality
            if own is not None and own.psnr > psnr(restored, hr):
                yield CHOSEN, quality, own.data, decode(own.data).pixels, own.quality
            else:
                yield CHOSEN, quality, data, restored, quality
        for codec in methods.codecs:
            found = plain(hr, codec, len(data))
            if found is not None:
                yield codec, quality, found.data, decode(found.data).pixels, found.quality
        tick(share)
    lossless = Compressor(methods.png.rescaler, "png")
    data = lossless.code(_low(hr, methods.png, scale), 100)
    yield LOSSLESS, None, data, lossless.restore(data, size, scale), None
    tick(share)


def _chosen(coder: JpegCoder | None, quality: int, effort: int) -> Coefficients | None:
    """Return the coefficients of irn's JPEG; None if they are those of LR."""
    if coder is None:
        return None
    rounds = rounds_of(effort)
    return (coder.improved(quality, rounds) if rounds else coder).code(quality)


def _low(hr: Pixels, model: Trained, scale: int) -> Picture:
    """Return LR as `irn compress` makes it: gray for a gray image."""
    gray = bool((hr == hr[:, :, :1]).all())
    pixels = model.rescaler.downscale(hr, scale)
    return Picture(to_gray(pixels) if gray else pixels, gray=gray)


def _bicubic_low(hr: Pixels, scale: int) -> Pixels:
    width, height = lr_size((hr.shape[1], hr.shape[0]), scale)
    return bicubic(hr, height, width)


def _means(results: Sequence[Result]) -> dict[str, Any]:
    keys = ("bits_per_pixel", "psnr_rgb", "ssim_rgb", "ssimulacra2")
    means = {key: number(mean(r.get(key) for r in results), _digits(key)) for key in keys}
    equal = sum(result["psnr_rgb"] == inf for result in results)
    return {**means, "identical": {"psnr_rgb": equal} if equal else {}}


def _digits(key: str) -> int:
    return 4 if key in ("psnr_rgb", "ssimulacra2") else 6


def _shown(result: Result) -> Result:
    return {
        key: number(value, _digits(key)) if isinstance(value, float) else value
        for key, value in result.items()
        if key not in ("model", "quality")
    }


def _facts(name: str, methods: CompressionMethods) -> dict[str, Any]:
    """Return the columns for models and hardware; the codecs have no network."""
    network = {
        IRN: methods.jpeg,
        BARE: methods.jpeg,
        CHOSEN: methods.jpeg,
        LOSSLESS: methods.png,
    }.get(name)
    restorer = methods.restorer if name == IRN else None
    device, precision = network.placement() if network else ("cpu", None)
    return {
        "effort": methods.effort,
        "network": network and network.name,
        "weights_sha256": network and network.weights_sha256,
        "restorer": restorer and restorer.name,
        "restorer_sha256": restorer and restorer.weights_sha256,
        "device": device,
        "precision": precision,
        "threads": torch.get_num_threads(),
        "cpu": cpu_name(),
        "torch": torch.__version__,
        "irn": methods.version,
    }


def _compared(records: Sequence[Record]) -> list[Record]:
    """Return the records of a set; add `bd_rate` and `gain` to those of irn's curves."""
    measured = {record["model"] for record in records}
    references = [name for name in REFERENCES if name in measured]
    names = (*_OURS, *references)
    curves = {key: {name: _curve(records, name, key) for name in names} for key in BD_RATES}
    by_psnr = curves["psnr_rgb"]
    compared = {column: curves[key] for key, column in BD_RATES.items()}
    compared[BD_RATE_IN_RANGE] = {
        name: between(curve, RATES[0], RATES[-1]) for name, curve in by_psnr.items()
    }
    found = []
    for record in records:
        name, further = record["model"], {}
        if name in _OURS:
            rates = {
                column: {other: number(bd_rate(of[name], of[other]), 2) for other in references}
                for column, of in compared.items()
            }
            gains = {other: _gains(by_psnr[name], by_psnr[other]) for other in references}
            further = {**rates, "gain": gains}
        found.append({**record, **further})
    return found


def _gains(ours: Curve, theirs: Curve) -> dict[str, float | None]:
    return {f"{rate:g}": number(gain(ours, theirs, rate), 3) for rate in RATES}


def _curve(records: Sequence[Record], name: str, key: str) -> Curve:
    """Return the curve of a method over the qualities at which every image has a finite PSNR.

    Means over some of the images are left out: they cannot be compared with those of other curves.
    """
    return [
        (record["bits_per_pixel"], record[key])
        for record in records
        if record["model"] == name
        and record.get(key) is not None
        and not record["too_large"]
        and not record["identical"]
    ]
