"""Plain codecs, which code the whole image: the reference for judging compression."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from irncli.compression.plain_coder import PlainCoder
from irncli.compression.search import least_reaching, most_within
from irncli.engine.metrics import psnr
from irncli.engine.tensors import Pixels
from irncli.errors import UsageError
from irncli.io.encoding import Coefficients, Format, Subsampling, encode
from irncli.io.formats.jpeg_scans import jpeg_of
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
        coefficients: coefficients of a JPEG that were chosen by `PlainCoder`; None: the usual ones.
    """

    data: bytes
    quality: int
    subsampling: Subsampling
    psnr: float
    coefficients: Coefficients | None = None


@dataclass(frozen=True, eq=False)
class _Coded:
    """A file of a quality, and its coefficients if they were chosen."""

    data: bytes
    coefficients: Coefficients | None = None


@dataclass(frozen=True, eq=False)
class _Way:
    """A way to code an image: a function from a quality to a file."""

    subsampling: Subsampling
    at: Callable[[int], _Coded]


def plain_jpeg(pixels: Pixels, most_bytes: int, effort: int = 0) -> Plain | None:
    """Return the best plain JPEG of at most `most_bytes`; see `plain`."""
    return plain(pixels, "jpeg", most_bytes, effort)


def plain(pixels: Pixels, image_format: Format, most_bytes: int, effort: int = 0) -> Plain | None:
    """Return the best file that a codec makes of an image in at most `most_bytes`.

    The highest quality that fits is found for each subsampling of the codec, and the file with the
    highest PSNR among these is returned. A JPEG is optimised and progressive. Files have no
    metadata.

    Args:
        pixels: uint8 [H, W, 3]; coded as gray if the channels are equal.
        image_format: a lossy format.
        most_bytes: largest size of the file in bytes.
        effort: above 0, the JPEGs of `PlainCoder` are tried, too; other formats ignore this.

    Returns:
        The coded image; None if not even the lowest quality fits.

    Raises:
        UsageError: the format has no quality.
        ImageError: the image is larger than the format allows.
        UnavailableError: the format cannot be written on this system.
    """
    found = []
    for way in _ways(pixels, image_format, effort):
        most = most_within(way.at, lambda coded: len(coded.data) <= most_bytes)
        found += [_judged(pixels, way, *most)] if most is not None else []
    return max(found, key=lambda candidate: candidate.psnr, default=None)


def plain_reaching(
    pixels: Pixels, image_format: Format, wanted: float, effort: int = 0
) -> Plain | None:
    """Return the smallest file of a codec with at least this PSNR; None if no quality reaches it.

    Arguments and errors are those of `plain`, with a PSNR over R, G and B in dB as the target.
    """
    found = []
    for way in _ways(pixels, image_format, effort):
        least = least_reaching(partial(_at, pixels, way), lambda judged: judged.psnr >= wanted)
        found += [least[1]] if least is not None else []
    return min(found, key=lambda candidate: len(candidate.data), default=None)


def _ways(pixels: Pixels, image_format: Format, effort: int) -> Iterator[_Way]:
    gray = bool((pixels == pixels[:, :, :1]).all())
    for subsampling in _subsamplings(image_format):
        yield _Way(subsampling, partial(_usual, pixels, image_format, subsampling))
    for subsampling in _subsamplings(image_format) if effort and image_format == "jpeg" else ():
        yield _Way(subsampling, partial(_chosen, PlainCoder(pixels, subsampling, gray=gray)))


def _usual(pixels: Pixels, image_format: Format, subsampling: Subsampling, quality: int) -> _Coded:
    return _Coded(encode_plain(pixels, image_format, quality, subsampling=subsampling))


def _chosen(coder: PlainCoder, quality: int) -> _Coded:
    coefficients = coder.code(quality)
    return _Coded(jpeg_of(coefficients), coefficients)


def _at(pixels: Pixels, way: _Way, quality: int) -> Plain:
    return _judged(pixels, way, quality, way.at(quality))


def _judged(pixels: Pixels, way: _Way, quality: int, coded: _Coded) -> Plain:
    height, width = pixels.shape[:2]
    back = decode(coded.data, max_pixels=height * width).pixels
    return Plain(coded.data, quality, way.subsampling, psnr(back, pixels), coded.coefficients)


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
