"""Preparation of two images for comparison: upright, on white, with equal depth and size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from irncli.engine.rescaler import bicubic, resize_plane
from irncli.errors import DataError
from irncli.geometry import lr_size
from irncli.io.metadata import orientation_of
from irncli.io.picture import Picture
from irncli.limits import MAX_SCALE
from irncli.pixels import Pixels, bits_of, most, to_bits

__all__ = ["Pair", "Side", "paired", "scale_between"]

LEAST_SCALE = 1.2
"""Smallest scale between two sizes; a smaller difference is taken for cropping."""
_WHITE = "transparent areas are shown on white"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two images.

    Attributes:
        name: name to show, on one line.
        size: width and height of the original image after it was turned upright.
        bits: bits per channel of the original image.
        pixels: RGB for comparison with the other image, uint8 or uint16 [H, W, 3].
        alpha: alpha [H, W] of the same type; None if neither image has visible alpha.
        profile: ICC profile of the pixels; None if there is none for RGB.
    """

    name: str
    size: tuple[int, int]
    bits: int
    pixels: Pixels
    alpha: Pixels | None
    profile: bytes | None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images of equal depth and size.

    Attributes:
        a: the first image.
        b: the second image.
        scale: scale by which one of the images was enlarged; None: both had the same size.
        notes: what was done in order to compare the images, one sentence each.
    """

    a: Side
    b: Side
    scale: float | None
    notes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images that are compared."""
        return self.a.pixels.shape[1], self.a.pixels.shape[0]

    @property
    def bits(self) -> int:
        """Bits per channel at which both are compared: 8 or 16."""
        return bits_of(self.a.pixels)

    @property
    def profile(self) -> bytes | None:
        """ICC profile that both images have in common; None if there is none."""
        return self.a.profile if self.a.profile == self.b.profile else None


def paired(first: tuple[str, Picture], second: tuple[str, Picture]) -> Pair:
    """Return two images prepared for comparison.

    Each image is turned as its EXIF says, and transparent areas are placed on white. If one image
    has 16 bits, both are compared at 16 bits. If one image has the size of a downscaled version of
    the other, it is enlarged bicubically: for a whole scale, to its size times the scale and then
    cropped; for any other scale, directly to the size of the other image.

    Args:
        first: name and image.
        second: name and image.

    Raises:
        DataError: neither size is that of a downscaled version of the other.
    """
    names = first[0], second[0]
    notes: list[str] = []
    pictures = [
        _upright(p, name, notes) for name, p in zip("AB", (first[1], second[1]), strict=True)
    ]
    a, b = pictures
    scale = _checked_scale(a.size, b.size)
    bits = max(a.bits, b.bits)
    notes += _differences_in_kind(a, b)
    transparent = not (a.opaque and b.opaque)
    sides = []
    for letter, name, picture, other in zip("AB", names, (a, b), (b, a), strict=True):
        pixels = to_bits(_on_white(picture), bits)
        alpha = to_bits(_alpha(picture), bits) if transparent else None
        if scale is not None and picture.size[0] * picture.size[1] < other.size[0] * other.size[1]:
            notes.append(f"{letter} was enlarged x{scale:g} bicubically, to the size of the other")
            pixels = _enlarged(pixels, other.size, scale)
            alpha = None if alpha is None else _enlarged(alpha, other.size, scale)
        sides.append(Side(name, picture.size, picture.bits, pixels, alpha, _rgb_profile(picture)))
    return Pair(sides[0], sides[1], scale, tuple(notes))


def _differences_in_kind(a: Picture, b: Picture) -> list[str]:
    """Return notes on properties other than size that affect the comparison."""
    notes = []
    if a.bits != b.bits:
        deep, flat = ("A", "B") if a.bits > b.bits else ("B", "A")
        notes.append(f"{deep} has 16 bits per channel, {flat} has 8: they are compared at 16")
    if a.gray and b.gray:
        notes.append("both are gray: they are compared as RGB with equal channels")
    elif a.gray or b.gray:
        notes.append(f"{'A' if a.gray else 'B'} is gray: it is compared as RGB with equal channels")
    clear = [letter for letter, one in zip("AB", (a, b), strict=True) if not one.opaque]
    if clear:
        notes.append(
            f"{' and '.join(clear)} {'has' if len(clear) == 1 else 'have'} alpha: {_WHITE}"
        )
    if a.metadata.icc != b.metadata.icc:
        notes.append("their colour profiles differ: values are compared as they are stored")
    return notes


def _upright(picture: Picture, letter: str, notes: list[str]) -> Picture:
    """Return an image turned as its EXIF says; add a note if it was turned."""
    turned = orientation_of(picture.metadata.exif)
    if turned == 1:
        return picture
    notes.append(f"{letter} was turned upright, as its EXIF says")
    alpha = None if picture.alpha is None else _turned(picture.alpha, turned)
    return Picture(_turned(picture.pixels, turned), alpha, picture.gray, picture.metadata)


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Turn pixels [H, W, ...] with an EXIF orientation upright."""
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels)


def _alpha(picture: Picture) -> Pixels:
    if picture.alpha is not None:
        return picture.alpha
    return np.full(picture.pixels.shape[:2], most(picture.pixels), picture.pixels.dtype)


def _on_white(picture: Picture) -> Pixels:
    """Return the pixels of an image composited on white."""
    if picture.opaque:
        return picture.pixels
    white = most(picture.pixels)
    seen = np.empty_like(picture.pixels)
    # Row by row, so that no wider copy of an image is made. No sum exceeds 32 bits.
    for row, values, cover in zip(seen, picture.pixels, _alpha(picture), strict=True):
        share = cover[:, None].astype(np.uint32)
        row[...] = (values * share + white * (white - share) + white // 2) // white
    return seen


def _checked_scale(a: tuple[int, int], b: tuple[int, int]) -> float | None:
    if a == b:
        return None
    large, small = (a, b) if a[0] * a[1] > b[0] * b[1] else (b, a)
    scale = scale_between(large, small)
    if scale is None:
        raise DataError(
            f"A is {a[0]}x{a[1]}, B is {b[0]}x{b[1]}: expected equal sizes, or one image that is "
            "the other downscaled; crop or resize one of them first"
        )
    return scale


def scale_between(large: tuple[int, int], small: tuple[int, int]) -> float | None:
    """Return the scale with the fewest digits at which one size is the LR size of the other.

    Law: lr_size(large, scale) == small.

    Args:
        large: width and height in pixels.
        small: width and height in pixels.

    Returns:
        The scale, from LEAST_SCALE to MAX_SCALE; None if there is none.
    """
    least = max(LEAST_SCALE, *(big / little for big, little in zip(large, small, strict=True)))
    for digits in range(7):
        unit = 10**digits
        scale: float = math.ceil(least * unit - 1e-6) / unit
        if scale <= MAX_SCALE and lr_size(large, scale) == small:
            return scale
    return None


def _enlarged(pixels: Pixels, size: tuple[int, int], scale: float) -> Pixels:
    """Enlarge LR [h, w, 3] or [h, w] to the size of HR, aligned as irn aligns LR and HR."""
    width, height = size
    tall, wide = height, width
    if scale == int(scale):
        tall, wide = (side * int(scale) for side in pixels.shape[:2])
    resized = resize_plane(pixels, tall, wide) if pixels.ndim == 2 else bicubic(pixels, tall, wide)
    return np.ascontiguousarray(resized[:height, :width])


def _rgb_profile(picture: Picture) -> bytes | None:
    icc = picture.metadata.icc
    return icc if icc is not None and icc[16:20] == b"RGB " else None
