"""Base class of file formats: corrections and additions to what Pillow reports."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from PIL import Image, ImageFile

from irncli.errors import ImageError
from irncli.io.libraries import DECODER_ERRORS, DEEP_MODES
from irncli.io.picture import Chunk, Deep
from irncli.pixels import Pixels, most

__all__ = [
    "MAX_SIDE",
    "FileFormat",
    "check_size",
    "equal_hashes",
    "hash_of",
    "pixel_sha256",
]

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")
MAX_SIDE = 30_000_000
"""Longest side in pixels: Pillow counts the bits of a row, at most 64 per pixel, in 32 bits."""


class FileFormat:
    """A format that Pillow reads. Subclasses correct and complete what Pillow reports.

    In all methods, `image` is opened but not necessarily loaded, and `data` is the content of its
    file.

    Attributes:
        pillow_names: Pillow's names of the format.
        beginning: pattern of the first bytes of a file; None if they are not unmistakable.
        one: name of the format in messages, with its article.
        scales_integers: True if Pillow scales the values of mode I to 16 bits.
        untimed: milliseconds of a frame for which the file states no time, such as a page.
    """

    pillow_names: ClassVar[tuple[str, ...]] = ()
    beginning: ClassVar[re.Pattern[bytes] | None] = None
    one: ClassVar[str] = "an image"
    scales_integers: ClassVar[bool] = False
    untimed: ClassVar[float] = 1000.0

    def refuse(self, data: bytes, max_pixels: int) -> None:
        """Refuse a file that Pillow must not open.

        Args:
            data: any file, not necessarily of this format.
            max_pixels: largest number of pixels of an image.

        Raises:
            ImageError: the file has this format, and cannot be read or is dangerous.
        """

    def mended(self, data: bytes, notes: list[str]) -> bytes:  # noqa: ARG002
        """Return a file without damaged parts that the pixels do not need; add a note on them.

        Args:
            data: any file, not necessarily of this format.
            notes: receives one sentence for each loss.
        """
        return data

    def unreadable(self, data: bytes) -> str | None:
        """Say what is wrong with a file that Pillow cannot open.

        Returns:
            The message; None if the file does not have this format.
        """
        if self.beginning is None or not self.beginning.match(data):
            return None
        return f"{self.one} that cannot be read: {self._trouble(data)}"

    def _trouble(self, data: bytes) -> str:
        """Return what Pillow says when it opens a file, if that is more than that it failed."""
        said = ""
        for name in self.pillow_names:
            if name in Image.OPEN:
                try:
                    Image.OPEN[name][0](io.BytesIO(data), "")
                except SyntaxError as error:
                    said = " ".join(str(error).split())[:200]
                except DECODER_ERRORS:
                    pass
        known = said and "not identified" not in said
        return said if known else "it is damaged, or of a kind that irn does not support"

    def complete(self, image: ImageFile.ImageFile, data: bytes) -> None:
        """Correct the metadata in `image.info`."""

    def bits(self, image: Image.Image, data: bytes) -> int:  # noqa: ARG002
        """Return the bits per channel of the file."""
        if image.mode == "I" and not self.scales_integers:
            return 32
        return 16 if image.mode in DEEP_MODES else 8

    def xmp(self, image: Image.Image, data: bytes) -> bytes | None:  # noqa: ARG002
        """Return the XMP packet."""
        packet = image.info.get("xmp")
        if isinstance(packet, str):
            return packet.encode()
        return packet if isinstance(packet, bytes) else None

    def exif(self, image: Image.Image) -> bytes | None:
        """Return the EXIF data."""
        exif = image.info.get("exif")
        return exif if exif and isinstance(exif, bytes) else None

    def chunks(self, image: Image.Image, data: bytes) -> tuple[Chunk, ...]:  # noqa: ARG002
        """Return text and colour information as PNG chunks."""
        return ()

    def states_resolution(self, image: Image.Image) -> bool:  # noqa: ARG002
        """Tell whether the resolution that Pillow reports is stated in the file."""
        return True

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:  # noqa: ARG002
        """Return notes on content of the file that is left out, one sentence each."""
        return []

    def plays(self, image: Image.Image) -> int:
        """Return the number of times that several frames are played; 0: without end."""
        loop = image.info.get("loop", 0)
        return loop if isinstance(loop, int) else 0

    def check(self, data: bytes) -> None:
        """Refuse damage that Pillow does not report.

        Raises:
            ImageError: the file is damaged.
        """

    def deep(self, image: Image.Image, data: bytes, bits: int) -> Deep | None:  # noqa: ARG002
        """Read channels of more than 8 bits.

        Args:
            image: loaded image, so that the file is known to be undamaged.
            data: content of the file.
            bits: bits per channel of the file.

        Returns:
            Values scaled to 16 bits: gray, uint16 [H, W], or RGB with or without alpha, uint16
            [H, W, 3 or 4]. None if Pillow reads the full depth itself.

        Raises:
            ImageError: the file is damaged, or of a variant that cannot be read.
            StorageError: a temporary file cannot be written.
        """
        return None

    def gray_with_alpha(self, data: bytes) -> bool:  # noqa: ARG002
        """Tell whether the file stores the colours that `deep` returns as gray with alpha."""
        return False

    def coded_sha256(self, data: bytes) -> str | None:  # noqa: ARG002
        """Hash the coded data if decoders may differ; None if the pixels are hashed instead."""
        return None

    def tables(self, image: Image.Image) -> dict[int, list[int]]:
        """Return the quantisation tables; empty if the format has none."""
        found: dict[int, list[int]] = getattr(image, "quantization", {})
        return found


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a size before memory is allocated.

    Raises:
        ImageError: the image is empty or too large.
    """
    if width < 1 or height < 1:
        raise ImageError(f"damaged image: its size is {width}x{height}")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{width}x{height} is too long, expected at most {MAX_SIDE} pixels a side")
    if width * height > max_pixels:
        raise ImageError(
            f"{width}x{height} is {width * height} pixels, more than --max-pixels {max_pixels}: "
            "raise it if you trust the file"
        )


def pixel_sha256(image: Image.Image) -> str:
    """Hash mode, size and pixel values: the `content_sha256` of most formats.

    An image with a palette is hashed by its colours, because file optimisers convert images with
    few colours to a palette.
    """
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        values = np.asarray(image)
        if image.mode == "RGB" and (values == values[:, :, :1]).all():
            image = image.getchannel("R")
    return hash_of(image.mode, image.size, image.tobytes())


def hash_of(mode: str, size: tuple[int, int], values: bytes) -> str:
    """Hash pixel values together with their mode and size."""
    digest = hashlib.sha256(f"{mode} {size[0]}x{size[1]}\n".encode())
    digest.update(values)
    return digest.hexdigest()


def equal_hashes(image: Image.Image, channels: Deep | None) -> Iterator[str]:
    """Yield the `content_sha256` of the same pixels with other channels.

    Alpha is left out where it is opaque, and added; gray is stored as gray and as colour. None of
    this changes what is restored.

    Args:
        image: a loaded image.
        channels: 16-bit channels of the image; None if there are none.
    """
    values = _four_channels(image, channels)
    if values is None:
        return
    colours, alpha = values[:, :, :3], values[:, :, 3:]
    opaque = bool((alpha == most(alpha)).all())
    gray = bool((colours == colours[:, :, :1]).all())
    deep = values.dtype == np.uint16
    # In 16 bits, gray with alpha is hashed as four channels.
    plain, with_alpha = ("I;16", "LA;16") if deep else ("L", "LA")
    colour = ("RGB;16", "RGBA;16") if deep else ("RGB", "RGBA")
    found = [(colour[1], values)]
    found += [(with_alpha, values if deep else values[:, :, 2:])] * gray
    found += [(colour[0], colours)] * opaque
    found += [(plain, colours[:, :, 0])] * (opaque and gray)
    for mode, part in found:
        stored = part.astype("<u2" if deep else np.uint8)
        yield hash_of(mode, image.size, stored.tobytes())


def _four_channels(image: Image.Image, channels: Deep | None) -> Pixels | None:
    """Return RGB and alpha, uint8 or uint16 [H, W, 4]; None for other kinds of pixels."""
    if channels is None and image.mode == "I;16" and "transparency" not in image.info:
        channels = np.array(image)
    if channels is None:
        plain = image.mode in _EIGHT_BIT_MODES
        return np.array(image.convert("RGBA")) if plain else None
    if channels.ndim == 2:
        channels = channels[:, :, None].repeat(3, axis=2)
    if channels.shape[2] == 4:
        return channels
    return np.dstack((channels, np.full(channels.shape[:2], 65535, np.uint16)))
