"""Bytes to pixels and metadata; `encoding` goes the other way. Only `io` imports Pillow.

Pixels are not turned: the orientation stays where it is stored, in EXIF. Of TIFF and HEIC alone the
decoders themselves turn them upright.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, PngImagePlugin, UnidentifiedImageError

from irncli.errors import ImageError
from irncli.io.deep import Deep, read_deep
from irncli.io.depth import DEEP_MODES, depth_of
from irncli.io.jpeg import MAX_SCANS, coded_sha256, has_many_scans
from irncli.io.jxl import header_of, is_jxl
from irncli.io.metadata import (
    chunks_of,
    complete,
    dpi_of,
    exif_of,
    left_out,
    profile_of,
    xmp_of,
)
from irncli.io.picture import Metadata, Picture, reduction
from irncli.io.plugins import DECODER_ERRORS, formats, heif_is_here, is_heif, jxl_is_here
from irncli.io.png import GRAY_WITH_ALPHA, bit_depth, is_whole
from irncli.pixels import Pixels

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Header",
    "Metadata",
    "Picture",
    "PillowImage",
    "content_sha256",
    "decode",
    "from_pillow",
    "lanczos",
    "pixel_sha256",
    "probe",
    "quantization_tables",
    "to_pillow",
]

PillowImage = Image.Image

DEFAULT_MAX_PIXELS = 500_000_000
MAX_SIDE = 30_000_000
"""Pillow counts the bits of a line in 32 bits, at most 64 for each pixel."""
_MEGABYTE = 1 << 20
_KEPT_MODES = ("RGB", "RGBA", "L", "LA", "1", "P", "PA", "CMYK", "YCbCr", "LAB", "RGBX")
_ICONS = (b"\0\0\1\0", b"\0\0\2\0", b"icns")
"""How ICO, CUR and ICNS begin."""
_FLOAT_MODES = ("F", "F;16", "F;32")
_CONVERTED_MODES = ("CMYK", "YCbCr", "LAB")


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its pixels are decoded.

    Attributes:
        format: `png`, `jpeg`, ...
        width: in pixels.
        height: in pixels.
        mode: of the pixels, as Pillow calls it.
        bits: of a channel.
        xmp: packet.
        carries: names of what lies beside the pixels: EXIF, XMP, ...
    """

    format: str
    width: int
    height: int
    mode: str
    bits: int
    xmp: bytes | None
    carries: tuple[str, ...]


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


@contextmanager
def _pillow(max_pixels: int = DEFAULT_MAX_PIXELS) -> Iterator[None]:
    """Pillow with our limits, without warnings, its errors as ours."""
    saved = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    Image.MAX_IMAGE_PIXELS = None  # `_check_size` says more
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
    except Image.DecompressionBombError as error:
        size = re.search(r"\d+ pixels", str(error))
        raise ImageError(
            f"{size[0] if size else 'too large'}, more than --max-pixels {max_pixels}: "
            "raise it if you trust the file"
        ) from error
    except DECODER_ERRORS as error:
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
            raise ImageError("a JPEG XL file: to read it, pip install 'irncli[jxl]'")
        # Its plug-in decodes all when it opens, and of an animation what comes first.
        header = header_of(data)
        _check_size(header.width, header.height, max_pixels)
        if header.animated:
            raise ImageError("an animation, expected one picture: extract the frame you want first")
    if is_heif(data) and not heif_is_here():
        raise ImageError("a HEIC file: to read it, pip install 'irncli[heic]'")
    if data[:2] == b"\xff\xd8" and has_many_scans(data):
        raise ImageError(f"a JPEG of more than {MAX_SCANS} scans, made to take hours: refused")
    if data[:4] in _ICONS:
        # The picture inside is decoded at once. Pillow refuses twice as many.
        Image.MAX_IMAGE_PIXELS = max_pixels
    image = Image.open(io.BytesIO(data), formats=formats(data))
    _check_size(*image.size, max_pixels)
    complete(image, data)
    return image


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"damaged image: its size is {width}x{height}")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{width}x{height} is longer than a picture may be ({MAX_SIDE} a side)")
    if width * height > max_pixels:
        raise ImageError(
            f"{width}x{height} are {width * height} pixels, more than --max-pixels {max_pixels}: "
            "raise it if you trust the file"
        )


def probe(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Header:
    """What a file says of itself, without decoding pixels.

    Raises:
        ImageError: not an image, damaged, or too large.
    """
    with _pillow(max_pixels), _open(data, max_pixels) as image:
        return Header(
            format=(image.format or "").lower(),
            width=image.width,
            height=image.height,
            mode=image.mode,
            bits=depth_of(image, data),
            xmp=xmp_of(image, data),
            carries=_carried(image, data),
        )


def _carried(image: ImageFile.ImageFile, data: bytes) -> tuple[str, ...]:
    found = {
        "colour profile": image.info.get("icc_profile"),
        "EXIF": image.info.get("exif"),
        "XMP": xmp_of(image, data),
        "DPI": dpi_of(image),
        "text or gamma": chunks_of(image, data),
        "transparency": _has_alpha(image),
    }
    return tuple(name for name, value in found.items() if value)


def decode(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, deep: bool = False) -> Picture:
    """All of a picture file.

    Args:
        data: the file.
        max_pixels: refuse larger ones, before memory is taken.
        deep: keep 16 bits where the file has them; else they are reduced to 8, and that is noted.

    Raises:
        ImageError: not an image, damaged, too large, of several frames, or of a pixel type that
            has no 8- or 16-bit meaning.
    """
    with _pillow(max_pixels), _open(data, max_pixels) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":
            raise ImageError(f"{frames} frames, expected one: extract the frame you want first")
        if image.format == "PNG" and not is_whole(data):
            raise ImageError("damaged image: its pixels end before the last row")
        # Before another library reads it: this one says when a file is damaged.
        image.load()
        notes = [f"{frames} pictures in one file: the first was taken"] * (frames > 1)
        notes += left_out(image, data)
        icc = profile_of(image, notes)
        bits = depth_of(image, data)
        channels = read_deep(image, data, bits)
        if channels is not None:
            picture = _of_channels(channels, image, data)
        elif image.mode in DEEP_MODES:
            picture = _deep_gray(image)
        else:
            picture = _shallow(image, icc, notes)
            notes += [reduction(bits)] * (bits > 8)
        metadata = Metadata(
            icc=None if image.mode in _CONVERTED_MODES else icc,
            exif=exif_of(image, notes),
            xmp=xmp_of(image, data) or None,
            dpi=dpi_of(image),
            chunks=chunks_of(image, data),
        )
    picture = replace(picture, metadata=metadata, notes=tuple(notes))
    return picture if deep else picture.reduced(bits)


def _has_alpha(image: Image.Image) -> bool:
    # Pillow's own word for it fails on a damaged palette.
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def _shallow(image: Image.Image, icc: bytes | None, notes: list[str]) -> Picture:
    """Convert an image of 8 bits per channel or fewer."""
    if image.mode in _FLOAT_MODES:
        raise ImageError("floating-point pixels, expected 8 or 16 bits: convert it first")
    if image.mode not in _KEPT_MODES:
        raise ImageError(f"pixels of type {image.mode}, expected 8 or 16 bits: convert it first")
    alpha = np.array(image.convert("RGBA").getchannel("A")) if _has_alpha(image) else None
    rgb, how = _to_rgb(image, icc)
    pixels = np.array(rgb)
    gray = image.mode in ("1", "L", "LA")
    if image.mode in _CONVERTED_MODES:
        notes.append(f"{image.mode} was converted to RGB{how}")
    elif image.mode in ("P", "PA"):
        # A profile of colours is none for gray.
        gray = icc is None and bool((pixels == pixels[:, :, :1]).all())
        notes.append(f"the palette was converted to {'gray' if gray else 'RGB'}")
    elif image.mode == "1":
        notes.append("black and white was converted to gray")
    return Picture(pixels, alpha, gray)


def _of_channels(values: Deep, image: ImageFile.ImageFile, data: bytes) -> Picture:
    """Convert an image of 16 bits per channel."""
    if values.shape[:2] != (image.height, image.width):
        raise ImageError("damaged image: two decoders find two sizes")
    if values.ndim == 2:
        return Picture(values[:, :, None].repeat(3, axis=2), gray=True)
    gray = bit_depth(data)[1] == GRAY_WITH_ALPHA
    alpha = np.ascontiguousarray(values[:, :, 3]) if values.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(values[:, :, :3]), alpha, gray)


def _deep_gray(image: Image.Image) -> Picture:
    """Convert an image with one channel of 16 bits."""
    wide = np.array(image)
    if int(wide.min()) < 0 or int(wide.max()) > 65535:
        raise ImageError("32-bit integer pixels, expected 8 or 16 bits: convert it first")
    values, clear = wide.astype(np.uint16), image.info.get("transparency")
    alpha = np.where(values == clear, 0, 65535).astype(np.uint16) if clear is not None else None
    return Picture(values[:, :, None].repeat(3, axis=2), alpha, gray=True)


def _to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """As RGB, CMYK and Lab as sRGB, and by what: CMYK through its profile where there is one."""
    if image.mode == "LAB":
        return _through(image, ImageCms.createProfile("LAB")), ""
    if image.mode == "CMYK" and icc:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            return _through(image, profile), " through its profile"
        except (ImageCms.PyCMSError, OSError):
            return image.convert("RGB"), " without its profile, which is unusable"
    return image.convert("RGB"), ""


def _through(image: Image.Image, source: Any) -> Image.Image:
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    assert converted is not None  # noqa: S101
    return converted


def pixel_sha256(image: Image.Image) -> str:
    """Hash mode, size and values: the `content_sha256` of a file that keeps them all.

    A palette counts as its colours: tools that make files smaller put few colours into one.
    """
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        values = np.asarray(image)
        if image.mode == "RGB" and (values == values[:, :, :1]).all():
            image = image.getchannel("R")
    return _sha256(image.mode, image.size, image.tobytes())


def _sha256(mode: str, size: tuple[int, int], values: bytes) -> str:
    digest = hashlib.sha256(f"{mode} {size[0]}x{size[1]}\n".encode())
    digest.update(values)
    return digest.hexdigest()


def content_sha256(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> str:
    """Identity of the picture whatever its metadata.

    JPEG: of the coded segments, so that decoders may differ. Others: of mode, size and pixels.

    Raises:
        ImageError: not an image, damaged, or too large.
    """
    with _pillow(max_pixels), _open(data, max_pixels) as image:
        if image.format in ("JPEG", "MPO"):
            return coded_sha256(data)
        image.load()
        values = read_deep(image, data, depth_of(image, data))
        if values is not None:
            return _sha256(f"{image.mode};16", image.size, values.astype("<u2").tobytes())
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


def from_pillow(image: PillowImage) -> Picture:
    """A picture of what another program holds: gray stays gray, alpha and metadata stay with it.

    Raises:
        ImageError: pixels that have no 8- or 16-bit meaning, or none at all.
    """
    with _pillow():
        _check_size(*image.size, image.width * image.height)
        notes: list[str] = []
        icc = profile_of(image, notes)
        deep = image.mode in DEEP_MODES
        picture = _deep_gray(image) if deep else _shallow(image, icc, notes)
        xmp = image.info.get("xmp")
        metadata = Metadata(
            icc=None if image.mode in _CONVERTED_MODES else icc,
            exif=exif_of(image, notes),
            xmp=xmp if isinstance(xmp, bytes) else None,
            dpi=dpi_of(image),
        )
    return replace(picture, metadata=metadata, notes=tuple(notes))


def to_pillow(picture: Picture) -> PillowImage:
    """A Pillow image of 8 bits a channel: L or RGB, with alpha LA or RGBA, metadata in `info`."""
    picture = picture.reduced()
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.gray else picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    kept, names = picture.metadata, {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}
    found = {key: getattr(kept, name) for key, name in names.items()} | {"dpi": kept.dpi}
    image.info.update({key: value for key, value in found.items() if value is not None})
    return image


def lanczos(pixels: Pixels, height: int, width: int) -> Pixels:
    """uint8 [H, W, 3] resized by Pillow's Lanczos filter (three lobes, antialiased): a baseline."""
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
