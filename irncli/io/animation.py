"""Several frames in one file: what they have in common, and how they are encoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from irncli.errors import UsageError
from irncli.io.formats import WRITABLE
from irncli.io.formats.frames import ANIMATED, StoredFrame
from irncli.io.formats.writable import EncoderSettings, Format, Packet
from irncli.io.picture import Metadata, Picture
from irncli.pixels import Pixels, most

__all__ = ["Animation", "FrameEncoder", "FramesHash", "holds_frames"]

_EVEN = {"webp"}
"""Formats in which rectangles begin at even positions."""


@dataclass(frozen=True)
class Animation:
    """The frames of a file.

    Attributes:
        milliseconds: time for which each frame is shown.
        plays: number of times to play them; 0: without end.
        alpha: True if a frame is transparent somewhere; all frames then get alpha.
        gray: True if all frames are gray.
        neutral: True if all frames have three equal channels.
        content_sha256: hash of the pixels of all frames.
        notes: conversions and losses on reading, one sentence each.
    """

    milliseconds: tuple[float, ...]
    plays: int
    alpha: bool
    gray: bool
    neutral: bool
    content_sha256: str
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.milliseconds)

    def alike(self, picture: Picture) -> Picture:
        """Return a frame with the channels that all frames have."""
        alpha = picture.alpha if self.alpha else None
        if self.alpha and alpha is None:
            alpha = np.full(picture.pixels.shape[:2], most(picture.pixels), picture.pixels.dtype)
        return replace(picture, alpha=alpha, gray=self.gray)


class FramesHash:
    """The `content_sha256` of several frames: their RGB and alpha, however they are stored.

    Args:
        size: width and height of the frames.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._digest = hashlib.sha256("frames {}x{}\n".format(*size).encode())

    def add(self, picture: Picture) -> None:
        """Add the next frame, which has 8 bits per channel."""
        self._digest.update(_four_channels(picture).tobytes())

    def hexdigest(self) -> str:
        """Return the hash of the frames so far."""
        return self._digest.hexdigest()


def _four_channels(picture: Picture) -> Pixels:
    alpha = picture.alpha
    if alpha is None:
        alpha = np.full(picture.pixels.shape[:2], 255, np.uint8)
    return np.dstack((picture.pixels, alpha))


def holds_frames(image_format: Format) -> bool:
    """Tell whether a format holds several frames."""
    return image_format in ANIMATED


class FrameEncoder:
    """Encodes frames one after another; only the first and the last one stay in memory.

    Args:
        image_format: format of the file, which holds several frames.
        quality: quality of lossy formats, 1 to 100.
        lossless: write a lossless WebP.

    Attributes:
        lost: notes on what the format cannot store, one sentence each.
    """

    def __init__(self, image_format: Format, quality: int, *, lossless: bool) -> None:
        self._writer, self._assemble = WRITABLE[image_format], ANIMATED[image_format]
        self._settings = EncoderSettings(quality, lossless=lossless)
        self._step = 2 if image_format in _EVEN else 1
        self._frames: list[StoredFrame] = []
        self._first: Picture | None = None
        self._last: Pixels | None = None
        self._hash: FramesHash | None = None
        self.lost: list[str] = []

    def add(self, picture: Picture, milliseconds: float) -> None:
        """Add the next frame, of the size of the first one and with the same channels.

        Raises:
            UsageError: the frame has 16 bits per channel.
            ImageError: the size does not fit the format.
        """
        if picture.bits > 8:
            raise UsageError("several frames of 16 bits per channel: expected 8 bits")
        if self._hash is None or self._first is None:
            self._hash, self._first = FramesHash(picture.size), picture
            _, self.lost = self._writer.fitted(picture)
        self._hash.add(picture)
        values = _four_channels(picture)
        rows, columns = self._changed(values)
        self._last = values
        part = replace(
            picture,
            pixels=np.ascontiguousarray(picture.pixels[rows, columns]),
            alpha=None
            if picture.alpha is None
            else np.ascontiguousarray(picture.alpha[rows, columns]),
            metadata=Metadata(),
        )
        still = self._still(part, None)
        self._frames.append(StoredFrame(columns.start, rows.start, part.size, milliseconds, still))

    def _still(self, picture: Picture, xmp: Packet | None) -> bytes:
        held, _ = self._writer.fitted(picture)
        self._writer.check_writable(held, self._settings)
        return self._writer.write(held, self._settings, xmp, lambda _: "")

    def _changed(self, values: Pixels) -> tuple[slice, slice]:
        """Return the rows and columns of the rectangle that differs from the last frame."""
        height, width = values.shape[:2]
        if self._last is None:
            return slice(0, height), slice(0, width)
        differs = (values != self._last).any(axis=2)
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return slice(0, 1), slice(0, 1)
        top, left = (int(each[0]) // self._step * self._step for each in (rows, columns))
        return slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)

    def finish(self, plays: int, xmp: Packet | None) -> bytes:
        """Return the file.

        Args:
            plays: number of times to play the frames; 0: without end.
            xmp: function that makes the XMP packet from the `content_sha256` of the frames; None:
                the packet of the first frame.
        """
        assert self._first is not None and self._hash is not None  # noqa: S101, PT018
        sha256 = self._hash.hexdigest()
        first = self._still(self._first, None if xmp is None else lambda _: xmp(sha256))
        return self._assemble(first, self._frames, plays)
