"""Rendering of text in the font that Pillow includes."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["draw_text", "shortened"]

Coverage = NDArray[np.uint8]


def _known(text: str) -> str:
    """Replace characters that the font lacks: remove accents, and replace others by ?."""
    parts = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode()


@cache
def _face(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _width(text: str, size: int) -> int:
    return max(1, round(_face(size).getbbox(text)[2]))


def draw_text(text: str, size: int) -> Coverage:
    """Draw a line of text and return the coverage of each pixel, uint8 [H, W].

    H depends on the size alone. The font has only ASCII: accents are removed, and other characters
    are replaced by ?.

    Args:
        text: a line of text.
        size: size of the letters in pixels.
    """
    text = _known(text)
    image = Image.new("L", (_width(text, size), size * 5 // 4))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=_face(size))
    return np.array(image)


def shortened(text: str, size: int, width: int) -> str:
    """Shorten a line of text to at most `width` pixels by leaving out its middle."""
    text = _known(text)
    if _width(text, size) <= width:
        return text
    kept = len(text) - 1
    while kept > 1 and _width(_without_middle(text, kept), size) > width:
        kept -= 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    return text[: kept - kept // 2] + "..." + text[len(text) - kept // 2 :]
