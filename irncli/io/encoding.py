"""Encoding of images to files, including metadata; `image_file` decodes them."""

from __future__ import annotations

from pathlib import Path

from irncli.errors import UsageError
from irncli.io.formats import WRITABLE
from irncli.io.formats.jpeg_scans import Coefficients
from irncli.io.formats.writable import EncoderSettings, Format, Packet, Subsampling
from irncli.io.image_file import ImageFile
from irncli.io.picture import Picture

__all__ = [
    "CODECS",
    "EVERY_FORMAT",
    "LOSSLESS",
    "LOSSLESS_OR_JPEG",
    "Coefficients",
    "Format",
    "Packet",
    "Subsampling",
    "chosen_format",
    "encode",
    "fitted",
    "format_for_suffix",
    "holds_profile",
    "spoken_name",
    "suffix_for_format",
]

EVERY_FORMAT: tuple[Format, ...] = tuple(WRITABLE)
"""Formats of restored images, which are not input of another restoration."""
CODECS: tuple[Format, ...] = tuple(name for name in WRITABLE if name != "tiff")
"""Formats of compressed images."""
LOSSLESS: tuple[Format, ...] = ("png", "webp")
"""Formats that have no quality where they are written as lossless, as for small images."""
LOSSLESS_OR_JPEG: tuple[Format, ...] = ("png", "jpeg", "webp")
"""Formats of small images; WebP is then lossless."""


def fitted(picture: Picture, image_format: Format) -> tuple[Picture, list[str]]:
    """Return an image reduced to what a format can store, and notes on what was lost.

    Losses that would spoil the image, such as transparency in a JPEG, are not made here: `encode`
    refuses the image.
    """
    return WRITABLE[image_format].fitted(picture)


def holds_profile(picture: Picture, image_format: Format) -> bool:
    """Tell whether a format stores an image in the colour space of its profile."""
    return WRITABLE[image_format].holds_profile(picture)


def encode(
    picture: Picture,
    *,
    image_format: Format,
    quality: int = 95,
    subsampling: Subsampling = "4:4:4",
    progressive: bool = False,
    lossless: bool = False,
    coefficients: Coefficients | None = None,
    xmp: Packet | None = None,
) -> bytes:
    """Return the file of an image, with its metadata.

    PNG and TIFF have 8 or 16 bits and are lossless. The other formats have 8 bits and are lossy,
    unless `lossless` is set for WebP. TIFF keeps the content of EXIF but not its bytes.

    WebP, AVIF and JPEG XL do not store DPI. WebP does not store gray: a gray image is decoded as a
    colour image whose channels differ by at most 1. AVIF does not store gray with alpha: such an
    image is decoded as a colour image with equal channels. If EXIF has an orientation, AVIF keeps
    the content of EXIF but not its bytes.

    Args:
        picture: image to write.
        image_format: `png` (8 or 16 bits, lossless), `jpeg` (optimised), `webp`, `avif`,
                `jxl` or `tiff` (8 or 16 bits, lossless).
        quality: quality of lossy formats, 1 to 100; 100 is lossy, too.
        subsampling: chroma subsampling of JPEG and AVIF; WebP always uses 4:2:0, and JPEG XL does
            not subsample.
        progressive: write a progressive JPEG.
        lossless: write a lossless WebP; other formats ignore this.
        coefficients: what a JPEG holds, which is then progressive, instead of the pixels of
            `picture`: the quality and subsampling are ignored; other formats ignore this.
        xmp: function from the `content_sha256` of the written image to the XMP packet to store in
            place of the image's own; None: the image's own packet is stored.

    Raises:
        UsageError: the quality is out of range, a JPEG would need alpha, or a format other than PNG
            and TIFF would need 16 bits.
        ImageError: the size or the metadata do not fit the format.
        UnavailableError: the plug-in for JPEG XL is not installed.
    """
    settings = EncoderSettings(quality, subsampling, progressive, lossless, coefficients)
    writer = WRITABLE[image_format]
    writer.check_writable(picture, settings)
    width, height = picture.size

    def identify(data: bytes) -> str:
        return ImageFile(data, max_pixels=width * height).content_sha256

    return writer.write(picture, settings, xmp, identify)


def format_for_suffix(suffix: str) -> Format | None:
    """Return the format of a file name suffix; None if irn does not write such files."""
    for name, writer in WRITABLE.items():
        if suffix.lower() in writer.suffixes:
            return name
    return None


def chosen_format(
    output: Path, wanted: Format | None, allowed: tuple[Format, ...] = LOSSLESS_OR_JPEG
) -> Format:
    """Return the format to write: that of the suffix, or `wanted` if there is no suffix.

    Args:
        output: output file.
        wanted: requested format; None if none was requested.
        allowed: formats that may be written.

    Raises:
        UsageError: the suffix and `wanted` contradict each other, or the format is not allowed.
    """
    if not output.suffix and wanted is not None:
        return wanted
    by_suffix = format_for_suffix(output.suffix)
    if by_suffix not in allowed:
        *most, last = map(suffix_for_format, allowed)
        known = f"{', '.join(most)} and {last}" if most else last
        got = f"not {output.suffix}" if output.suffix else "name its format by suffix or option"
        raise UsageError(f"{output}: irn writes {known}, {got}")
    if wanted is not None and wanted != by_suffix:
        raise UsageError(f"{output} is {by_suffix} by its suffix, but {wanted} was requested")
    return by_suffix


def spoken_name(image_format: Format) -> str:
    """Return the name of a format in messages."""
    return WRITABLE[image_format].spoken


def suffix_for_format(image_format: Format) -> str:
    """Return the usual file name suffix of a format."""
    return WRITABLE[image_format].suffixes[0]
