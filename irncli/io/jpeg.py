"""The segments of a JPEG file: what is picture and what is metadata.

Source: ITU-T T.81, annex B; Adobe XMP specification, part 3, for the APP1 segment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress

from irncli.errors import ImageError

__all__ = [
    "MAX_SCANS",
    "MAX_XMP",
    "coded_sha256",
    "has_extended_xmp",
    "has_many_scans",
    "insert_xmp",
]

MAX_XMP = 65_502
"""Bytes of XMP that fit into one APP1 segment."""

_XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\x00"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\x00"
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
MAX_SCANS = 200
"""Most scans of a JPEG. Progressive ones have about ten, and each costs a pass over the image."""


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, stop) of each segment; a scan's coded data belong to its SOS."""
    if data[:2] != b"\xff\xd8":
        raise ImageError("no JPEG: it does not begin with SOI")
    position = 2
    while position + 4 <= len(data):
        found = _MARKER.search(data, position)
        if found is None:
            return
        position = found.start()  # past stray bytes, as decoders do
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


def has_many_scans(data: bytes) -> bool:
    """More than MAX_SCANS: made to take hours. What comes behind the picture does not count."""
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return False
    count = 0
    with suppress(ImageError):
        for marker, _, _ in _segments(data):
            count += marker == _SOS
            if count > MAX_SCANS:
                return True
    return False


def has_extended_xmp(data: bytes) -> bool:
    """It continues in further segments."""
    with suppress(ImageError):
        for marker, start, _ in _segments(data):
            if marker == _SOS:
                break
            if marker == 0xE1 and data.startswith(_EXTENDED_XMP, start + 4):
                return True
    return False


def _end_of_scan(data: bytes, position: int) -> int:
    """First marker after coded data that is neither a stuffed byte nor a restart."""
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
    """SHA-256 of tables, frame and scans; application segments and comments do not count.

    So it is the same for every decoder, and untouched by a change of metadata.

    Raises:
        ImageError: the segments cannot be walked.
    """
    digest = hashlib.sha256()
    view = memoryview(data)
    for marker, start, stop in _segments(data):
        if not _is_metadata(marker):
            digest.update(view[start:stop])
    return digest.hexdigest()


def insert_xmp(data: bytes, xmp: bytes) -> bytes:
    """The same file with an XMP segment behind its JFIF and EXIF segments.

    Raises:
        ImageError: the packet does not fit.
    """
    if len(xmp) > MAX_XMP:
        raise ImageError(
            f"XMP of {len(xmp)} bytes, with what restoring needs, does not fit a JPEG (at most "
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
