"""WebP."""

from __future__ import annotations

import re
from typing import ClassVar

from PIL import Image

from irncli.io.formats.extras import behind_end
from irncli.io.formats.writable import EncoderSettings, Format, WritableFormat
from irncli.io.picture import Picture

__all__ = ["Webp"]

METHOD = 6
"""Slowest method: files 5 to 7 % smaller than with method 4; 0.1 s for 0.4 megapixels."""


LOSSLESS = {"lossless": True, "quality": 75, "method": 4, "exact": True}
"""Lossless, with invisible colours kept. A photograph of 0.4 megapixels takes 0.3 s and 77 % of the
bytes of a PNG; the greatest effort saves 1 % more and takes 13 s."""


class Webp(WritableFormat):
    """WebP, which does not store gray and, unless it is lossless, always uses 4:2:0."""

    pillow_names: ClassVar[tuple[str, ...]] = ("WEBP",)
    name: ClassVar[Format] = "webp"
    suffixes: ClassVar[tuple[str, ...]] = (".webp",)
    beginning = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
    spoken: ClassVar[str] = "WebP"
    one: ClassVar[str] = "a WebP"
    longest: ClassVar[int] = 16_383

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del image
        # Chunks have even sizes.
        size = int.from_bytes(data[4:8], "little")
        return behind_end(data, 8 + size + size % 2)

    def stores_gray(self, picture: Picture) -> bool:
        """See WritableFormat."""
        del picture
        return False

    def options(self, picture: Picture, settings: EncoderSettings) -> dict[str, object]:
        """See WritableFormat."""
        del picture
        if settings.lossless:
            return dict(LOSSLESS)
        return {"quality": settings.quality, "method": METHOD}
