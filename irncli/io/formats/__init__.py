"""File formats, a module each. To add one, write a subclass of FileFormat and list it here."""

from __future__ import annotations

from PIL import Image

from irncli.io.formats.avif_heif import Avif, Heif, is_iso_media
from irncli.io.formats.base import FileFormat
from irncli.io.formats.jpeg import Jpeg
from irncli.io.formats.jpeg2000 import Jpeg2000
from irncli.io.formats.jxl import Jxl
from irncli.io.formats.others import Gif, Icon, Netpbm, PostScript, Sgi
from irncli.io.formats.png import SIGNATURE, Png
from irncli.io.formats.tiff import Tiff
from irncli.io.formats.webp import Webp
from irncli.io.formats.writable import Format, WritableFormat
from irncli.io.libraries import heif_is_here, jxl_is_here

__all__ = ["FORMATS", "WRITABLE", "format_of", "pillow_names", "readable_suffixes"]

WRITABLE: dict[Format, WritableFormat] = {
    each.name: each for each in (Png(), Jpeg(), Webp(), Avif(), Jxl())
}
FORMATS: tuple[FileFormat, ...] = (
    PostScript(), *WRITABLE.values(), Heif(), Icon(), Tiff(), Jpeg2000(), Netpbm(), Sgi(), Gif(),
)  # fmt: skip
"""All formats of which something is to be said. In this order they may refuse a file."""
_BY_PILLOW_NAME = {name: each for each in FORMATS for name in each.pillow_names}
_ANY = FileFormat()

_PNG_OR_JPEG = (SIGNATURE, b"\xff\xd8\xff")
# Programs rather than images; names for which Pillow has no decoder of its own; and IPTC, of which
# it opens what is inside, whatever that is.
_UNREAD = ("EPS", "PSD", "FPX", "MIC", "WMF", "PDF", "BUFR", "GRIB", "HDF5", "MPEG", "IPTC")


def format_of(image: Image.Image) -> FileFormat:
    """Return the format of an image that Pillow opened."""
    return _BY_PILLOW_NAME.get(image.format or "", _ANY)


def pillow_names(data: bytes) -> list[str]:
    """List the formats that may read a file which begins like this, and load the plug-in it needs.

    All that Pillow reads, except for EPS, which would start Ghostscript, and its like.
    """
    if data.startswith(_PNG_OR_JPEG):
        Image.preinit()
        return ["PNG", "JPEG"]
    Image.init()
    if is_iso_media(data):
        heif_is_here()
    return _read()


def _read() -> list[str]:
    """List the formats that are loaded and that irn reads."""
    return [name for name in Image.ID if name not in _UNREAD]


def readable_suffixes() -> frozenset[str]:
    """Return the file name endings of the formats that irn reads, lower case, with their dot."""
    Image.init()
    jxl_is_here()
    heif_is_here()
    opened = set(_read()) & set(Image.OPEN)
    return frozenset(s for s, name in Image.registered_extensions().items() if name in opened)
