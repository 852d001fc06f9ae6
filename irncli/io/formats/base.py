"""What there is to know of a file format, where Pillow is silent or wrong."""

from __future__ import annotations

import hashlib
from typing import ClassVar

import numpy as np
from PIL import Image, ImageFile

from irncli.errors import ImageError
from irncli.io.libraries import DEEP_MODES
from irncli.io.picture import Chunk, Deep

__all__ = [
    "MAX_SIDE",
    "FileFormat",
    "check_size",
    "hash_of",
    "pixel_sha256",
]

MAX_SIDE = 30_000_000
"""Pillow counts the bits of a row in 32 bits, at most 64 for each pixel."""


class FileFormat:
    """A format that is read by Pillow. Subclasses add what Pillow does not say, or says wrongly.

    In all methods `image` is opened, not necessarily loaded, and `data` are the bytes of its file.

    Attributes:
        pillow_names: Pillow's names of the format.
    """

    pillow_names: ClassVar[tuple[str, ...]] = ()

    def refuse(self, data: bytes, max_pixels: int) -> None:
        """Refuse a file that Pillow must not open.

        Args:
            data: any file, not necessarily of this format.
            max_pixels: the most that an image may have.

        Raises:
            ImageError: it is of this format, and cannot be read or is dangerous.
        """

    def complete(self, image: ImageFile.ImageFile, data: bytes) -> None:
        """Correct the metadata in `image.info`."""

    def bits(self, image: Image.Image, data: bytes) -> int:  # noqa: ARG002
        """Return the bits per channel of the file."""
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
        """Return text and colours as the chunks of a PNG that hold them."""
        return ()

    def states_resolution(self, image: Image.Image) -> bool:  # noqa: ARG002
        """Tell whether the resolution that Pillow reports is in the file."""
        return True

    def left_out(self, image: Image.Image, data: bytes) -> list[str]:  # noqa: ARG002
        """List what the file holds besides its image that is not carried on, a sentence each."""
        return []

    def check(self, data: bytes) -> None:
        """Refuse damage that Pillow does not report.

        Raises:
            ImageError: the file is damaged.
        """

    def deep(self, image: Image.Image, data: bytes, bits: int) -> Deep | None:  # noqa: ARG002
        """Read channels of more than 8 bits: uint16 [H, W], gray, or [H, W, 3 or 4], RGB and alpha.

        Args:
            image: loaded, so that it is known to be undamaged.
            data: the file.
            bits: bits per channel. The values that are returned are spread over 16.

        Returns:
            None where Pillow has read all that can be read.

        Raises:
            ImageError: damaged, or a variant that cannot be read.
            StorageError: no room for a temporary file.
        """
        return None

    def gray_with_alpha(self, data: bytes) -> bool:  # noqa: ARG002
        """Tell whether the colours that `deep` returns are gray in the file."""
        return False

    def coded_sha256(self, data: bytes) -> str | None:  # noqa: ARG002
        """Hash what is coded, where decoders may differ; None: pixels are hashed."""
        return None

    def tables(self, image: Image.Image) -> dict[int, list[int]]:
        """Return the quantisation tables; empty: the format has none."""
        found: dict[int, list[int]] = getattr(image, "quantization", {})
        return found


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a size before memory is taken for it.

    Raises:
        ImageError: empty, or too large.
    """
    if width < 1 or height < 1:
        raise ImageError(f"damaged image: its size is {width}x{height}")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{width}x{height} is longer than an image may be ({MAX_SIDE} a side)")
    if width * height > max_pixels:
        raise ImageError(
            f"{width}x{height} are {width * height} pixels, more than --max-pixels {max_pixels}: "
            "raise it if you trust the file"
        )


def pixel_sha256(image: Image.Image) -> str:
    """Hash mode, size and values: the `content_sha256` of a file that keeps them all.

    A palette counts as its colours: tools that make files smaller put few colours into one.
    """
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        values = np.asarray(image)
        if image.mode == "RGB" and (values == values[:, :, :1]).all():
            image = image.getchannel("R")
    return hash_of(image.mode, image.size, image.tobytes())


def hash_of(mode: str, size: tuple[int, int], values: bytes) -> str:
    """Hash values with the mode and the size that give them a meaning."""
    digest = hashlib.sha256(f"{mode} {size[0]}x{size[1]}\n".encode())
    digest.update(values)
    return digest.hexdigest()
