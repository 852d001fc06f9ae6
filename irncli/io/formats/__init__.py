"""File formats, one module each. To add a format, subclass FileFormat and list the class here."""

from __future__ import annotations

import re

from PIL import Image

from irncli.io.formats.avif_heif import Avif, Heif, is_iso_media
from irncli.io.formats.base import FileFormat
from irncli.io.formats.jpeg import Jpeg
from irncli.io.formats.jpeg2000 import Jpeg2000
from irncli.io.formats.jxl import Jxl
from irncli.io.formats.others import Gif, Netpbm, PostScript, Sgi
from irncli.io.formats.png import SIGNATURE, Png
from irncli.io.formats.tiff import Tiff
from irncli.io.formats.webp import Webp
from irncli.io.formats.writable import Format, WritableFormat
from irncli.io.libraries import heif_is_here, jxl_is_here

__all__ = [
    "FORMATS",
    "WRITABLE",
    "format_of",
    "mended",
    "pillow_names",
    "readable_suffixes",
    "unreadable",
]

WRITABLE: dict[Format, WritableFormat] = {
    each.name: each for each in (Png(), Jpeg(), Webp(), Avif(), Jxl(), Tiff())
}
FORMATS: tuple[FileFormat, ...] = (
    PostScript(), *WRITABLE.values(), Heif(), Jpeg2000(), Netpbm(), Sgi(), Gif(),
)  # fmt: skip
"""All formats that need special handling, in the order in which they may refuse a file."""
_BY_PILLOW_NAME = {name: each for each in FORMATS for name in each.pillow_names}
_ANY = FileFormat()

_PNG_OR_JPEG = (SIGNATURE, b"\xff\xd8\xff")
# Formats that irn does not read: programs rather than images, formats without a decoder in Pillow,
# and IPTC, for which Pillow opens whatever the file contains.
_UNREAD = ("EPS", "PSD", "FPX", "MIC", "WMF", "PDF", "BUFR", "GRIB", "HDF5", "MPEG", "IPTC")
# Files that are often taken for images that irn reads, by their first bytes.
_OTHERS = (
    (rb"%PDF", "a PDF"),
    (rb"8BPS", "a Photoshop document (PSD)"),
    (rb"gimp xcf", "a GIMP document (XCF)"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR file"),
    (rb"#\?R(?:ADIANCE|GBE)", "a Radiance HDR file"),
    (rb"(?:FUJIFILMCCD-RAW|IIU\0|IIR[OS]|MMOR|.{4}ftypcrx )", "a raw photograph of a camera"),
    (rb".{4}ftypm(?:if1|sf1|iaf)", "a HEIF with an unsupported codec"),
    (rb"(?:.{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI )", "a video"),
    (rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?<svg", "an SVG drawing"),
    (rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)", "a web page (HTML)"),
    (rb"PK\x03\x04", "a ZIP archive"),
)


def mended(data: bytes) -> tuple[bytes, list[str]]:
    """Return a file without damaged parts that the pixels do not need, and notes on them."""
    notes: list[str] = []
    for each in FORMATS:
        data = each.mended(data, notes)
    return data, notes


def unreadable(data: bytes) -> str:
    """Say what a file is that Pillow cannot open, and why irn does not read it."""
    for each in FORMATS:
        trouble = each.unreadable(data)
        if trouble is not None:
            return trouble
    for beginning, what in _OTHERS:
        if re.match(beginning, data[:1000], re.DOTALL | re.IGNORECASE):
            return f"{what}, not an image in a format irn reads: convert it to PNG first"
    return "not an image in a format irn reads: give a PNG, JPEG, ..."


def format_of(image: Image.Image) -> FileFormat:
    """Return the format of an image that Pillow opened."""
    return _BY_PILLOW_NAME.get(image.format or "", _ANY)


def pillow_names(data: bytes) -> list[str]:
    """Return the Pillow formats to try for a file, and load the plug-in that the file needs.

    These are all formats that Pillow reads except those in _UNREAD, such as EPS, which would start
    Ghostscript.
    """
    if data.startswith(_PNG_OR_JPEG):
        Image.preinit()
        return ["PNG", "JPEG"]
    Image.init()
    if is_iso_media(data):
        heif_is_here()
    return _readable_names()


def _readable_names() -> list[str]:
    """Return the loaded Pillow formats that irn reads."""
    return [name for name in Image.ID if name not in _UNREAD]


def readable_suffixes() -> frozenset[str]:
    """Return the file name suffixes of the formats that irn reads, in lower case with the dot."""
    Image.init()
    jxl_is_here()
    heif_is_here()
    opened = set(_readable_names()) & set(Image.OPEN)
    return frozenset(s for s, name in Image.registered_extensions().items() if name in opened)
