"""Pictures of 16 bits a channel, which Pillow reads and writes as 8-bit ones without a word."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from irncli.errors import ImageError
from irncli.io.png import bit_depth

__all__ = ["Deep", "is_deep_colour", "read_deep", "write_deep"]

Deep = NDArray[np.uint16]

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_UNSIGNED, _RGB = 1, 2


@cache
def _opencv() -> ModuleType:
    """Loaded where it is needed: it takes a third of a second."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def is_deep_colour(image: ImageFile.ImageFile, data: bytes) -> bool:
    """Whether a file has several channels of 16 bits, in a format that `read_deep` knows.

    One channel is no matter: Pillow reads it well.
    """
    if image.format == "PNG":
        bits, colour_type = bit_depth(data)
        return bits == 16 and colour_type != 0
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        formats = set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
        deep = set(tags.get(_BITS_PER_SAMPLE, (1,))) == {16} and formats == {_UNSIGNED}
        return deep and tags.get(_PHOTOMETRIC) == _RGB
    return False


def read_deep(data: bytes) -> Deep:
    """Channels of a file that `is_deep_colour`: uint16 [H, W, 3], RGB, or [H, W, 4] with alpha.

    Raises:
        ImageError: damaged, or a variant that cannot be read.
    """
    import imageio.v3 as iio

    cv2 = _opencv()
    try:
        values = iio.imread(data, plugin="opencv", flags=cv2.IMREAD_UNCHANGED)
    except (cv2.error, OSError, ValueError, RuntimeError) as error:
        raise ImageError("damaged image: its 16-bit pixels cannot be decoded") from error
    if values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] not in (3, 4):
        raise ImageError(
            f"16-bit pixels that decode to {values.dtype} {list(values.shape)}, expected three or "
            "four channels: convert it to a 16-bit PNG first"
        )
    return values


def write_deep(values: Deep) -> bytes:
    """A PNG of uint16 [H, W], [H, W, 3] or [H, W, 4], without metadata."""
    import imageio.v3 as iio

    _opencv()
    data = iio.imwrite("<bytes>", values, extension=".png", plugin="opencv")
    assert isinstance(data, bytes)  # noqa: S101
    return data
