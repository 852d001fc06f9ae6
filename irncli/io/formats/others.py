"""Formats that need only small corrections to what Pillow reports."""

from __future__ import annotations

import re
from typing import ClassVar

from PIL import Image

from irncli.errors import ImageError
from irncli.io.formats.base import FileFormat

__all__ = ["Gif", "Netpbm", "PostScript", "Sgi", "is_icon"]


_GAP = rb"(?:\s|#[^\n]*\n)+"
_BITMAP = re.compile(rb"P4" + (_GAP + rb"\d{1,9}") * 2 + rb"\s")
_MAP = re.compile(rb"P([56])" + (_GAP + rb"\d{1,9}") * 2 + _GAP + rb"(\d{1,5})\s")
"""Headers of binary files up to the pixels; those of other files are not searched for more."""


class Netpbm(FileFormat):
    """PBM, PGM and PPM. Source: Netpbm, ppm."""

    pillow_names: ClassVar[tuple[str, ...]] = ("PPM",)
    scales_integers: ClassVar[bool] = True

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        del image
        # Each byte can match in only one way, so that hostile data cannot cause backtracking.
        header = re.match(rb"P[2356](?:\s|#[^\n]*\n)+(?:\d+(?:\s|#[^\n]*\n)+){2}(\d{1,5})", data)
        return max(8, int(header[1]).bit_length()) if header else 8

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat. A file may be a sequence of images, of which Pillow reads the first."""
        if bitmap := _BITMAP.match(data):
            end = bitmap.end() + (image.width + 7) // 8 * image.height
        elif map_ := _MAP.match(data):
            size = (3 if map_[1] == b"6" else 1) * (2 if int(map_[2]) > 255 else 1)
            end = map_.end() + image.width * image.height * size
        else:
            return []
        more = re.match(rb"\s*P[1-7]\s", data[end : end + 100]) is not None
        return ["the images after the first one in the file were left out"] * more


class Sgi(FileFormat):
    """SGI."""

    pillow_names: ClassVar[tuple[str, ...]] = ("SGI",)

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        del image
        return max(8, 8 * data[3])


class Gif(FileFormat):
    """GIF."""

    pillow_names: ClassVar[tuple[str, ...]] = ("GIF",)
    beginning = re.compile(rb"GIF8[79]a")
    one: ClassVar[str] = "a GIF"
    untimed: ClassVar[float] = 0.0

    def plays(self, image: Image.Image) -> int:
        """See FileFormat. A GIF states how often its frames are repeated, if they are."""
        loop = image.info.get("loop")
        return 1 if loop is None else loop and int(loop) + 1

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del data
        return ["its comment was left out"] * bool(image.info.get("comment"))


def is_icon(data: bytes) -> bool:
    """Tell whether a file is an ICO, CUR or ICNS, of which Pillow decodes the image inside."""
    return data[:4] in (b"\0\0\1\0", b"\0\0\2\0", b"icns")


class PostScript(FileFormat):
    """EPS and PostScript, which Pillow would pass to Ghostscript."""

    def refuse(self, data: bytes, max_pixels: int) -> None:
        """See FileFormat."""
        del max_pixels
        if data[:4] in (b"%!PS", b"\xc5\xd0\xd3\xc6"):
            raise ImageError(
                "EPS and PostScript are programs, not images: convert the file to PNG first"
            )
