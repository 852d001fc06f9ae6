"""The target for a compressed file."""

from __future__ import annotations

from dataclasses import dataclass

from irncli.errors import UsageError

__all__ = ["Target"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """The target for an output file. At most one of the last three attributes may be given.

    Attributes:
        quality: quality of the codec, 1 to 100, unless another target is given.
        bytes: largest size of the file in bytes.
        bits_per_pixel: largest size of the file in bits per HR pixel.
        psnr: lowest RGB PSNR of the restored image in dB.
    """

    quality: int = 70
    bytes: int | None = None
    bits_per_pixel: float | None = None
    psnr: float | None = None

    def __post_init__(self) -> None:
        if len(self.searched) > 1:
            raise UsageError(f"{' and '.join(self.searched)} exclude each other: give one")
        if self.bits_per_pixel is not None and not 0 < self.bits_per_pixel <= 1000:
            raise UsageError(
                f"--target-bpp {self.bits_per_pixel:g}: expected more than 0 and at most 1000, "
                "such as 0.5"
            )
        if self.psnr is not None and not 0 < self.psnr <= 100:
            raise UsageError(
                f"--min-psnr {self.psnr:g}: expected more than 0 and at most 100 dB, such as 32"
            )

    @property
    def searched(self) -> list[str]:
        """Given options that determine the quality."""
        given = {
            "--target-size": self.bytes,
            "--target-bpp": self.bits_per_pixel,
            "--min-psnr": self.psnr,
        }
        return [name for name, value in given.items() if value is not None]

    def most_bytes(self, hr_pixels: int) -> int | None:
        """Return the largest file size in bytes for this number of pixels, or None for no limit."""
        if self.bits_per_pixel is not None:
            return int(self.bits_per_pixel * hr_pixels / 8)
        return self.bytes
