"""Lines that commands print about a batch: one for each file and a summary at the end."""

from __future__ import annotations

from typing import Any

from irncli.batch.console import Record
from irncli.batch.jobs import Summary
from irncli.batch.messages import shown
from irncli.engine.latent import draw_seed

__all__ = ["CompressionTotals", "DrawnSeed"]


class DrawnSeed(Summary):
    """The random seed of a batch, printed at the end if a file needed it.

    Args:
        asked: seed that the user gave; None to draw one at random.
    """

    def __init__(self, asked: int | None) -> None:
        self.value = draw_seed()
        self._asked, self._used = asked, False

    def add(self, record: Record) -> list[str]:
        """See Summary."""
        self._used |= record.seed == self.value and bool(record.temperature)
        return []

    def lines(self) -> list[str]:
        """See Summary."""
        return [f"irn: seed {self.value}"] if self._used and self._asked is None else []


class CompressionTotals(Summary):
    """Sizes and qualities of compressed images, printed for each image and for the batch."""

    def __init__(self) -> None:
        self._files = self._before = self._after = self._measured = 0
        self._psnr = 0.0

    def add(self, record: Record) -> list[str]:
        """See Summary."""
        report = record.report
        if report is None or record.error is not None:
            return []
        self._files += 1
        self._before += report["bytes_before"]
        self._after += report["bytes_after"]
        if "psnr" in report:
            self._measured += 1
            self._psnr += report["psnr"]
        return [_line(record.input, report)]

    def lines(self) -> list[str]:
        """See Summary."""
        if self._files < 2:
            return []
        line = f"{self._files} images: {self._before:,} to {self._after:,} bytes"
        if self._measured:
            line += f", mean {self._psnr / self._measured:.2f} dB"
        return [line]


def _line(name: str, report: dict[str, Any]) -> str:
    line = (
        f"{shown(name)}: {report['bytes_before']:,} to {report['bytes_after']:,} bytes, "
        f"{report['bits_per_pixel']:.3f} bits per pixel"
    )
    if "psnr" in report:
        line += f", {report['psnr']:.2f} dB, SSIM {report['ssim']:.4f}"
        plain = report["plain_jpeg"]
        if "irn" in report:
            return line + f"; {_other_way(report['irn'])}"
        line += f"; plain JPEG: {plain['psnr']:.2f} dB" if plain else "; no comparable plain JPEG"
    return line


def _other_way(irn: dict[str, Any] | None) -> str:
    """Return why a file is a plain JPEG."""
    if irn is None:
        return "plain JPEG, since irn cannot meet the target"
    return f"plain JPEG, since irn has {irn['psnr']:.2f} dB in {irn['bytes']:,} bytes"
