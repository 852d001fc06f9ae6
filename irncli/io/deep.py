"""Pictures of more than 8 bits a channel, which Pillow reads and writes as 8-bit ones."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from irncli.errors import ImageError, StorageError
from irncli.io.jpeg2000 import Component, components, is_sycc
from irncli.io.png import GRAY_WITH_ALPHA, PNG_LEVEL, SIGNATURE, bare, bit_depth, framed

__all__ = ["Deep", "read_deep", "write_deep"]

Deep = NDArray[np.uint16]

_PHOTOMETRIC, _PLANES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 262, 284, 338, 339
_UNSIGNED, _WHITE_IS_ZERO, _RGB, _TOGETHER = 1, 0, 2, 1
_UNSPECIFIED, _ASSOCIATED = 0, 1
"""What a channel beside the colours is: not said, or alpha that they were multiplied by."""


@cache
def _opencv() -> ModuleType:
    """Loaded where it is needed: it takes a third of a second."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def read_deep(image: ImageFile.ImageFile, data: bytes, bits: int) -> Deep | None:
    """Channels of a file at their depth: uint16 [H, W], gray, or [H, W, 3 or 4], RGB and alpha.

    Args:
        image: as Pillow has loaded it, so that it is known to be undamaged.
        data: the file.
        bits: of a channel. The values that come back are spread over 16.

    Returns:
        None where what Pillow read is all that can be read.

    Raises:
        ImageError: damaged, or a variant that cannot be read.
        StorageError: no room for a temporary file.
    """
    if bits <= 8:
        return None
    if image.format == "PNG" and bit_depth(data)[1] != 0:
        return _required(_by_opencv(bare(data)))
    if _is_deep_rgb_tiff(image, bits):
        return _rgb_tiff(image, data)
    if image.format == "TIFF" and image.mode in ("I;16", "I;16B"):
        return _gray_tiff(image, bits)
    if image.format == "JPEG2000" and image.mode in ("L", "I;16", "LA", "RGB", "RGBA"):
        return _jpeg2000(image, data, bits)
    if image.format == "AVIF":
        return _sound(_by_opencv(data), image, bits)
    if image.format == "HEIF":
        return _sound(_by_pillow_heif(data, bits), image, bits)
    return None


def _is_deep_rgb_tiff(image: ImageFile.ImageFile, bits: int) -> bool:
    if image.format != "TIFF" or bits != 16:
        return False
    tags = image.tag_v2  # type: ignore[attr-defined]
    unsigned = set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))) == {_UNSIGNED}
    return unsigned and tags.get(_PHOTOMETRIC) == _RGB


def _rgb_tiff(image: ImageFile.ImageFile, data: bytes) -> Deep:
    tags = image.tag_v2  # type: ignore[attr-defined]
    if tags.get(_PLANES, _TOGETHER) != _TOGETHER:
        raise ImageError(
            "a TIFF of 16 bits with a plane for each colour: convert it to a 16-bit PNG first"
        )
    values = _required(_by_opencv(data))
    beside = tags.get(_EXTRA_SAMPLES, ())
    if values.shape[2] == 4 and _UNSPECIFIED in beside:
        return values[:, :, :3]
    return _divided_by_alpha(values) if _ASSOCIATED in beside else values


def _divided_by_alpha(values: Deep) -> Deep:
    """Colours as they are without the alpha that they were multiplied by."""
    alpha = np.maximum(values[:, :, 3:], 1).astype(np.float64)
    colours = (values[:, :, :3] * (65535 / alpha)).round().clip(0, 65535)
    return np.concatenate((colours.astype(np.uint16), values[:, :, 3:]), axis=2)


def _gray_tiff(image: ImageFile.ImageFile, bits: int) -> Deep | None:
    """Values as they are stored, which Pillow gives, made those of gray of 16 bits."""
    values = _sound(np.array(image).astype(np.uint16), image, bits)
    white_is_zero = image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO  # type: ignore[attr-defined]
    return ~values if values is not None and white_is_zero else values


def _by_opencv(data: bytes) -> NDArray[Any] | None:
    """What OpenCV reads, colours as RGB; None: it does not."""
    import imageio.v3 as iio

    cv2 = _opencv()
    try:
        return iio.imread(data, plugin="opencv", flags=cv2.IMREAD_UNCHANGED)
    except OSError as error:
        trouble = error.__cause__
        if not isinstance(trouble, OSError) or trouble.errno is None:
            return None
        raise StorageError(
            f"16-bit pixels go through a temporary file: {trouble.strerror}; make room there, or "
            "set TMPDIR to another directory"
        ) from error
    except (cv2.error, ValueError, RuntimeError):
        return None


def _by_pillow_heif(data: bytes, bits: int) -> NDArray[Any] | None:
    import pillow_heif

    try:
        values = np.asarray(pillow_heif.open_heif(data, convert_hdr_to_8bit=False))
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError):
        return None
    return values >> (16 - bits) if values.dtype == np.uint16 else None


def _required(values: NDArray[Any] | None) -> Deep:
    if values is None:
        raise ImageError("damaged image: its 16-bit pixels cannot be decoded")
    if values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] not in (3, 4):
        raise ImageError(
            f"16-bit pixels that decode to {values.dtype} {list(values.shape)}, expected three or "
            "four channels: convert it to a 16-bit PNG first"
        )
    return values


def _sound(values: NDArray[Any] | None, image: ImageFile.ImageFile, bits: int) -> Deep | None:
    """Values of `bits` spread over 16, where they are of the size and the channels of `image`."""
    if values is None or values.dtype != np.uint16 or bits > 16:
        return None
    shape = (image.height, image.width, *{"RGB": (3,), "RGBA": (4,)}.get(image.mode, ()))
    if values.shape != shape:
        return None
    top = (1 << bits) - 1
    spread = (np.arange(65536).clip(max=top) * 65535 + top // 2) // top
    found: Deep = spread.astype(np.uint16)[values]
    return found


def _jpeg2000(image: ImageFile.ImageFile, data: bytes, bits: int) -> Deep:
    """Not as Pillow reads them: it makes the brightest values black.

    Raises:
        ImageError: components that differ, or that OpenCV reads wrongly or not at all.
    """
    plain = set(components(data)) == {Component(bits, False, (1, 1))} and not is_sycc(data)
    values = _sound(_by_opencv(data), image, bits) if plain else None
    if values is None:
        raise ImageError(
            f"a JPEG 2000 of {bits} bits and mode {image.mode} that cannot be read rightly: "
            "convert it to a 16-bit PNG first"
        )
    return values


def write_deep(values: Deep) -> bytes:
    """A PNG of uint16 [H, W], or [H, W, 2], [H, W, 3] or [H, W, 4], without metadata."""
    if values.ndim == 3 and values.shape[2] == 2:
        return _gray_alpha_png(values)
    cv2 = _opencv()
    if values.ndim == 3:
        values = values[:, :, [2, 1, 0, 3][: values.shape[2]]]  # as OpenCV orders colours
    # Not through imageio, which would make a temporary file of it.
    return bytes(cv2.imencode(".png", values)[1])


def _gray_alpha_png(values: Deep) -> bytes:
    """OpenCV writes none. Rows are stored as differences to those above: filter type 2."""
    height, width = values.shape[:2]
    rows = values.astype(">u2").view(np.uint8).reshape(height, 4 * width)
    differences = np.diff(rows, axis=0, prepend=np.zeros((1, 4 * width), np.uint8))
    filtered = np.insert(differences, 0, 2, axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 16, GRAY_WITH_ALPHA, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, PNG_LEVEL)), (b"IEND", b""))
    return SIGNATURE + b"".join(framed(kind, body) for kind, body in parts)
