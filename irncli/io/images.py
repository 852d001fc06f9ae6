"""Bytes to pixels and metadata; `encoding` goes the other way. Only `io` imports Pillow.

Pixels are never turned: the orientation stays where it is stored, in EXIF.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError

from irncli.errors import ImageError
from irncli.io.jpeg import coded_sha256
from irncli.io.jxl import find_xmp, is_jxl, size_of

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "XMP_KEY",
    "Header",
    "Metadata",
    "Picture",
    "content_sha256",
    "decode",
    "from_pillow",
    "jxl_is_here",
    "lanczos",
    "pixel_sha256",
    "probe",
    "quantization_tables",
    "readable_suffixes",
    "to_pillow",
]

Pixels = NDArray[np.uint8]

DEFAULT_MAX_PIXELS = 500_000_000
XMP_KEY = "XML:com.adobe.xmp"
"""Of the text chunk of a PNG that holds XMP."""
_MEGABYTE = 1 << 20
# What Pillow's decoders raise on bytes that are not what they seem. MemoryError is not among them.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    struct.error,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    zlib.error,
    ImageCms.PyCMSError,
    Image.DecompressionBombError,
)
_KEPT_MODES = ("RGB", "RGBA", "L", "LA", "1", "P", "PA", "CMYK", "YCbCr", "LAB", "RGBX")
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@dataclass(frozen=True, eq=False)
class Metadata:
    """What travels with the pixels, byte for byte."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8 [H, W, 3], RGB.
        alpha: uint8 [H, W], None where all is opaque.
        gray: the file has one channel; `pixels` hold it three times.
        metadata: ICC, EXIF, XMP, DPI.
        notes: what was converted or lost on reading, a sentence each.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    gray: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its pixels are decoded."""

    format: str
    width: int
    height: int
    mode: str
    xmp: bytes | None


@cache
def jxl_is_here() -> bool:
    """Whether Pillow's plug-in for JPEG XL is installed; it is loaded."""
    try:
        importlib.import_module("pillow_jxl")
    except ImportError:
        return False
    return True


def _formats() -> list[str]:
    """All that Pillow reads, but EPS: that would start Ghostscript."""
    Image.init()
    jxl_is_here()
    return [name for name in Image.ID if name not in ("EPS", "PSD", "FPX", "MIC", "WMF", "PDF")]


def readable_suffixes() -> frozenset[str]:
    """File name endings of the formats that irn reads, lower case, with their dot."""
    formats = {name for name in _formats() if name in Image.OPEN}
    return frozenset(s for s, name in Image.registered_extensions().items() if name in formats)


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


@contextmanager
def _pillow() -> Iterator[None]:
    """Pillow with our limits, without warnings, its errors as ours."""
    saved = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    Image.MAX_IMAGE_PIXELS = None
    PngImagePlugin.MAX_TEXT_CHUNK = 16 * _MEGABYTE
    PngImagePlugin.MAX_TEXT_MEMORY = 64 * _MEGABYTE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("not an image in a format irn reads: give a PNG, JPEG, ...") from error
    except _DECODER_ERRORS as error:
        raise ImageError(f"damaged image: {_reason(error)}") from error
    finally:
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = (
            saved
        )


def _open(data: bytes, max_pixels: int) -> ImageFile.ImageFile:
    if not data:
        raise ImageError("0 bytes, expected an image")
    if data[:4] in (b"%!PS", b"\xc5\xd0\xd3\xc6"):
        raise ImageError("EPS and PostScript are programs, not pictures: convert it to PNG first")
    if is_jxl(data):
        if not jxl_is_here():
            raise ImageError("a JPEG XL file: to read it, pip install pillow-jxl-plugin")
        # Its plug-in decodes all when it opens.
        _check_size(*size_of(data), max_pixels)
    image = Image.open(io.BytesIO(data), formats=_formats())
    _check_size(*image.size, max_pixels)
    return image


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"damaged image: its size is {width}x{height}")
    if width * height > max_pixels:
        raise ImageError(
            f"{width}x{height} are {width * height} pixels, more than --max-pixels {max_pixels}: "
            "raise it if you trust the file"
        )


def _xmp(image: Image.Image, data: bytes) -> bytes | None:
    packet = image.info.get("xmp") or image.info.get(XMP_KEY)
    if image.format == "JXL":
        packet = find_xmp(data)
    return packet.encode() if isinstance(packet, str) else packet


def probe(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """Format, size, mode and XMP, without decoding pixels.

    Raises:
        ImageError: not an image, damaged, or too large.
    """
    with _pillow(), _open(data, max_pixels) as image:
        return Header((image.format or "").lower(), *image.size, image.mode, _xmp(image, data))


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """All of a picture file.

    Raises:
        ImageError: not an image, damaged, larger than `max_pixels` (checked before memory is
            taken), of several frames, or of a pixel type that has no 8-bit meaning.
    """
    with _pillow(), _open(data, max_pixels) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format not in ("MPO",):
            raise ImageError(f"{frames} frames, expected one: extract the frame you want first")
        image.load()
        return _picture(image, _is_deep_colour(data), _xmp(image, data))


def _is_deep_colour(data: bytes) -> bool:
    """A PNG of 16 bits and several channels, which Pillow reads as 8 bits without a word."""
    return data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:25] == b"\x10" and data[25:26] != b"\x00"


def _picture(image: Image.Image, deep_colour: bool, xmp: bytes | None) -> Picture:
    notes = ["16 bits a channel were reduced to 8"] if deep_colour else []
    icc = image.info.get("icc_profile")
    dpi = image.info.get("dpi")
    exif = image.info.get("exif")
    if image.mode in _DEEP_MODES:
        image = _reduced(image)
        notes.append("16 bits a pixel were reduced to 8")
    elif image.mode not in _KEPT_MODES:
        raise ImageError(f"pixels of type {image.mode}, expected 8 or 16 bits: convert it first")
    if image.mode in ("CMYK", "YCbCr", "LAB"):
        notes.append(f"{image.mode} was converted to RGB")
        image, icc = _to_rgb(image, icc)
    if image.mode in ("P", "PA"):
        notes.append("the palette was converted to RGB")
    gray = image.mode in ("1", "L", "LA")
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    alpha = np.array(image.convert("RGBA").getchannel("A")) if has_alpha else None
    if alpha is not None and bool((alpha == 255).all()):
        alpha = None
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    metadata = Metadata(icc or None, exif or None, xmp or None, _dpi(dpi))
    return Picture(pixels, alpha, gray, metadata, tuple(notes))


def _dpi(value: object) -> tuple[float, float] | None:
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    across, down = (float(v) for v in value)
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _reduced(image: Image.Image) -> Image.Image:
    """16-bit gray to 8 bits: 65535 becomes 255, rounded."""
    values = np.array(image).astype(np.int64)
    if int(values.min()) < 0 or int(values.max()) > 65535:
        raise ImageError("32-bit integer pixels, expected 8 or 16 bits: convert it first")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """CMYK and Lab to RGB: through their profile to sRGB where there is one."""
    if icc and image.mode == "CMYK":
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        assert converted is not None  # noqa: S101
        return converted, None
    return image.convert("RGB"), None


def pixel_sha256(image: Image.Image) -> str:
    """Of mode, size and values: the `content_sha256` of a file that keeps them all."""
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def content_sha256(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> str:
    """Identity of the picture whatever its metadata.

    JPEG: of the coded segments, so that decoders may differ. Others: of mode, size and pixels.

    Raises:
        ImageError: not an image, damaged, or too large.
    """
    with _pillow(), _open(data, max_pixels) as image:
        if image.format in ("JPEG", "MPO"):
            return coded_sha256(data)
        image.load()
        return pixel_sha256(image)


def quantization_tables(data: bytes) -> NDArray[np.uint8]:
    """Quantisation steps of a JPEG file, luma and chroma in row order, uint8 [2, 64].

    A file with one table has it twice.

    Raises:
        ImageError: not a JPEG, or one without usable tables.
    """
    with _pillow(), _open(data, DEFAULT_MAX_PIXELS) as image:
        tables: dict[int, list[int]] = getattr(image, "quantization", {})
        if not tables:
            raise ImageError(f"a {image.format} file has no quantisation tables, expected a JPEG")
        found = [tables[key] for key in sorted(tables)]
        return np.array([found[0], found[min(1, len(found) - 1)]]).clip(1, 255).astype(np.uint8)


def from_pillow(image: Image.Image) -> Pixels:
    """uint8 [H, W, 3] of a Pillow image."""
    return np.array(image.convert("RGB"))


def to_pillow(pixels: Pixels) -> Image.Image:
    """A Pillow image of uint8 [H, W, 3]."""
    return Image.fromarray(pixels)


def lanczos(pixels: Pixels, height: int, width: int) -> Pixels:
    """uint8 [H, W, 3] resized by Pillow's Lanczos filter (three lobes, antialiased): a baseline."""
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
