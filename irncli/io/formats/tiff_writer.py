"""Writing TIFF files of 8 or 16 bits per channel, compressed without loss.

Pillow writes neither colours of 16 bits nor EXIF into a compressed TIFF. So Pillow writes the
metadata with an image of one pixel, and the entries that describe the pixels are replaced.

Source: TIFF, revision 6.0; Adobe Photoshop TIFF Technical Notes (compression 8 is zlib's).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from irncli.io.formats.writable import JPEG_EXIF, save
from irncli.io.picture import Metadata
from irncli.pixels import Pixels, bits_of

__all__ = ["write_tiff"]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _OFFSETS = 256, 257, 258, 259, 273
_ROWS_PER_STRIP, _BYTE_COUNTS, _PREDICTOR, _XMP = 278, 279, 317, 700
_SHORT, _LONG = 3, 4
_DEFLATE, _DIFFERENCES = 8, 2
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_STRIP_BYTES = 1 << 20
"""Size of a strip in bytes before compression, at least one row."""


def write_tiff(values: Pixels, metadata: Metadata) -> bytes:
    """Return a TIFF with metadata.

    Args:
        values: gray, gray and alpha, RGB, or RGB and alpha, uint8 or uint16 [H, W, 1 to 4].
        metadata: ICC, EXIF, XMP and DPI of the image.
    """
    height, width, channels = values.shape
    data = bytearray(_with_one_pixel(channels, metadata))
    order = "<" if data[:2] == b"II" else ">"
    rows = max(1, _STRIP_BYTES // (width * channels * values.itemsize))
    offsets, counts = [], []
    for strip in _strips(values.astype(np.dtype(f"{order}u{values.itemsize}")), rows):
        data += bytes(len(data) % 2)  # values start at even offsets
        offsets.append(len(data))
        counts.append(len(strip))
        data += strip
    entries = {
        _WIDTH: (_LONG, [width]),
        _HEIGHT: (_LONG, [height]),
        _BITS: (_SHORT, [bits_of(values)] * channels),
        _COMPRESSION: (_SHORT, [_DEFLATE]),
        _OFFSETS: (_LONG, offsets),
        _ROWS_PER_STRIP: (_LONG, [rows]),
        _BYTE_COUNTS: (_LONG, counts),
        _PREDICTOR: (_SHORT, [_DIFFERENCES]),
    }
    _replace(data, order, entries)
    return bytes(data)


def _with_one_pixel(channels: int, metadata: Metadata) -> bytes:
    """Return an uncompressed TIFF of one pixel, with the metadata and all entries to replace."""
    exif = Image.Exif()
    if metadata.exif:
        exif.load(JPEG_EXIF + metadata.exif.removeprefix(JPEG_EXIF))
    exif[_PREDICTOR] = 1
    if metadata.xmp:
        exif[_XMP] = metadata.xmp
    options: dict[str, object] = {"exif": exif, "compression": "raw"}
    if metadata.icc:
        options["icc_profile"] = metadata.icc
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    return save(Image.new(_MODES[channels], (1, 1)), "TIFF", options)


def _strips(values: Pixels, rows: int) -> Iterator[bytes]:
    """Yield the compressed strips, in which each value is the difference to its left neighbour."""
    for start in range(0, len(values), rows):
        strip = values[start : start + rows].copy()
        strip[:, 1:] -= values[start : start + rows, :-1]
        yield zlib.compress(strip.tobytes(), 6)


def _replace(data: bytearray, order: str, entries: dict[int, tuple[int, list[int]]]) -> None:
    """Replace entries of the first directory; values that do not fit into theirs are appended."""
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from(f"{order}H", data, at)
        if tag not in entries:
            continue
        kind, numbers = entries[tag]
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == _SHORT else 'I'}", *numbers)
        if len(packed) > 4:
            data += bytes(len(data) % 2)
            packed, place = struct.pack(f"{order}I", len(data)), packed
            data += place
        struct.pack_into(f"{order}HHI4s", data, at, tag, kind, len(numbers), packed.ljust(4, b"\0"))
