"""Files of several frames: PNG (APNG) and WebP, assembled from the files of their frames.

Pillow writes such files, too, but holds all frames in memory, and merges frames that are equal.

Source: PNG specification, third edition, section 11.3.6; WebP Container Specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from irncli.io.formats.png import SIGNATURE, chunks, framed
from irncli.io.formats.writable import Format

__all__ = ["ANIMATED", "StoredFrame"]

_MOST_DELAY, _MOST_PLAYS = 65_535, 65_535
_MOST_WEBP_DELAY = (1 << 24) - 1
_REPLACE = b"\0\0"
"""Disposal and blending of an APNG: the frame stays, and its rectangle replaces what was there."""
_ICC_FLAG, _ALPHA_FLAG, _EXIF_FLAG, _XMP_FLAG, _ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x04, 0x02
_WEBP_FLAGS = {b"ICCP": _ICC_FLAG, b"EXIF": _EXIF_FLAG, b"XMP ": _XMP_FLAG}
_WEBP_PIXELS = (b"ALPH", b"VP8 ", b"VP8L")
_NO_BLENDING = 0x02


@dataclass(frozen=True)
class StoredFrame:
    """A frame of which only the rectangle that differs from the frame before is stored.

    Attributes:
        left: left side of the rectangle in pixels.
        top: upper side of the rectangle in pixels.
        size: width and height of the rectangle.
        milliseconds: time for which the frame is shown.
        still: file of the rectangle, without metadata.
    """

    left: int
    top: int
    size: tuple[int, int]
    milliseconds: float
    still: bytes


def animated_png(first: bytes, frames: Sequence[StoredFrame], plays: int) -> bytes:
    """Return an APNG; see ANIMATED."""
    control = framed(b"acTL", struct.pack(">II", len(frames), min(plays, _MOST_PLAYS)))
    made, sequence = [SIGNATURE], 0

    def add(frame: StoredFrame) -> None:
        nonlocal sequence
        place = struct.pack(">5I", sequence, *frame.size, frame.left, frame.top)
        delay = struct.pack(">2H", *_fraction(frame.milliseconds))
        made.append(framed(b"fcTL", place + delay + _REPLACE))
        sequence += 1

    started = False
    for kind, body in chunks(first):
        if kind == b"IDAT" and not started:
            started = True
            made.append(control)
            add(frames[0])
        if kind == b"IEND":
            for frame in frames[1:]:
                add(frame)
                for name, data in chunks(frame.still):
                    if name == b"IDAT":
                        made.append(framed(b"fdAT", struct.pack(">I", sequence) + data))
                        sequence += 1
        made.append(framed(kind, body))
    return b"".join(made)


def _fraction(milliseconds: float) -> tuple[int, int]:
    """Return a time as a fraction of seconds, of two numbers of 16 bits."""
    delay = Fraction(milliseconds / 1000).limit_denominator(_MOST_DELAY)
    if delay.numerator > _MOST_DELAY:
        return min(round(milliseconds / 1000), _MOST_DELAY), 1
    return delay.numerator, delay.denominator


def animated_webp(first: bytes, frames: Sequence[StoredFrame], plays: int) -> bytes:
    """Return an animated WebP; see ANIMATED. Rectangles begin at even positions."""
    size = frames[0].size
    beside = {kind: body for kind, body in _webp_chunks(first) if kind in _WEBP_FLAGS}
    flags, inside = _ANIMATION_FLAG, []
    for frame in frames:
        found = list(_webp_chunks(frame.still))
        flags |= _ALPHA_FLAG * any(_has_alpha(kind, body) for kind, body in found)
        pixels = b"".join(_webp_chunk(kind, body) for kind, body in found if kind in _WEBP_PIXELS)
        width, height = frame.size
        delay = min(round(frame.milliseconds), _MOST_WEBP_DELAY)
        place = (frame.left // 2, frame.top // 2, width - 1, height - 1, delay)
        head = b"".join(value.to_bytes(3, "little") for value in place) + bytes([_NO_BLENDING])
        inside.append(_webp_chunk(b"ANMF", head + pixels))
    for kind in beside:
        flags |= _WEBP_FLAGS[kind]
    canvas = bytes([flags, 0, 0, 0]) + b"".join((side - 1).to_bytes(3, "little") for side in size)
    parts = [_webp_chunk(b"VP8X", canvas)]
    parts += [_webp_chunk(b"ICCP", beside[b"ICCP"])] if b"ICCP" in beside else []
    parts += [_webp_chunk(b"ANIM", struct.pack("<IH", 0, min(plays, _MOST_PLAYS))), *inside]
    parts += [_webp_chunk(kind, beside[kind]) for kind in (b"EXIF", b"XMP ") if kind in beside]
    return _webp_chunk(b"RIFF", b"WEBP" + b"".join(parts))


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a WebP that irn wrote."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _has_alpha(kind: bytes, body: bytes) -> bool:
    """Tell whether a chunk of pixels holds alpha; lossless pixels have a bit for that."""
    return kind == b"ALPH" or (kind == b"VP8L" and bool(body[4] & 0x10))


Assemble = Callable[[bytes, Sequence[StoredFrame], int], bytes]
ANIMATED: dict[Format, Assemble] = {"png": animated_png, "webp": animated_webp}
"""Functions that return the file of several frames, of the formats that hold them.

They take the file of the first frame, with the metadata; all frames, of which the first one has the
size of the image; and the number of times to play them, where 0 means without end."""
