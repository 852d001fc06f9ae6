"""Lines that commands print about a batch: one for each file that was written, and a total."""

from __future__ import annotations

from typing import Any

from irncli.batch.console import Record
from irncli.batch.messages import shown
from irncli.engine.latent import draw_seed
from irncli.io.encoding import Format, spoken_name
from irncli.wording import counted

__all__ = ["CompressionSummary", "DrawnSeed", "Summary"]


class Summary:
    """What was written: a line for each file, and a total for several.

    Attributes:
        restores: True if the batch restores images; sizes are then given from small to large.
        by_model: number of files that were written by a network.
    """

    restores = False

    def __init__(self) -> None:
        self._files = self._before = self._after = self.by_model = 0

    def add(self, record: Record) -> None:
        """Take a file that is done into account; it may have failed, or have been skipped."""
        if record.error is None and not record.skipped:
            self._files += 1
            self.by_model += record.model is not None
            self._before += record.bytes_in or 0
            self._after += record.bytes_out or 0

    def line(self, record: Record, *, timed: bool = False) -> str:
        """Return a line about a file that was written or skipped, with the time if it is asked."""
        said = f"{shown(record.input)} -> {shown(record.output)}: "
        if record.skipped:
            return said + "already done"
        took = f", {record.seconds:.2f} s" if timed and record.seconds is not None else ""
        frames = "" if record.frames is None else f", {counted(record.frames, 'frame')}"
        return f"{said}{self._sizes(record)}{frames}, {self._bytes(record)}{took}"

    def total(self) -> list[str]:
        """Return the line about all files, if there are several."""
        if self._files < 2:
            return []
        files = counted(self._files, "image")
        return [f"{files}: {self._before:,} to {self._after:,} bytes{self._quality()}"]

    def notes(self) -> list[str]:
        """Return more lines to print at the end of the batch, even with `--json`."""
        return []

    def _sizes(self, record: Record) -> str:
        sizes = ["{}x{}".format(*size) for size in (record.hr_size, record.lr_size) if size]
        if self.restores:
            sizes.reverse()
        if record.model is None:
            return f"{sizes[0]}, unchanged" if len(set(sizes)) == 1 else " to ".join(sizes)
        return f"{' to '.join(dict.fromkeys(sizes))} by {shown(record.model)}"

    def _bytes(self, record: Record) -> str:
        return f"{record.bytes_out:,} bytes"

    def _quality(self) -> str:
        return ""


class DrawnSeed(Summary):
    """Restored images, and the random seed of the batch if a file needed it.

    Args:
        asked: seed that the user gave; None to draw one at random.
    """

    restores = True

    def __init__(self, asked: int | None) -> None:
        super().__init__()
        self.value = draw_seed()
        self._asked, self._used = asked, False

    def add(self, record: Record) -> None:
        """See Summary."""
        super().add(record)
        self._used |= record.seed == self.value and bool(record.temperature)

    def notes(self) -> list[str]:
        """See Summary."""
        return [f"irn: seed {self.value}"] if self._used and self._asked is None else []


class CompressionSummary(Summary):
    """Sizes and qualities of compressed images."""

    def __init__(self) -> None:
        super().__init__()
        self._measured, self._psnr = 0, 0.0

    def add(self, record: Record) -> None:
        """See Summary."""
        super().add(record)
        if record.error is None and record.report is not None and "psnr" in record.report:
            self._measured += 1
            self._psnr += record.report["psnr"]

    def _sizes(self, record: Record) -> str:
        if record.model is None and record.hr_size:
            if record.report is not None and record.report["codec"] == "original":
                return "{}x{}, the original".format(*record.hr_size)
            return "{}x{} as a plain {}".format(*record.hr_size, _codec(record))
        return super()._sizes(record)

    def _bytes(self, record: Record) -> str:
        return super()._bytes(record) if record.report is None else _measured(record.report)

    def _quality(self) -> str:
        return f", mean {self._psnr / self._measured:.2f} dB" if self._measured else ""


def _measured(report: dict[str, Any]) -> str:
    said = (
        f"{report['bytes_before']:,} to {report['bytes_after']:,} bytes, "
        f"{report['bits_per_pixel']:.3f} bits per pixel"
    )
    if "psnr" in report:
        said += f", {report['psnr']:.2f} dB, SSIM {report['ssim']:.4f}"
    if "irn" in report:
        return f"{said}; {_other_way(report['irn'])}"
    return said + _compared(report) if "psnr" in report else said


def _compared(report: dict[str, Any]) -> str:
    """Return the quality of each plain file with which a file is compared."""
    codecs: dict[str, Format] = {"plain": report["codec"], "plain_jpeg": "jpeg"}
    plain = [(spoken_name(codec), report[key]) for key, codec in codecs.items() if key in report]
    return "".join(
        f"; plain {name}: {found['psnr']:.2f} dB" if found else f"; no comparable plain {name}"
        for name, found in plain
    )


def _codec(record: Record) -> str:
    """Return the name of the codec of a plain file."""
    if record.report is None:
        return spoken_name("jpeg")
    return spoken_name(record.report["codec"].removeprefix("plain "))


def _other_way(irn: dict[str, Any] | None) -> str:
    """Return why a file is a plain one or the original."""
    if irn is None:
        return "irn cannot meet the target"
    return f"irn has {irn['psnr']:.2f} dB in {irn['bytes']:,} bytes"
