"""Images to the bytes of their files, metadata included; `image_file` goes the other way."""

from __future__ import annotations

from pathlib import Path

from irncli.errors import UsageError
from irncli.io.formats import WRITABLE
from irncli.io.formats.writable import Format, Packet, Settings, Subsampling
from irncli.io.image_file import ImageFile
from irncli.io.picture import Picture

__all__ = [
    "EVERY_FORMAT",
    "LOSSLESS_OR_JPEG",
    "Format",
    "Packet",
    "Subsampling",
    "chosen_format",
    "encode",
    "fitted",
    "format_for_suffix",
    "holds_profile",
    "suffix_for_format",
]

EVERY_FORMAT: tuple[Format, ...] = tuple(WRITABLE)
"""Formats of restored images, which nobody restores again, and of codecs."""
LOSSLESS_OR_JPEG: tuple[Format, ...] = ("png", "jpeg")
"""Formats of small images."""


def fitted(picture: Picture, image_format: Format) -> tuple[Picture, list[str]]:
    """Return what a format can hold of an image, and what it cannot, a sentence each.

    What would spoil the image (transparency in a JPEG) stays for `encode` to refuse.
    """
    return WRITABLE[image_format].fitted(picture)


def holds_profile(picture: Picture, image_format: Format) -> bool:
    """Tell whether a format stores an image in the colours that its profile is for."""
    return WRITABLE[image_format].holds_profile(picture)


def encode(
    picture: Picture,
    *,
    image_format: Format,
    quality: int = 95,
    subsampling: Subsampling = "4:4:4",
    progressive: bool = False,
    xmp: Packet | None = None,
) -> bytes:
    """Return the file of an image, with its metadata. All formats but PNG are lossy and 8-bit.

    WebP, AVIF and JPEG XL have no DPI. WebP has no gray: such an image comes back as a colour one,
    with channels that differ by 1 at most; so does AVIF with alpha, with equal channels. AVIF keeps
    what EXIF says, not its bytes, where that has an orientation.

    Args:
        picture: what to write.
        image_format: `png` (8 or 16 bits, lossless), `jpeg` (optimised), `webp`, `avif` or `jxl`.
        quality: 1 to 100, of all but PNG; 100 is lossy, too.
        subsampling: of the colours in JPEG and AVIF. WebP always has 4:2:0, JPEG XL none.
        progressive: of JPEG.
        xmp: given the `content_sha256` of what is written, returns the XMP packet to store in
            place of the image's own.

    Raises:
        UsageError: a quality out of range; alpha in a JPEG; 16 bits in anything but a PNG.
        ImageError: a size or metadata that do not fit the format.
        UnavailableError: JPEG XL without its plug-in.
    """
    settings = Settings(quality, subsampling, progressive)
    writer = WRITABLE[image_format]
    writer.check_writable(picture, settings)
    width, height = picture.size

    def identify(data: bytes) -> str:
        return ImageFile(data, max_pixels=width * height).content_sha256

    return writer.write(picture, settings, xmp, identify)


def format_for_suffix(suffix: str) -> Format | None:
    """Return the format that a file name ending stands for; None: irn does not write it."""
    for name, writer in WRITABLE.items():
        if suffix.lower() in writer.suffixes:
            return name
    return None


def chosen_format(
    output: Path, wanted: Format | None, allowed: tuple[Format, ...] = LOSSLESS_OR_JPEG
) -> Format:
    """Return the format to write: that of the suffix, or `wanted` where there is no suffix.

    Args:
        output: the file.
        wanted: the format that was asked for, if any.
        allowed: the formats to choose from.

    Raises:
        UsageError: the suffix and `wanted` contradict each other, or the format is not allowed.
    """
    if not output.suffix and wanted is not None:
        return wanted
    by_suffix = format_for_suffix(output.suffix)
    if by_suffix not in allowed:
        *most, last = map(suffix_for_format, allowed)
        known = f"{', '.join(most)} and {last}" if most else last
        got = f"not {output.suffix}" if output.suffix else "say which by a suffix or --format"
        raise UsageError(f"{output}: irn writes {known}, {got}")
    if wanted is not None and wanted != by_suffix:
        raise UsageError(f"{output} is {by_suffix} by its suffix, but --format says {wanted}")
    return by_suffix


def suffix_for_format(image_format: Format) -> str:
    """Return the usual file name ending of a format."""
    return WRITABLE[image_format].suffixes[0]
