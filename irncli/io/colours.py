"""Colours that the user names, and images flattened on a colour."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
from PIL import ImageColor

from irncli.errors import UsageError
from irncli.io.picture import Picture
from irncli.pixels import most

__all__ = ["Colour", "flattened", "parse_colour"]

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
_ROWS = 256
"""Number of rows that are flattened at a time, so that little memory is needed."""


def parse_colour(text: str) -> Colour:
    """Return the colour of a CSS name such as `white`, of `#rrggbb`, or of `rgb(255, 255, 255)`.

    Raises:
        UsageError: the text is not an opaque colour.
    """
    found: tuple[int, ...] = ()
    with contextlib.suppress(ValueError):
        found = ImageColor.getrgb(text.strip())
    if len(found) != 3:
        raise UsageError(f"--background {text}: expected a colour such as white or #ffffff")
    red, green, blue = found
    return red, green, blue


def flattened(picture: Picture, colour: Colour) -> Picture:
    """Return an image on a background, without alpha; an image without alpha is returned itself.

    Values are mixed as they are stored, in the colour space of the image. A gray image on a
    background that is not gray becomes a colour image.
    """
    if picture.alpha is None:
        return picture
    top = most(picture.alpha)
    under = np.array(colour, np.uint32) * (top // 255)
    pixels = np.empty_like(picture.pixels)
    for start in range(0, len(pixels), _ROWS):
        rows = slice(start, start + _ROWS)
        alpha = picture.alpha[rows, :, None].astype(np.uint32)
        pixels[rows] = (picture.pixels[rows] * alpha + under * (top - alpha) + top // 2) // top
    gray, metadata, notes = picture.gray and len(set(colour)) == 1, picture.metadata, picture.notes
    if picture.gray and not gray and (metadata.icc or b"")[16:20] == b"GRAY":
        metadata = replace(metadata, icc=None)
        notes = (*notes, "its gray colour profile was left out: the background is not gray")
    return replace(picture, pixels=pixels, alpha=None, gray=gray, metadata=metadata, notes=notes)
