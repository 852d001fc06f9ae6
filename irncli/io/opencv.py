"""Images with 16 bits per channel, through OpenCV: Pillow reads and writes them as 8-bit."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from irncli.errors import ImageError, StorageError
from irncli.io.picture import Deep

__all__ = ["read", "required", "spread", "write_png"]


@cache
def _opencv() -> ModuleType:
    """Import OpenCV only when needed, since the import takes a third of a second."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def read(data: bytes) -> NDArray[Any] | None:
    """Return the values that OpenCV reads, with colours as RGB; None if it cannot read the file.

    Raises:
        StorageError: a temporary file cannot be written.
    """
    import imageio.v3 as iio

    cv2 = _opencv()
    try:
        return iio.imread(data, plugin="opencv", flags=cv2.IMREAD_UNCHANGED)
    except OSError as error:
        trouble = error.__cause__
        if not isinstance(trouble, OSError) or trouble.errno is None:
            return None
        raise StorageError(
            f"16-bit pixels need a temporary file: {trouble.strerror}; free some space, or set "
            "TMPDIR to another directory"
        ) from error
    except (cv2.error, ValueError, RuntimeError):
        return None


def required(values: NDArray[Any] | None) -> Deep:
    """Return values after checking that they are three or four 16-bit channels.

    Raises:
        ImageError: the values are missing or have another type or shape.
    """
    if values is None:
        raise ImageError("damaged image: its 16-bit pixels cannot be decoded")
    if values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] not in (3, 4):
        raise ImageError(
            f"16-bit pixels decode to {values.dtype} {list(values.shape)}, expected three or four "
            "channels: convert the image to a 16-bit PNG first"
        )
    return values


def spread(values: NDArray[Any] | None, image: Image.Image, bits: int) -> Deep | None:
    """Scale values of `bits` bits to 16 bits; None if size or channels differ from `image`."""
    if values is None or values.dtype != np.uint16 or bits > 16:
        return None
    shape = (image.height, image.width, *{"RGB": (3,), "RGBA": (4,)}.get(image.mode, ()))
    if values.shape != shape:
        return None
    top = (1 << bits) - 1
    table = (np.arange(65536).clip(max=top) * 65535 + top // 2) // top
    found: Deep = table.astype(np.uint16)[values]
    return found


def write_png(values: Deep) -> bytes:
    """Return a PNG of uint16 [H, W], [H, W, 3] or [H, W, 4], without metadata."""
    cv2 = _opencv()
    if values.ndim == 3:
        values = values[:, :, [2, 1, 0, 3][: values.shape[2]]]  # OpenCV stores colours as BGR
    # imageio would write a temporary file.
    return bytes(cv2.imencode(".png", values)[1])
