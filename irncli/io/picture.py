"""An image in memory: pixels, alpha, and what travels with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from irncli.pixels import Pixels, bits_of, most, to_bits

__all__ = ["COLOUR_CHUNKS", "TEXT_CHUNKS", "Chunk", "Deep", "Metadata", "Picture", "reduction"]

Chunk = tuple[bytes, bytes]
"""A chunk of a PNG: its type, of four letters, and its body."""
COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
"""Chunks of a PNG that say how its colours are to be read."""
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
"""Chunks of a PNG that hold text."""
Deep = NDArray[np.uint16]
"""Channels of 16 bits: [H, W] or [H, W, channels]."""


def reduction(bits: int) -> str:
    """What is said where the depth of a file is lost."""
    return f"{bits} bits a channel were reduced to 8"


@dataclass(frozen=True, eq=False)
class Metadata:
    """What travels with the pixels, byte for byte.

    Attributes:
        icc: colour profile.
        exif: orientation and all.
        xmp: packet.
        dpi: across and down.
        chunks: of a PNG that no other format has: gamma and text.
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
        pixels: uint8 or uint16 [H, W, 3], RGB.
        alpha: [H, W], of the type of `pixels`; None where the file has none.
        gray: the file has one channel; `pixels` hold it three times.
        metadata: ICC, EXIF, XMP, DPI.
        notes: what was converted or lost on reading, a sentence each.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    gray: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def neutral(self) -> bool:
        """The three channels are equal, whatever the file has."""
        # Most images with colours show them in a few rows.
        few, all_ = self.pixels[:: max(1, len(self.pixels) // 8)], self.pixels
        return self.gray or all(bool((part == part[:, :, :1]).all()) for part in (few, all_))

    @property
    def bits(self) -> int:
        """Bits per channel: 8 or 16."""
        return bits_of(self.pixels)

    @property
    def opaque(self) -> bool:
        """Nothing shines through."""
        return self.alpha is None or bool((self.alpha == most(self.alpha)).all())

    def reduced(self, bits: int = 16) -> Picture:
        """In 8 bits, with a note of it; itself, where it has no more.

        Args:
            bits: of a channel in the file that it comes from.
        """
        if self.bits == 8:
            return self
        return replace(
            self,
            pixels=to_bits(self.pixels, 8),
            alpha=None if self.alpha is None else to_bits(self.alpha, 8),
            notes=(*self.notes, reduction(bits)),
        )
