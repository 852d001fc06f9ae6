"""Pictures to small JPEG files of which irn makes the pictures again: the job of compress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from irncli.cli.env import Record
from irncli.cli.jobs import Encode, Job, Planned, Summary
from irncli.cli.making import embedded, refined, tagging
from irncli.cli.planning import EVERY_FORMAT
from irncli.cli.wording import shown
from irncli.cli.workshop import Loaded, LoadedRestorer
from irncli.compression.pipeline import Compressor
from irncli.compression.plain import Plain, plain_jpeg
from irncli.compression.search import MAX_PROBES, least_reaching, most_within
from irncli.engine.alpha import bleed
from irncli.engine.metrics import psnr, ssim
from irncli.engine.refine import STEP_COST
from irncli.engine.rescaler import Pixels, resize_plane, to_gray
from irncli.errors import UsageError
from irncli.geometry import lr_size
from irncli.io.encoding import Format, encode, fitted, holds_profile
from irncli.io.images import Picture
from irncli.io.tag import PLAIN, Tag

__all__ = ["RESTORER", "Compress", "Target", "Totals", "model_for"]

RESTORER = "crm-jpeg"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the file is to be; at most one of the searches.

    Attributes:
        quality: of the codec, where nothing is searched.
        bytes: largest size of the file.
        bits_per_pixel: the same, in bits for each pixel of HR.
        psnr: least RGB PSNR of the restored picture, in dB.
    """

    quality: int = 90
    bytes: int | None = None
    bits_per_pixel: float | None = None
    psnr: float | None = None

    def most_bytes(self, hr_pixels: int) -> int | None:
        """Largest size for a picture of so many pixels; None: any."""
        if self.bits_per_pixel is not None:
            return int(self.bits_per_pixel * hr_pixels / 8)
        return self.bytes


@dataclass(frozen=True)
class _Coded:
    """A file, the quality it has, and, where it was needed, what is restored from it."""

    data: bytes
    quality: int
    restored: Pixels | None = None


def model_for(scale: float, codec: Format) -> str:
    """Name of the model for a codec: what loses nothing needs none that bears losses."""
    if codec == "png":
        return f"irn-x{2 if scale <= 2 else 4}"
    return f"irn-jpeg-x{2 if scale <= 2 else 4}"


@dataclass
class Compress(Job):
    """A picture to the coded file of its LR.

    Attributes:
        scale: HR size over LR size.
        model: None: by scale and codec.
        target: quality, size or PSNR.
        auto: write a plain JPEG of the same bytes where that is the better picture.
        report: restore and compare; `auto` needs it.
        refine: steps of refinement.
    """

    formats = EVERY_FORMAT

    scale: float
    model: str | None
    target: Target
    auto: bool
    report: bool
    refine: int

    @property
    def asked_model(self) -> str | None:
        """See Job."""
        return self.model

    def model_name(self, format: Format) -> str:  # noqa: A002
        """See Job."""
        return self.model or model_for(self.scale, format)

    def plan(self, picture: Picture, data: bytes, format: Format, record: Record) -> Planned:  # noqa: A002, ARG002
        """See Job."""
        loaded = self.tools.workshop.load(self.model_name(format))
        record.model, record.scale, record.hr_size = loaded.name, self.scale, picture.size
        record.lr_size = lr_size(picture.size, self.scale)
        probes = MAX_PROBES if self.target.psnr is not None else int(self.report)
        return Planned(
            loaded, picture.size, record.lr_size, self.scale,
            downs=1 + STEP_COST * self.refine, ups=probes,
        )  # fmt: skip

    def convert(self, picture: Picture, data: bytes, format: Format, record: Record) -> Encode:  # noqa: A002
        """See Job."""
        planned = self.plan(picture, data, format, record)
        fields: dict[str, Any] = {"gray": picture.gray}
        icc = picture.metadata.icc
        if not holds_profile(picture, format):
            # It waits in the tag, as that of a picture without its colours does.
            fields["icc"] = icc
            picture = replace(picture, metadata=replace(picture.metadata, icc=None))
        picture, lost = fitted(picture, format)
        record.warnings += lost
        loaded, (width, height) = planned.model, planned.low
        assert loaded is not None  # noqa: S101
        restorer = self._restorer(format)
        # From here on colours that nobody sees are those around: nor are they measured.
        picture = replace(picture, pixels=bleed(picture.pixels, picture.alpha))
        neutral = picture.neutral
        fields["neutral"] = neutral and not picture.gray
        compressor = Compressor(
            loaded.rescaler, format, restorer.restorer if restorer else None, neutral
        )
        if restorer:
            fields["restorer"] = restorer.name
            fields["restorer_sha256"] = restorer.checkpoint.weights_sha256
        xmp = tagging(picture, loaded, self.scale, record.warnings, **fields)
        with self.tools.progress.file(record.input) as tick:
            pixels = loaded.rescaler.downscale(picture.pixels, self.scale, tick)
        low = replace(
            picture,
            pixels=to_gray(pixels) if neutral else pixels,
            alpha=None if picture.alpha is None else resize_plane(picture.alpha, height, width),
        )
        coded = self._search(compressor, picture, low, xmp)
        if self.refine:
            low = self._refined(compressor, loaded, picture, low, coded.quality, record)
            coded = self._search(compressor, picture, low, xmp)
        whole = replace(picture, metadata=replace(picture.metadata, icc=icc))
        chosen = self._reported(compressor, whole, len(data), coded, record)
        return lambda: chosen

    def _restorer(self, format: Format) -> LoadedRestorer | None:  # noqa: A002
        here = {entry.name for entry in self.tools.workshop.registry.entries()}
        if format != "jpeg" or self.model is not None or RESTORER not in here:
            return None
        return self.tools.workshop.load_restorer(RESTORER)

    def _search(
        self, compressor: Compressor, picture: Picture, low: Picture, xmp: Callable[[str], bytes]
    ) -> _Coded:
        def at(quality: int) -> _Coded:
            return _Coded(compressor.code(low, quality, xmp), quality)

        def restored(quality: int) -> _Coded:
            coded = at(quality)
            back = compressor.restore(coded.data, picture.size, self.scale)
            return replace(coded, restored=back)

        width, height = picture.size
        limit = self.target.most_bytes(width * height)
        if limit is not None:
            found = most_within(at, lambda coded: len(coded.data) <= limit)
            if found is None:
                least = len(at(1).data)
                raise UsageError(
                    f"{limit} bytes are too few: the smallest file is {least} bytes, "
                    f"{8 * least / (width * height):.3f} bits per pixel"
                )
            return found[1]
        if self.target.psnr is not None:
            wanted = self.target.psnr
            found = least_reaching(restored, lambda coded: _quality_of(picture, coded) >= wanted)
            if found is None:
                best = _quality_of(picture, restored(100))
                raise UsageError(f"{wanted:g} dB are out of reach: quality 100 has {best:.2f} dB")
            return found[1]
        return at(self.target.quality)

    def _refined(
        self,
        compressor: Compressor,
        loaded: Loaded,
        picture: Picture,
        low: Picture,
        quality: int,
        record: Record,
    ) -> Picture:
        def filed(pixels: Pixels) -> Pixels:
            window = Picture(pixels, gray=picture.gray)
            return compressor.reread(compressor.code(window, quality))

        with self.tools.progress.file(record.input) as tick:
            pixels = refined(
                loaded, picture.pixels, low.pixels, self.scale, self.refine, record, tick, filed
            )
        return replace(low, pixels=to_gray(pixels) if compressor.neutral else pixels)

    def _reported(
        self,
        compressor: Compressor,
        picture: Picture,
        bytes_in: int,
        coded: _Coded,
        record: Record,
    ) -> bytes:
        width, height = picture.size
        size = len(coded.data)
        report: dict[str, Any] = {
            "codec": compressor.codec,
            "quality": coded.quality,
            "bytes_before": bytes_in,
            "bytes_after": size,
            "bits_per_pixel": round(8 * size / (width * height), 4),
        }
        record.report = report
        if not self.report:
            record.messages.append(_line(record.input, report))
            return coded.data
        back = coded.restored
        if back is None:
            back = compressor.restore(coded.data, picture.size, self.scale)
        report["psnr"] = round(psnr(back, picture.pixels), 3)
        report["ssim"] = round(ssim(back, picture.pixels), 5)
        # A JPEG has no transparency.
        plain = plain_jpeg(picture.pixels, size) if picture.alpha is None else None
        report["plain_jpeg"] = plain and {
            "quality": plain.quality,
            "subsampling": plain.subsampling,
            "bytes": len(plain.data),
            "psnr": round(plain.psnr, 3),
        }
        chosen = coded.data
        if plain is not None and plain.psnr > report["psnr"]:
            chosen = self._better_plain(picture, plain, coded, record)
        record.messages.append(_line(record.input, report))
        return chosen

    def _better_plain(self, picture: Picture, plain: Plain, coded: _Coded, record: Record) -> bytes:
        """Say that a plain JPEG is better at these bytes; with `auto`, take it."""
        if not self.auto:
            record.warnings.append(
                "a plain JPEG of these bytes is the better picture: a lower quality or size is "
                "where irn gains, or pass --auto"
            )
            return coded.data

        def xmp(content_sha256: str) -> bytes:
            tag = Tag(content_sha256=content_sha256, hr_size=picture.size, **PLAIN)
            return embedded(picture.metadata, tag, record.warnings)

        data = encode(
            picture,
            format="jpeg",
            quality=plain.quality,
            subsampling=plain.subsampling,
            progressive=True,
            xmp=xmp,
        )
        record.model, record.lr_size = None, picture.size
        assert record.report is not None  # noqa: S101
        record.report |= {"codec": "plain jpeg", "bytes_after": len(data)}
        return data


def _line(name: str, report: dict[str, Any]) -> str:
    line = (
        f"{shown(name)}: {report['bytes_before']:,} to {report['bytes_after']:,} bytes, "
        f"{report['bits_per_pixel']:.3f} bits per pixel"
    )
    if "psnr" in report:
        line += f", {report['psnr']:.2f} dB, SSIM {report['ssim']:.4f}"
        plain = report["plain_jpeg"]
        line += f"; plain JPEG: {plain['psnr']:.2f} dB" if plain else "; no plain JPEG does"
    return line


class Totals(Summary):
    """What a batch came to: bytes before and after, and the mean PSNR."""

    def __init__(self) -> None:
        self._files = self._before = self._after = self._measured = 0
        self._psnr = 0.0

    def add(self, record: Record) -> None:
        """See Summary."""
        report = record.report
        if report is None or record.error is not None:
            return
        self._files += 1
        self._before += report["bytes_before"]
        self._after += report["bytes_after"]
        if "psnr" in report:
            self._measured += 1
            self._psnr += report["psnr"]

    def lines(self) -> list[str]:
        """See Summary."""
        if self._files < 2:
            return []
        line = f"{self._files} pictures: {self._before:,} to {self._after:,} bytes"
        if self._measured:
            line += f", mean {self._psnr / self._measured:.2f} dB"
        return [line]


def _quality_of(picture: Picture, coded: _Coded) -> float:
    assert coded.restored is not None  # noqa: S101
    return psnr(coded.restored, picture.pixels)
