"""Conversion between Pillow images and Picture: pixel types, colours, alpha."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from irncli.errors import ImageError
from irncli.io.formats import format_of
from irncli.io.formats.base import check_size
from irncli.io.formats.writable import stored
from irncli.io.libraries import DECODER_ERRORS, DEEP_MODES
from irncli.io.metadata import checked_exif, dpi_of, profile_of
from irncli.io.picture import Deep, Metadata, Picture
from irncli.io.xmp import checked_xmp
from irncli.pixels import Pixels

__all__ = [
    "CONVERTED_MODES",
    "PillowImage",
    "deep_gray",
    "from_pillow",
    "has_alpha",
    "lanczos",
    "limited",
    "of_channels",
    "resolution_of",
    "shallow",
    "to_pillow",
]

PillowImage = Image.Image

CONVERTED_MODES = ("CMYK", "YCbCr", "LAB")
_KEPT_MODES = ("RGB", "RGBA", "L", "LA", "1", "P", "PA", "CMYK", "YCbCr", "LAB", "RGBX")
_FLOAT_MODES = ("F", "F;16", "F;32")
_MEGABYTE = 1 << 20
_UNSUPPORTED = re.compile(r"unsupported|not supported|unimplemented|not available", re.IGNORECASE)
"""What decoders say of an image that they cannot read although it is not damaged."""


@contextmanager
def limited(max_pixels: int, *, inside: bool = False) -> Iterator[None]:
    """Apply irn's limits to Pillow, silence its warnings, and convert its errors to ImageError.

    Args:
        max_pixels: the most that an image may have.
        inside: let Pillow check the images inside a file; it refuses twice as many pixels.
    """
    saved = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    # Otherwise `check_size` refuses large images, with a better message.
    Image.MAX_IMAGE_PIXELS = max_pixels if inside else None
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
        reason = _reason(error)
        known = _UNSUPPORTED.search(reason) is not None
        what = "an image of a kind that irn does not read" if known else "damaged image"
        raise ImageError(f"{what}: {reason}") from error
    finally:
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = (
            saved
        )


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def has_alpha(image: Image.Image) -> bool:
    """Tell whether an image has alpha.

    Pillow's has_transparency_data is not used, because it fails on a damaged palette.
    """
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def shallow(image: Image.Image, icc: bytes | None, notes: list[str]) -> Picture:
    """Convert an image of at most 8 bits per channel; add a note for each conversion."""
    if image.mode in _FLOAT_MODES:
        raise ImageError("floating-point pixels, expected 8 or 16 bits: convert it first")
    if image.mode not in _KEPT_MODES:
        raise ImageError(f"pixels of type {image.mode}, expected 8 or 16 bits: convert it first")
    alpha = np.array(image.convert("RGBA").getchannel("A")) if has_alpha(image) else None
    rgb, how = _to_rgb(image, icc)
    pixels = np.array(rgb)
    gray = image.mode in ("1", "L", "LA")
    if image.mode in CONVERTED_MODES:
        notes.append(f"{image.mode} was converted to RGB{how}")
    elif image.mode in ("P", "PA"):
        # With a profile the image stays RGB, since an RGB profile does not apply to gray.
        gray = icc is None and bool((pixels == pixels[:, :, :1]).all())
        notes.append(f"the palette was converted to {'gray' if gray else 'RGB'}")
    elif image.mode == "1":
        notes.append("black and white was converted to gray")
    return Picture(pixels, alpha, gray)


def of_channels(values: Deep, image: Image.Image, *, gray: bool) -> Picture:
    """Convert 16-bit channels to a Picture.

    Args:
        values: uint16 [H, W], [H, W, 3] or [H, W, 4].
        image: image that the values must have the size of.
        gray: the file stores gray.

    Raises:
        ImageError: the sizes differ.
    """
    if values.shape[:2] != (image.height, image.width):
        raise ImageError("damaged image: two decoders find two sizes")
    if values.ndim == 2:
        return Picture(values[:, :, None].repeat(3, axis=2), gray=True)
    alpha = np.ascontiguousarray(values[:, :, 3]) if values.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(values[:, :, :3]), alpha, gray)


def deep_gray(image: Image.Image) -> Picture:
    """Convert an image with a single 16-bit channel.

    Raises:
        ImageError: the values have 32 bits, whatever they are: their range is not known.
    """
    if image.mode == "I" and not format_of(image).scales_integers:
        raise ImageError("32-bit integer pixels, expected 8 or 16 bits: convert it first")
    values, clear = np.array(image).astype(np.uint16), image.info.get("transparency")
    alpha = np.where(values == clear, 0, 65535).astype(np.uint16) if clear is not None else None
    return Picture(values[:, :, None].repeat(3, axis=2), alpha, gray=True)


def _to_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, str]:
    """Convert to RGB (CMYK and Lab to sRGB); also return how the profile was used, for a note."""
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


def resolution_of(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution that the file of an image states, not a default of Pillow."""
    dpi = dpi_of(image)
    return dpi if dpi is not None and format_of(image).states_resolution(image) else None


def from_pillow(image: PillowImage) -> Picture:
    """Convert a Pillow image; gray stays gray, and alpha and metadata are kept.

    Raises:
        ImageError: the pixels cannot be converted to 8 or 16 bits, or there are no pixels.
    """
    with limited(image.width * image.height):
        check_size(*image.size, image.width * image.height)
        notes: list[str] = []
        icc = profile_of(image, notes)
        deep = image.mode in DEEP_MODES
        picture = deep_gray(image) if deep else shallow(image, icc, notes)
        xmp = image.info.get("xmp")
        metadata = Metadata(
            icc=None if image.mode in CONVERTED_MODES else icc,
            exif=checked_exif(format_of(image).exif(image), notes),
            xmp=checked_xmp(xmp, notes) if isinstance(xmp, bytes) else None,
            dpi=resolution_of(image),
        )
    return replace(picture, metadata=metadata, notes=tuple(notes))


def to_pillow(picture: Picture) -> PillowImage:
    """Return an 8-bit Pillow image: L or RGB, with alpha LA or RGBA; metadata is in `info`."""
    image = stored(picture.reduced())
    kept, names = picture.metadata, {"icc_profile": "icc", "exif": "exif", "xmp": "xmp"}
    found = {key: getattr(kept, name) for key, name in names.items()} | {"dpi": kept.dpi}
    image.info.update({key: value for key, value in found.items() if value is not None})
    return image


def lanczos(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize uint8 [H, W, 3] with Pillow's Lanczos filter (three lobes, antialiased)."""
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
