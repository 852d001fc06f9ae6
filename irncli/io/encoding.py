"""Pictures to the bytes of their files, metadata included; `images` goes the other way."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import cpu_count
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, PngImagePlugin

from irncli.errors import ImageError, UnavailableError, UsageError
from irncli.io.deep import write_deep
from irncli.io.images import (
    Metadata,
    Picture,
    content_sha256,
    pixel_sha256,
)
from irncli.io.jpeg import coded_sha256, insert_xmp
from irncli.io.metadata import ORIENTATION
from irncli.io.plugins import DECODER_ERRORS, jxl_is_here
from irncli.io.png import COLOUR, PNG_LEVEL, TEXT, XMP_KEYWORD, Chunk, chunks, with_chunks

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

Format = Literal["png", "jpeg", "webp", "avif", "jxl"]
Subsampling = Literal["4:4:4", "4:2:0"]
EVERY_FORMAT: tuple[Format, ...] = ("png", "jpeg", "webp", "avif", "jxl")
"""Formats of restored images, which nobody restores again, and of codecs."""
LOSSLESS_OR_JPEG: tuple[Format, ...] = ("png", "jpeg")
"""Formats of small images."""
Packet = Callable[[str], bytes | None]
"""From the `content_sha256` of a file to the XMP that is stored in it."""

WEBP_METHOD = 6
"""The slowest: 5 to 7 % smaller than 4; 0.1 s for 0.4 megapixels."""
AVIF_SPEED = 6
"""0.3 to 0.5 s for 0.4 megapixels. 5 takes six times as long for 3 %; 8 is 4 to 13 % larger."""
MAX_EXIF = 65_527
"""Bytes of EXIF that fit into a segment of a JPEG, behind the six it begins with."""
DPI_TOLERANCE = 0.1
"""Off by more than this, a resolution is another."""
_JPEG_EXIF = b"Exif\0\0"
MAX_AVIF_PIXELS = 1 << 28

# AV1 allows 65536; libavif, by which nearly all read, refuses more than this.
_LONGEST = {
    "jpeg": ("a JPEG", 65_500),
    "webp": ("a WebP", 16_383),
    "avif": ("an AVIF", 32_768),
}


def fitted(picture: Picture, format: Format) -> tuple[Picture, list[str]]:  # noqa: A002
    """What a format can hold of a picture, and what it cannot, a sentence each.

    What would spoil the picture (transparency in a JPEG) stays for `encode` to refuse.
    """
    if format == "png":
        return picture, []
    lost, metadata = [], picture.metadata
    name = "JPEG" if format == "jpeg" else format.upper()
    if picture.bits > 8:
        lost.append(f"16 bits a channel were reduced to 8: {name} holds no more")
        picture = picture.reduced()
    if not holds_profile(picture, format):
        lost.append(f"its colour profile, one for gray, was left out: {name} stores it in colours")
        metadata = replace(metadata, icc=None)
    if metadata.chunks:
        lost.append(f"{_spoken(metadata.chunks)} left out: {name} has no place for that")
        metadata = replace(metadata, chunks=())
    if format == "avif" and metadata.exif is not None:
        metadata, said = _rewritten(metadata, metadata.exif)
        lost += said
    if metadata.dpi is not None:
        metadata, said = _resolved(metadata, metadata.dpi, format, name)
        lost += said
    if picture.alpha is not None and picture.opaque:
        picture = replace(picture, alpha=None)
    return replace(picture, metadata=metadata), lost


def _spoken(left_out: tuple[Chunk, ...]) -> str:
    """What chunks of a PNG hold."""
    kinds = {kind for kind, _ in left_out}
    what = [
        name
        for name, some in (
            ("text", TEXT), ("colours that are not those of sRGB (cICP)", (b"cICP",)),
            ("gamma", set(COLOUR) - {b"cICP"}),
        )
        if not kinds.isdisjoint(some)
    ]  # fmt: skip
    return f"{' and '.join(what)} {'was' if what == ['gamma'] else 'were'}"


def _rewritten(metadata: Metadata, exif: bytes) -> tuple[Metadata, list[str]]:
    """With EXIF as an AVIF holds it: Pillow takes the orientation out, and writes anew the rest."""
    read = Image.Exif()
    try:
        read.load(exif)
        if read.pop(ORIENTATION, 1) == 1:
            return metadata, []
        read.tobytes()
    except DECODER_ERRORS:
        return replace(metadata, exif=None), ["its EXIF was left out: it cannot be put in an AVIF"]
    return metadata, ["its EXIF was written anew, without a thumbnail: AVIF turns in its own way"]


def holds_profile(picture: Picture, format: Format) -> bool:  # noqa: A002
    """Whether a format stores a picture in the colours that its profile is for."""
    icc = picture.metadata.icc
    if icc is None or icc[16:20] != b"GRAY":
        return True
    return format != "webp" and (format != "avif" or picture.alpha is None)


def _resolved(
    metadata: Metadata,
    dpi: tuple[float, float],
    format: Format,  # noqa: A002
    name: str,
) -> tuple[Metadata, list[str]]:
    """With the resolution that a lossy format has a place for, and what is to be said of it."""
    if format != "jpeg":
        said = [f"the resolution (DPI) was left out: {name} has no place for it"]
        return replace(metadata, dpi=None), said
    across, down = whole = (round(dpi[0]), round(dpi[1]))
    if max(abs(dpi[0] - across), abs(dpi[1] - down)) <= DPI_TOLERANCE:
        return metadata, []
    was = f"the resolution of {dpi[0]:g}x{dpi[1]:g} DPI"
    return replace(metadata, dpi=whole), [f"{was} became {across}x{down}: JPEG has whole ones"]


def encode(
    picture: Picture,
    *,
    format: Format,  # noqa: A002
    quality: int = 95,
    subsampling: Subsampling = "4:4:4",
    progressive: bool = False,
    xmp: Packet | None = None,
) -> bytes:
    """The file of a picture, with its metadata. All but PNG are lossy, and of 8 bits.

    WebP, AVIF and JPEG XL have no DPI. WebP has no gray: such a picture comes back as a colour one,
    with channels that differ by 1 at most; so does AVIF with alpha, with equal channels. AVIF keeps
    what EXIF says, not its bytes, where that has an orientation.

    Args:
        picture: what to write.
        format: `png` (8 or 16 bits, lossless), `jpeg` (optimised), `webp`, `avif` or `jxl`.
        quality: 1 to 100, of all but PNG; 100 is lossy too.
        subsampling: of the colours in JPEG and AVIF. WebP always has 4:2:0, JPEG XL none.
        progressive: of JPEG.
        xmp: given the `content_sha256` of what is written, returns the XMP packet to store in
            place of the picture's own.

    Raises:
        UsageError: a quality out of range; alpha in a JPEG; 16 bits in anything but a PNG.
        ImageError: a size or metadata that do not fit the format.
        UnavailableError: JPEG XL without its plug-in.
    """
    if format == "png":
        return _encode_png(picture, xmp)
    _check(picture, format, quality)
    if format == "jpeg":
        return _encode_jpeg(picture, quality, subsampling, progressive, xmp)
    options = _codec_options(picture, format, quality, subsampling) | _options(picture.metadata)
    save = partial(_save, _stored(picture), format.upper(), options)
    if xmp is None:
        return save(picture.metadata.xmp)
    # What a lossy file decodes to is known only when it is there; XMP does not change it.
    data = save(None)
    width, height = picture.size
    packet = xmp(content_sha256(data, max_pixels=width * height))
    return save(packet) if packet else data


def _check(picture: Picture, format: Format, quality: int) -> None:  # noqa: A002
    """Refuse what a lossy format cannot hold."""
    if not 1 <= quality <= 100:
        raise UsageError(f"quality is {quality}, expected 1 to 100")
    if picture.bits > 8:
        raise UsageError(f"16 bits a channel do not fit a {format.upper()}: use PNG, or 8 bits")
    if format == "jxl":
        _check_jxl(picture)
    name, longest = _LONGEST.get(format, ("", 1 << 30))
    width, height = picture.size
    if max(width, height) > longest:
        raise ImageError(
            f"{width}x{height} is larger than {name} may be ({longest} a side): use PNG"
        )
    if format == "avif" and width * height > MAX_AVIF_PIXELS:
        raise ImageError(
            f"{width}x{height} is larger than {name} may be ({MAX_AVIF_PIXELS} pixels): use PNG"
        )
    if format == "jpeg":
        _check_jpeg(picture)


def _check_jpeg(picture: Picture) -> None:
    if picture.alpha is not None:
        raise UsageError("JPEG has no transparency: use PNG")
    exif = _exif(picture.metadata)
    if exif is not None and len(exif) > MAX_EXIF:
        raise ImageError(f"EXIF of {len(exif)} bytes does not fit a JPEG: use PNG")


def _check_jxl(picture: Picture) -> None:
    if not jxl_is_here():
        raise UnavailableError("JPEG XL needs a plug-in: pip install 'irncli[jxl]'")
    if picture.metadata.icc is not None:
        raise ImageError(
            "the JPEG XL plug-in cannot store the colour profile of this picture: use another "
            "format, or convert it to sRGB first"
        )


def _stored(picture: Picture) -> Image.Image:
    """Pixels in the mode in which they are written."""
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.gray else picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def _exif(metadata: Metadata, prefix: bytes = b"") -> bytes | None:
    """EXIF behind what JPEG alone begins it with; Pillow reads both and does not add it."""
    exif = metadata.exif
    return exif and prefix + exif.removeprefix(_JPEG_EXIF)


def _options(metadata: Metadata) -> dict[str, object]:
    """What Pillow takes by one name for all formats; it passes over what a format lacks."""
    options = {"icc_profile": metadata.icc, "exif": _exif(metadata), "dpi": metadata.dpi}
    return {key: value for key, value in options.items() if value is not None}


def _save(
    image: Image.Image, kind: str, options: dict[str, object], xmp: bytes | None = None
) -> bytes:
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options, **({"xmp": xmp} if xmp else {}))
    except DECODER_ERRORS as error:  # metadata that are none
        raise ImageError(f"it cannot be written as {kind} ({error}): try --strip") from error
    return buffer.getvalue()


def _encode_png(picture: Picture, xmp: Packet | None) -> bytes:
    if picture.bits > 8:
        return _encode_deep_png(picture, xmp)
    image, metadata = _stored(picture), picture.metadata
    packet = xmp(pixel_sha256(image)) if xmp else metadata.xmp
    return with_chunks(_png(image, metadata, packet), metadata.chunks)


def _png(image: Image.Image, metadata: Metadata, packet: bytes | None) -> bytes:
    text = PngImagePlugin.PngInfo()
    if packet:
        text.add_itxt(XMP_KEYWORD.decode(), packet.decode("utf-8", "replace"))
    return _save(image, "PNG", {"compress_level": PNG_LEVEL, "pnginfo": text, **_options(metadata)})


def _encode_deep_png(picture: Picture, xmp: Packet | None) -> bytes:
    """Pixels without Pillow, which has no 16 bits; metadata as it writes them beside one pixel."""
    pixels, metadata = picture.pixels, picture.metadata
    if picture.gray:
        pixels = np.ascontiguousarray(pixels[:, :, 0])
    if picture.alpha is not None:
        pixels = np.dstack((pixels, picture.alpha))
    data = write_deep(pixels)
    packet = xmp(content_sha256(data, max_pixels=pixels.size)) if xmp else metadata.xmp
    beside = chunks(_png(Image.new("L", (1, 1)), metadata, packet))
    own = tuple(chunk for chunk in beside if chunk[0] not in (b"IHDR", b"IDAT", b"IEND"))
    return with_chunks(data, (*own, *metadata.chunks))


def _encode_jpeg(
    picture: Picture,
    quality: int,
    subsampling: Subsampling,
    progressive: bool,
    xmp: Packet | None,
) -> bytes:
    options: dict[str, object] = {
        "quality": quality,
        "subsampling": subsampling,
        "progressive": progressive,
        "optimize": True,
    }
    options |= _options(picture.metadata) | {"exif": _exif(picture.metadata, _JPEG_EXIF) or b""}
    data = _save(_stored(picture), "JPEG", options)
    packet = xmp(coded_sha256(data)) if xmp else picture.metadata.xmp
    return insert_xmp(data, packet) if packet else data


def _codec_options(
    picture: Picture,
    format: Format,  # noqa: A002
    quality: int,
    subsampling: Subsampling,
) -> dict[str, object]:
    if format == "webp":
        return {"quality": quality, "method": WEBP_METHOD}
    if format == "jxl":
        # At 100 the encoder wants to lose nothing, and fails for want of options that say so.
        return {"quality": min(quality, 99.9), "use_container": True}
    return {
        "quality": quality,
        "speed": AVIF_SPEED,
        "subsampling": "4:0:0" if picture.gray else subsampling,
        # Tiles by the number of threads would make the file larger, and dependent on the machine.
        # Without them, two threads and more all write the same bytes; one thread writes others.
        "autotiling": False,
        "max_threads": max(2, cpu_count() or 2),
    }


_SUFFIXES: dict[str, Format] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".webp": "webp",
    ".avif": "avif",
    ".jxl": "jxl",
}


def format_for_suffix(suffix: str) -> Format | None:
    """The format that a file name ending stands for, None if irn does not write it."""
    return _SUFFIXES.get(suffix.lower())


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


def suffix_for_format(format: Format) -> str:  # noqa: A002
    """The usual file name ending of a format."""
    return ".jpg" if format == "jpeg" else f".{format}"
