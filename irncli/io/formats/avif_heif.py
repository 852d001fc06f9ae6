"""AVIF and HEIC: depth and colours, which Pillow and its plug-in do not report.

Source: AV1 codec ISO media file format binding, section 2.3, for the av1C box; ISO/IEC 14496-12,
section 12.1.5, for the colr box; ITU-T H.273 for the code points; PNG, third edition, section
11.3.2.6, for the chunk that holds them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from os import cpu_count
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from irncli.errors import ImageError
from irncli.io import opencv
from irncli.io.formats.base import FileFormat
from irncli.io.formats.extras import iso_extras
from irncli.io.formats.writable import EncoderSettings, Format, WritableFormat
from irncli.io.libraries import DECODER_ERRORS, heif_is_here
from irncli.io.metadata import ORIENTATION
from irncli.io.picture import Chunk, Deep, Metadata, Picture

__all__ = ["Avif", "Heif", "code_points", "is_heif", "is_iso_media"]

AVIF_SPEED = 6
"""Speed 6 takes 0.3 to 0.5 s for 0.4 megapixels. Speed 5 takes six times as long and saves 3 %;
with speed 8, files are 4 to 13 % larger."""

_NAMED = b"colrnclx"
_USUAL_PRIMARIES, _USUAL_TRANSFERS = (1, 2), (1, 2, 6, 13)
"""Code points of sRGB, those that viewers show in the same way, and "unspecified"."""
_RGB, _FULL_RANGE = 0, 1
_HEVC = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_ANY_CODEC = frozenset((b"mif1", b"msf1"))
"""Brands that AV1 images may have, too; Pillow tries AV1 first."""
_LONGEST_BRANDS = 256
"""Number of bytes of the first box that are searched for brands."""


def is_iso_media(data: bytes) -> bool:
    """Tell by the major brand whether Pillow's plug-in for HEIC may be needed for a file."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEVC | _ANY_CODEC


def is_heif(data: bytes) -> bool:
    """Tell whether the brands in the first box are those of HEVC rather than AV1."""
    if data[4:8] != b"ftyp":
        return False
    major, end = data[8:12], int.from_bytes(data[:4], "big")
    others = [data[at : at + 4] for at in range(16, min(end, _LONGEST_BRANDS), 4)]
    return major in _HEVC or (major in _ANY_CODEC and not _HEVC.isdisjoint(others))


def code_points(data: bytes) -> tuple[Chunk, ...]:
    """Return the colour space of a file as a PNG chunk; empty if it is that of sRGB."""
    at = data.find(_NAMED)
    if at < 0 or len(data) < at + 15:
        return ()
    primaries, transfer = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (8, 10))
    usual = primaries in _USUAL_PRIMARIES and transfer in _USUAL_TRANSFERS
    if usual or max(primaries, transfer) > 255:
        return ()
    return ((b"cICP", bytes((primaries, transfer, _RGB, _FULL_RANGE))),)


def _chunks_unless_profile(image: Image.Image, data: bytes) -> tuple[Chunk, ...]:
    """Return the code points of a file as PNG chunks; empty if it has a profile."""
    return () if image.info.get("icc_profile") else code_points(data)


class Avif(WritableFormat):
    """AVIF."""

    pillow_names: ClassVar[tuple[str, ...]] = ("AVIF",)
    name: ClassVar[Format] = "avif"
    suffixes: ClassVar[tuple[str, ...]] = (".avif",)
    spoken: ClassVar[str] = "AVIF"
    one: ClassVar[str] = "an AVIF"
    beginning = re.compile(rb".{4}ftypavi[fs]", re.DOTALL)
    # AV1 allows 65536, but libavif, the most common decoder, refuses more than 32768.
    longest: ClassVar[int] = 32_768
    most_pixels: ClassVar[int] = 1 << 28

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        del image
        at = data.find(b"av1C")
        flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
        return (12 if flags & 0x20 else 10) if flags & 0x40 else 8

    def chunks(self, image: Image.Image, data: bytes) -> tuple[Chunk, ...]:
        """See FileFormat."""
        return _chunks_unless_profile(image, data)

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del image
        return iso_extras(data)

    def deep(self, image: Image.Image, data: bytes, bits: int) -> Deep | None:
        """See FileFormat."""
        return None if bits <= 8 else opencv.spread(opencv.read(data), image, bits)

    def stores_gray(self, picture: Picture) -> bool:
        """See WritableFormat."""
        return picture.gray and picture.alpha is None

    def fitted_exif(self, metadata: Metadata, lost: list[str]) -> Metadata:
        """See WritableFormat. Pillow removes the orientation and rewrites the remaining EXIF."""
        if metadata.exif is None:
            return metadata
        read = Image.Exif()
        try:
            read.load(metadata.exif)
            if read.pop(ORIENTATION, 1) == 1:
                return metadata
            read.tobytes()
        except DECODER_ERRORS:
            lost.append("its EXIF was left out: it cannot be put in an AVIF")
            return replace(metadata, exif=None)
        lost.append(
            "its EXIF was rewritten without the thumbnail, because AVIF stores the orientation "
            "outside EXIF"
        )
        return metadata

    def options(self, picture: Picture, settings: EncoderSettings) -> dict[str, object]:
        """See WritableFormat."""
        return {
            "quality": settings.quality,
            "speed": AVIF_SPEED,
            "subsampling": "4:0:0" if picture.gray else settings.subsampling,
            # Automatic tiling depends on the number of threads: files would be larger and differ
            # between machines. Without tiling, any number of threads from two on writes the same
            # bytes; a single thread writes different bytes.
            "autotiling": False,
            "max_threads": max(2, cpu_count() or 2),
        }


class Heif(FileFormat):
    """HEIC, read by Pillow's plug-in."""

    pillow_names: ClassVar[tuple[str, ...]] = ("HEIF",)
    beginning = re.compile(rb".{4}ftyp(?:hei[cxms]|hev[cxms])", re.DOTALL)
    one: ClassVar[str] = "a HEIC"

    def refuse(self, data: bytes, max_pixels: int) -> None:
        """See FileFormat."""
        del max_pixels
        if is_heif(data) and not heif_is_here():
            raise ImageError("a HEIC file: to read it, pip install 'irncli[heic]'")

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        del data
        return max(8, int(image.info.get("bit_depth", 8)))

    def chunks(self, image: Image.Image, data: bytes) -> tuple[Chunk, ...]:
        """See FileFormat."""
        return _chunks_unless_profile(image, data)

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del image
        return iso_extras(data)

    def deep(self, image: Image.Image, data: bytes, bits: int) -> Deep | None:
        """See FileFormat."""
        return None if bits <= 8 else opencv.spread(_read_heif(data, bits), image, bits)


def _read_heif(data: bytes, bits: int) -> NDArray[Any] | None:
    import pillow_heif

    try:
        values = np.asarray(pillow_heif.open_heif(data, convert_hdr_to_8bit=False))
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError):
        return None
    return values >> (16 - bits) if values.dtype == np.uint16 else None
