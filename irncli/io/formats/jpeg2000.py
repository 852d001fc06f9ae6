"""JPEG 2000: depth of the components and metadata, which Pillow does not report.

Source: ITU-T T.800, annex A.5.1, for the SIZ segment; annex I.5.3.3 for the colr box; XMP, part 3,
section 1.1.5, for XMP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image, ImageFile

from irncli.errors import ImageError
from irncli.io import opencv
from irncli.io.formats.base import FileFormat
from irncli.io.formats.extras import further_images
from irncli.io.picture import Deep

__all__ = ["Component", "Jpeg2000", "boxed_metadata", "components", "is_sycc"]

_METHODS_WITH_PROFILE = (2, 3)
_SMALLEST_PROFILE = 128
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF_UUID = b"JpgTiffExif->JP2"
_BEGIN = b"\xff\x4f\xff\x51"
"""The markers SOC and SIZ, with which a codestream begins."""
_COUNT, _FIRST = 40, 42
_ENUMERATED = b"colr\x01"
_SYCC = 18


@dataclass(frozen=True)
class Component:
    """A component of an image.

    Attributes:
        bits: bits per value.
        signed: True if the values are signed.
        step: horizontal and vertical distance between values in pixels.
    """

    bits: int
    signed: bool
    step: tuple[int, int]


def components(data: bytes) -> tuple[Component, ...]:
    """Return the components of a file, with or without boxes around its codestream.

    Components that are cut off at the end of a truncated file are left out.
    """
    at = data.find(_BEGIN)
    if at < 0:
        return ()
    first = at + _FIRST
    count = int.from_bytes(data[at + _COUNT : first], "big")
    found = data[first : first + 3 * count]
    return tuple(
        Component((depth & 0x7F) + 1, bool(depth & 0x80), (across, down))
        for depth, across, down in zip(found[::3], found[1::3], found[2::3], strict=False)
    )


def is_sycc(data: bytes) -> bool:
    """Tell whether the boxes say that the components are luma and colour differences."""
    at = data.find(_ENUMERATED)
    # The method and the number are separated by precedence and approximation.
    return at >= 0 and int.from_bytes(data[at + 7 : at + 11], "big") == _SYCC


def boxed_metadata(data: bytes) -> dict[str, bytes]:
    """Return the profile, XMP and EXIF of a file by Pillow's names for them."""
    exif = _in_uuid_box(data, _EXIF_UUID)
    found = {
        "icc_profile": _profile(data),
        "xmp": _in_uuid_box(data, _XMP_UUID),
        "exif": exif and b"Exif\0\0" + exif,
    }
    return {name: value for name, value in found.items() if value}


def _in_uuid_box(data: bytes, uuid: bytes) -> bytes | None:
    at = data.find(b"uuid" + uuid)
    if at < 4:
        return None
    length = int.from_bytes(data[at - 4 : at], "big")
    # With a length of 0, the box extends to the end of the file.
    return data[at + 4 + len(uuid) : at - 4 + length if length else None] or None


def _profile(data: bytes) -> bytes | None:
    at = data.find(b"colr")
    if at < 4 or len(data) < at + 7 or data[at + 4] not in _METHODS_WITH_PROFILE:
        return None
    end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
    # The method and the profile are separated by precedence and approximation.
    profile = data[at + 7 : end]
    whole = len(profile) >= _SMALLEST_PROFILE and int.from_bytes(profile[:4], "big") == len(profile)
    return profile if whole else None


class Jpeg2000(FileFormat):
    """JPEG 2000."""

    pillow_names: ClassVar[tuple[str, ...]] = ("JPEG2000",)
    beginning = re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51")
    one: ClassVar[str] = "a JPEG 2000"

    def complete(self, image: ImageFile.ImageFile, data: bytes) -> None:
        """See FileFormat."""
        image.info.update(boxed_metadata(data))

    def bits(self, image: Image.Image, data: bytes) -> int:
        """See FileFormat."""
        if image.mode in ("P", "PA"):  # components are indices into a palette
            return 8
        return max((8, *(each.bits for each in components(data))))

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        del image
        return further_images(data.count(b"jp2c" + _BEGIN) - 1)

    def deep(self, image: Image.Image, data: bytes, bits: int) -> Deep | None:
        """See FileFormat. Pillow is not used, because it turns the brightest values black."""
        if bits <= 8 or image.mode not in ("L", "I;16", "LA", "RGB", "RGBA"):
            return None
        plain = set(components(data)) == {Component(bits, False, (1, 1))} and not is_sycc(data)
        values = opencv.spread(opencv.read(data), image, bits) if plain else None
        if values is None:
            raise ImageError(
                f"a JPEG 2000 of {bits} bits and mode {image.mode} that cannot be read correctly: "
                "convert it to a 16-bit PNG first"
            )
        return values
