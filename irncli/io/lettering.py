"""Text as pixels, in the face that Pillow brings along."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["lettering", "shortened"]

Coverage = NDArray[np.uint8]


def _known(text: str) -> str:
    """Letters without accents, and ? for those that the face does not have: it has ASCII."""
    parts = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()


@cache
def _face(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _width(text: str, size: int) -> int:
    return max(1, round(_face(size).getbbox(text)[2]))


def lettering(text: str, size: int) -> Coverage:
    """How much of each pixel a line of text covers, uint8 [H, W]; H depends on the size alone.

    The face has the letters of ASCII: accents are left out, others become ?.

    Args:
        text: a line.
        size: of the letters, in pixels.
    """
    text = _known(text)
    image = Image.new("L", (_width(text, size), size * 5 // 4))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=_face(size))
    return np.array(image)


def shortened(text: str, size: int, width: int) -> str:
    """A line of text that is `width` pixels wide at most: what is too long loses its middle."""
    text = _known(text)
    if _width(text, size) <= width:
        return text
    kept = len(text) - 1
    while kept > 1 and _width(_without_middle(text, kept), size) > width:
        kept -= 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    return text[: kept - kept // 2] + "..." + text[len(text) - kept // 2 :]
