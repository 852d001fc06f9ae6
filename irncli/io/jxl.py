"""What Pillow's plug-in for JPEG XL does not say: XMP, and the size before pixels are decoded.

Source: ISO/IEC 18181-1, annex D, for the size; 18181-2 for the boxes.
"""

from __future__ import annotations

from collections.abc import Iterator

from irncli.errors import ImageError

__all__ = ["find_xmp", "is_jxl", "size_of"]

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_WIDTHS = (9, 13, 18, 30)
_HEADER = 11
"""Bytes of the longest header: 2 of the signature, 68 bits of the size."""


def is_jxl(data: bytes) -> bool:
    """Whether the plug-in would take the bytes for a JPEG XL file, with or without a container."""
    return data.startswith((_CODESTREAM, _CONTAINER)) or data[4:7] == b"JXL"


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, stop) of the content of each box."""
    position = 0
    while position + 8 <= len(data):
        size, head = int.from_bytes(data[position : position + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        stop = position + size if size else len(data)
        if stop < position + head or stop > len(data):
            raise ImageError("damaged JPEG XL: a box ends where it cannot")
        yield data[position + 4 : position + 8], position + head, stop
        position = stop


def find_xmp(data: bytes) -> bytes | None:
    """The XMP packet, None where there is none (or one that is compressed).

    Raises:
        ImageError: the boxes cannot be walked.
    """
    if not data.startswith(_CONTAINER):
        return None
    packets = (data[start:stop] for kind, start, stop in _boxes(data) if kind == b"xml ")
    return next(packets, None)


def _codestream(data: bytes) -> bytes:
    """The first of its bytes, at least as many as the size needs."""
    if data.startswith(_CODESTREAM):
        return data[:_HEADER]
    found = b""
    for kind, start, stop in _boxes(data):
        if kind in (b"jxlc", b"jxlp"):
            # A part begins with its number.
            start += 4 * (kind == b"jxlp")
            found += data[start : min(stop, start + _HEADER)]
        if len(found) >= _HEADER:
            break
    return found


class _Bits:
    """A codestream as a number that is read from its lowest bit on."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height, as the header says.

    Raises:
        ImageError: there is no header.
    """
    stream = _codestream(data)
    if not stream.startswith(_CODESTREAM) or len(stream) < _HEADER:
        raise ImageError("damaged JPEG XL: no header")
    bits = _Bits(stream[2:])
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.take(_WIDTHS[bits.take(2)]) + 1

    height = side()
    above, below = _RATIOS[bits.take(3)]
    return height * above // below if above else side(), height
