"""An image in memory: pixels, alpha and metadata."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from irncli.pixels import Pixels, bits_of, most, to_bits

__all__ = ["COLOUR_CHUNKS", "TEXT_CHUNKS", "Chunk", "Deep", "Metadata", "Picture", "reduction"]

Chunk = tuple[bytes, bytes]
"""A chunk of a PNG: the type, which has four letters, and the body."""
COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
"""PNG chunks that define how the colours are interpreted."""
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
"""PNG chunks that contain text."""
Deep = NDArray[np.uint16]
"""16-bit channels: [H, W] or [H, W, channels]."""


def reduction(bits: int) -> str:
    """Return the note that the depth of a file was reduced to 8 bits."""
    return f"{bits} bits per channel were reduced to 8"


@dataclass(frozen=True, eq=False)
class Metadata:
    """Metadata of an image, kept byte for byte.

    Attributes:
        icc: ICC colour profile.
        exif: EXIF data, including the orientation.
        xmp: XMP packet.
        dpi: horizontal and vertical resolution in dots per inch.
        chunks: PNG chunks without equivalent in other formats: gamma and text.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image.

    Attributes:
        pixels: RGB, uint8 or uint16 [H, W, 3].
        alpha: alpha [H, W] of the same type as `pixels`; None if the file has none.
        gray: True if the file is gray; `pixels` then has three equal channels.
        metadata: ICC, EXIF, XMP, DPI and PNG chunks.
        notes: conversions and losses on reading, one sentence each.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    gray: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def neutral(self) -> bool:
        """True if the three channels are equal, even if the file is not gray."""
        # Check a few rows first, because most colour images show colours there.
        few, all_ = self.pixels[:: max(1, len(self.pixels) // 8)], self.pixels
        return self.gray or all(bool((part == part[:, :, :1]).all()) for part in (few, all_))

    @property
    def bits(self) -> int:
        """Bits per channel: 8 or 16."""
        return bits_of(self.pixels)

    @property
    def opaque(self) -> bool:
        """True if no pixel is transparent."""
        return self.alpha is None or bool((self.alpha == most(self.alpha)).all())

    def reduced(self, bits: int = 16) -> Picture:
        """Return this picture reduced to 8 bits with a note, or itself if it already has 8 bits.

        Args:
            bits: bits per channel of the source file, for the note.
        """
        if self.bits == 8:
            return self
        return replace(
            self,
            pixels=to_bits(self.pixels, 8),
            alpha=None if self.alpha is None else to_bits(self.alpha, 8),
            notes=(*self.notes, reduction(bits)),
        )
