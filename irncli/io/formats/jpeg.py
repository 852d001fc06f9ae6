"""JPEG: segments, and their separation into image and metadata.

Source: ITU-T T.81, annex B; Adobe XMP specification, part 3, for the APP1 segment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from PIL import Image

from irncli.errors import ImageError, UsageError
from irncli.io.formats import extras
from irncli.io.formats.jpeg_scans import jpeg_of
from irncli.io.formats.writable import (
    JPEG_EXIF,
    EncoderSettings,
    Format,
    Packet,
    WritableFormat,
    save,
    shared_options,
    stored,
)
from irncli.io.libraries import DECODER_ERRORS
from irncli.io.picture import Metadata, Picture

__all__ = [
    "MAX_SCANS",
    "MAX_XMP",
    "Jpeg",
    "coded_sha256",
    "has_many_scans",
    "insert_xmp",
    "replace_xmp",
]

MAX_XMP = 65_502
"""Largest XMP packet in bytes that fits into one APP1 segment."""
MAX_EXIF = 65_527
"""Largest EXIF in bytes that fits into a segment, without the prefix of six bytes."""
MAX_SCANS = 200
"""Largest number of scans of a JPEG. Progressive files have about ten, and decoding each scan takes
a pass over the image."""
DPI_TOLERANCE = 0.1
"""Largest difference in DPI at which two resolutions count as equal."""

_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\x00"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\x00"
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame (SOF); the others are tables and an extension."""
_HIERARCHICAL = frozenset((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF))
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_X_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x0128
_INCH, _CENTIMETRE = 1, 2
"""Units of the density in a JFIF segment."""
_PHOTOSHOP_IPTC = 0x0404


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, stop) of each segment; coded data belong to the preceding SOS."""
    if data[:2] != b"\xff\xd8":
        raise ImageError("not a JPEG: it does not begin with SOI")
    position = 2
    while position + 4 <= len(data):
        found = _MARKER.search(data, position)
        if found is None:
            return
        position = found.start()  # skip stray bytes, as decoders do
        marker = data[position + 1]
        if marker == _EOI:
            return
        stop = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SOS:
            stop = _end_of_scan(data, stop)
        if stop > len(data):
            raise ImageError("damaged JPEG: it ends within a segment")
        yield marker, position, stop
        position = stop


def end_of_image(data: bytes) -> int:
    """Return the position behind the marker EOI; the length of the data if there is no EOI."""
    with suppress(ImageError):
        last = max((stop for _, _, stop in _segments(data)), default=2)
        found = _MARKER.search(data, last)
        if found is not None and data[found.start() + 1] == _EOI:
            return found.end()
    return len(data)


def has_many_scans(data: bytes) -> bool:
    """Tell whether a JPEG has more than MAX_SCANS scans; data after the image are ignored."""
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return False
    count = 0
    with suppress(ImageError):
        for marker, _, _ in _segments(data):
            count += marker == _SOS
            if count > MAX_SCANS:
                return True
    return False


def unsupported_frame(data: bytes) -> str | None:
    """Say why the coding of a JPEG is not supported; None if it is.

    Supported are baseline, extended and progressive JPEG with 8 bits per channel, in one, three or
    four channels.
    """
    with suppress(ImageError):
        for marker, start, stop in _segments(data):
            if marker == _SOS:
                break
            if marker not in _FRAMES or stop - start < 10:
                continue
            bits, channels = data[start + 4], data[start + 9]
            if marker in _HIERARCHICAL:
                return "a hierarchical JPEG, which irn does not read: convert it to PNG first"
            if bits != 8:
                return (
                    f"a JPEG with {bits} bits per channel, expected 8: convert it to a 16-bit PNG "
                    "first"
                )
            if channels not in (1, 3, 4):
                return (
                    f"a JPEG with {channels} channels, expected 1, 3 or 4: convert it to PNG first"
                )
            break
    return None


def has_extended_xmp(data: bytes) -> bool:
    """Tell whether XMP continues in further segments."""
    with suppress(ImageError):
        for marker, start, _ in _segments(data):
            if marker == _SOS:
                break
            if marker == 0xE1 and data.startswith(_EXTENDED_XMP, start + 4):
                return True
    return False


def _end_of_scan(data: bytes, position: int) -> int:
    """Find the first marker after coded data that is neither a stuffed byte nor a restart."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return len(data)
        if data[position + 1] == 0 or 0xD0 <= data[position + 1] <= 0xD7:
            position += 2
        else:
            return position


def _is_metadata(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == _COM


def coded_sha256(data: bytes) -> str:
    """Hash tables, frame and scans, without application segments and comments.

    The hash does not depend on the decoder or on the metadata.

    Raises:
        ImageError: the segments are damaged.
    """
    digest = hashlib.sha256()
    view = memoryview(data)
    for marker, start, stop in _segments(data):
        if not _is_metadata(marker):
            digest.update(view[start:stop])
    return digest.hexdigest()


def _joined(head: bytes, image: bytes) -> bytes:
    """Return a JPEG with the metadata of one file and the image of another."""
    kept = [head[start:stop] for marker, start, stop in _segments(head) if _is_metadata(marker)]
    kept += [
        image[start:stop] for marker, start, stop in _segments(image) if not _is_metadata(marker)
    ]
    return b"\xff\xd8" + b"".join(kept) + b"\xff\xd9"


def insert_xmp(data: bytes, xmp: bytes) -> bytes:
    """Return the file with an XMP segment after its JFIF and EXIF segments.

    Raises:
        ImageError: the packet does not fit into a segment.
    """
    if len(xmp) > MAX_XMP:
        raise ImageError(
            f"XMP of {len(xmp)} bytes, including the irn tag, does not fit into a JPEG (at most "
            f"{MAX_XMP}): use PNG, or --strip"
        )
    payload = _XMP_HEADER + xmp
    segment = b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload
    place = 2
    for marker, start, stop in _segments(data):
        head = data[start + 4 : start + 10]
        if marker != 0xE0 and not (marker == 0xE1 and head == b"Exif\x00\x00"):
            break
        place = stop
    return data[:place] + segment + data[place:]


def replace_xmp(data: bytes, xmp: bytes) -> bytes:
    """Return the file with another XMP packet; all other bytes stay as they are.

    Raises:
        ImageError: the packet does not fit into a segment.
    """
    kept, at = [], 0
    for marker, start, stop in _segments(data):
        if marker == _SOS:
            break
        if marker == 0xE1 and data.startswith(_XMP_HEADER, start + 4):
            kept.append(data[at:start])
            at = stop
    return insert_xmp(b"".join((*kept, data[at:])), xmp)


class Jpeg(WritableFormat):
    """JPEG, and MPO, which is several JPEG images in one file."""

    pillow_names: ClassVar[tuple[str, ...]] = ("JPEG", "MPO")
    name: ClassVar[Format] = "jpeg"
    suffixes: ClassVar[tuple[str, ...]] = (".jpg", ".jpeg", ".jpe")
    beginning = re.compile(rb"\xff\xd8\xff")
    spoken: ClassVar[str] = "JPEG"
    one: ClassVar[str] = "a JPEG"
    longest: ClassVar[int] = 65_500

    def refuse(self, data: bytes, max_pixels: int) -> None:
        """See FileFormat."""
        del max_pixels
        if data[:2] == b"\xff\xd8" and has_many_scans(data):
            raise ImageError(
                f"a JPEG with more than {MAX_SCANS} scans is refused: decoding it may take hours"
            )

    def unreadable(self, data: bytes) -> str | None:
        """See FileFormat."""
        return (unsupported_frame(data) if data[:2] == b"\xff\xd8" else None) or super().unreadable(
            data
        )

    def check(self, data: bytes) -> None:
        """See FileFormat. Of a frame that it does not support, libjpeg says that it is damaged."""
        trouble = unsupported_frame(data)
        if trouble is not None:
            raise ImageError(trouble)

    def states_resolution(self, image: Image.Image) -> bool:
        """See FileFormat. Pillow reports 72 DPI if there is EXIF without a resolution."""
        by_jfif = image.info.get("jfif_unit") in (_INCH, _CENTIMETRE)
        if by_jfif or image.info["dpi"] != (72, 72):
            return True
        try:
            return {_X_RESOLUTION, _RESOLUTION_UNIT} <= set(image.getexif())
        except DECODER_ERRORS:
            return False

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:
        """See FileFormat."""
        resources = image.info.get("photoshop")
        xmp = self.xmp(image, data) or b""
        more = extras.behind(
            data, end_of_image(data), end_of_image, counted=image.format == "MPO",
            gain_map=b"ns.adobe.com/hdr-gain-map/" in xmp,
        )  # fmt: skip
        found = {
            "its comment was left out": image.info.get("comment"),
            "its IPTC was left out": isinstance(resources, dict) and resources.get(_PHOTOSHOP_IPTC),
            "its extended XMP, of more than 64 KB, was left out": has_extended_xmp(data),
        }
        return more + [sentence for sentence, there in found.items() if there]

    def coded_sha256(self, data: bytes) -> str | None:
        """See FileFormat."""
        return coded_sha256(data)

    def fitted_resolution(
        self, metadata: Metadata, dpi: tuple[float, float], lost: list[str]
    ) -> Metadata:
        """See WritableFormat."""
        across, down = whole = (round(dpi[0]), round(dpi[1]))
        if max(abs(dpi[0] - across), abs(dpi[1] - down)) <= DPI_TOLERANCE:
            return metadata
        was = f"the resolution of {dpi[0]:g}x{dpi[1]:g} DPI"
        lost.append(f"{was} was rounded to {across}x{down}: JPEG stores whole numbers")
        return replace(metadata, dpi=whole)

    def check_writable(self, picture: Picture, settings: EncoderSettings) -> None:
        """See WritableFormat."""
        super().check_writable(picture, settings)
        if picture.alpha is not None:
            raise UsageError(
                "JPEG has no transparency: use PNG, or --background when the image is made small"
            )
        exif = picture.metadata.exif
        if exif is not None and len(exif.removeprefix(JPEG_EXIF)) > MAX_EXIF:
            raise ImageError(f"EXIF of {len(exif)} bytes does not fit into a JPEG: use PNG")

    def write(
        self,
        picture: Picture,
        settings: EncoderSettings,
        xmp: Packet | None,
        identify: Callable[[bytes], str],
    ) -> bytes:
        """See WritableFormat."""
        del identify
        options: dict[str, object] = {
            "quality": settings.quality,
            "subsampling": settings.subsampling,
            "progressive": settings.progressive,
            "optimize": True,
            "exif": b"",
        }
        options |= shared_options(picture.metadata, JPEG_EXIF)
        if settings.coefficients is None:
            data = save(stored(picture), "JPEG", options)
        else:
            # Pillow writes the metadata, with a few pixels of the image.
            corner = replace(picture, pixels=picture.pixels[:8, :8].copy())
            head = save(stored(corner), "JPEG", options)
            data = _joined(head, jpeg_of(settings.coefficients))
        packet = xmp(coded_sha256(data)) if xmp else picture.metadata.xmp
        return insert_xmp(data, packet) if packet else data
