"""Plain codecs, which code the whole image: the reference for judging compression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from irncli.compression.search import least_reaching, most_within
from irncli.engine.metrics import psnr
from irncli.engine.tensors import Pixels
from irncli.errors import UsageError
from irncli.io.encoding import Format, Subsampling, encode
from irncli.io.image_file import decode
from irncli.io.picture import Picture

__all__ = ["Plain", "encode_plain", "plain", "plain_jpeg", "plain_reaching"]

_SUBSAMPLINGS: dict[Format, tuple[Subsampling, ...]] = {
    "jpeg": ("4:2:0", "4:4:4"),
    "webp": ("4:2:0",),
    "avif": ("4:2:0", "4:4:4"),
    "jxl": ("4:4:4",),
}
"""Subsamplings that are tried, by codec."""


@dataclass(frozen=True, eq=False)
class Plain:
    """An image coded by a plain codec.

    Attributes:
        data: the file, without metadata.
        quality: quality setting of the codec, 1 to 100.
        subsampling: chroma subsampling.
        psnr: PSNR of the decoded image over R, G and B, in dB.
    """

    data: bytes
    quality: int
    subsampling: Subsampling
    psnr: float


def plain_jpeg(pixels: Pixels, most_bytes: int) -> Plain | None:
    """Return the best plain JPEG of at most `most_bytes`; see `plain`."""
    return plain(pixels, "jpeg", most_bytes)


def plain(pixels: Pixels, image_format: Format, most_bytes: int) -> Plain | None:
    """Return the best file that a codec makes of an image in at most `most_bytes`.

    The highest quality that fits is found for each subsampling of the codec, and the file with the
    highest PSNR among these is returned. A JPEG is optimised and progressive. Files have no
    metadata.

    Args:
        pixels: uint8 [H, W, 3]; coded as gray if the channels are equal.
        image_format: a lossy format.
        most_bytes: largest size of the file in bytes.

    Returns:
        The coded image; None if not even the lowest quality fits.

    Raises:
        UsageError: the format has no quality.
        ImageError: the image is larger than the format allows.
        UnavailableError: the format cannot be written on this system.
    """
    found = [
        _at_most(pixels, image_format, most_bytes, subsampling)
        for subsampling in _subsamplings(image_format)
    ]
    fitting = [candidate for candidate in found if candidate is not None]
    return max(fitting, key=lambda candidate: candidate.psnr, default=None)


def _at_most(
    pixels: Pixels,
    image_format: Format,
    most_bytes: int,
    subsampling: Subsampling,
) -> Plain | None:
    code = partial(encode_plain, pixels, image_format, subsampling=subsampling)
    found = most_within(code, lambda data: len(data) <= most_bytes)
    if found is None:
        return None
    return _coded(pixels, image_format, found[0], subsampling=subsampling)


def plain_reaching(pixels: Pixels, image_format: Format, wanted: float) -> Plain | None:
    """Return the smallest file of a codec with at least this PSNR; None if no quality reaches it.

    Arguments and errors are those of `plain`, with a PSNR over R, G and B in dB as the target.
    """
    found = []
    for subsampling in _subsamplings(image_format):
        code = partial(_coded, pixels, image_format, subsampling=subsampling)
        least = least_reaching(code, lambda coded: coded.psnr >= wanted)
        found += [least[1]] if least is not None else []
    return min(found, key=lambda coded: len(coded.data), default=None)


def _coded(
    pixels: Pixels, image_format: Format, quality: int, *, subsampling: Subsampling
) -> Plain:
    data = encode_plain(pixels, image_format, quality, subsampling=subsampling)
    height, width = pixels.shape[:2]
    back = decode(data, max_pixels=height * width).pixels
    return Plain(data, quality, subsampling, psnr(back, pixels))


def _subsamplings(image_format: Format) -> tuple[Subsampling, ...]:
    if image_format not in _SUBSAMPLINGS:
        raise UsageError(f"{image_format} is lossless and has no quality: expected a lossy format")
    return _SUBSAMPLINGS[image_format]


def encode_plain(
    pixels: Pixels,
    image_format: Format,
    quality: int,
    *,
    subsampling: Subsampling = "4:4:4",
) -> bytes:
    """Return the file of an image, without metadata.

    Args:
        pixels: uint8 [H, W, 3]; coded as gray if the channels are equal.
        image_format: any format that `encode` writes.
        quality: quality of the codec, 1 to 100.
        subsampling: chroma subsampling, if the format offers a choice.

    Raises:
        UsageError: the quality is out of range.
        ImageError: the image is larger than the format allows.
        UnavailableError: the format cannot be written on this system.
    """
    gray = bool((pixels == pixels[:, :, :1]).all())
    picture = Picture(pixels, gray=gray)
    return encode(
        picture,
        image_format=image_format,
        quality=quality,
        subsampling=subsampling,
        progressive=True,
    )
