"""Comparison of a pair as one self-contained HTML file, which loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from irncli.comparison.numbers import Numbers
from irncli.comparison.pair import Pair, Side
from irncli.comparison.views import Place, Views, detail_side
from irncli.io.encoding import Format, encode
from irncli.io.picture import Metadata, Picture
from irncli.pixels import Pixels

__all__ = ["page"]

LARGEST_SIDE, LARGEST_AREA = 4096, 4 << 20
"""Largest side and area of an image on the page, in pixels.

Larger images are shrunk by a whole number.
"""
LOSSLESS_AREA = 1 << 20
"""Largest area in pixels of an image that is embedded as PNG; larger ones are WebP."""
QUALITY = 90

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class _Embedding:
    """The way in which images are embedded in the page.

    Attributes:
        shrink: whole number by which images are shrunk.
        format: `png` or `webp`.
    """

    shrink: int
    format: Format

    @classmethod
    def of(cls, size: tuple[int, int]) -> _Embedding:
        width, height = size
        shrink = 1
        while _exceeds(-(-width // shrink), -(-height // shrink)):
            shrink += 1
        area = -(-width // shrink) * -(-height // shrink)
        return cls(shrink, "png" if area <= LOSSLESS_AREA else "webp")

    @property
    def remark(self) -> str:
        """Remark for the reader of the page; "" if there is none."""
        if self.format == "png":
            return ""
        size = f"at 1/{self.shrink} of their size, " if self.shrink > 1 else ""
        return (
            f"shown {size}as WebP of quality {QUALITY}; "
            "numbers and details are those of the original images"
        )

    def uri(self, pixels: Pixels, profile: bytes | None = None) -> str:
        """Return the data: URI of an image."""
        return _uri(pixels, self.format, profile)


def _exceeds(width: int, height: int) -> bool:
    return max(width, height) > LARGEST_SIDE or width * height > LARGEST_AREA


def _uri(pixels: Pixels, image_format: Format, profile: bytes | None = None) -> str:
    picture = Picture(np.ascontiguousarray(pixels), metadata=Metadata(icc=profile))
    data = encode(picture, image_format=image_format, quality=QUALITY)
    return f"data:image/{image_format};base64,{base64.b64encode(data).decode()}"


def page(pair: Pair, numbers: Numbers, *, crops: int, gain: int | None, version: str) -> bytes:
    """Return the HTML page of a pair: a slider between A and B, their difference, details, numbers.

    The content security policy of the page allows only the images, the style and the script that it
    contains. Large images are shown smaller and with a lossy codec, and the page says so. A and B
    keep their colour profiles.

    Args:
        pair: the images.
        numbers: measurements of the pair.
        crops: number of details.
        gain: factor that amplifies the difference; None: chosen so that it is clearly visible.
        version: version of irn.
    """
    side = detail_side(pair.size)
    views = Views.of(pair, numbers, crops=crops, side=side, gain=gain)
    embedding = _Embedding.of(pair.size)
    first, second, difference = views.whole(embedding.shrink)
    style, script = (_asset(name).strip() for name in ("page.css", "page.js"))
    filled = Template(_asset("page.html")).substitute(
        policy=_policy(style, script),
        style=style,
        script=script,
        title=f"{_text(pair.a.name)} and {_text(pair.b.name)}",
        name_a=_text(pair.a.name),
        name_b=_text(pair.b.name),
        verdict=_verdict(numbers),
        gain=views.gain,
        width=first.shape[1],
        height=first.shape[0],
        image_a=embedding.uri(first, pair.a.profile),
        image_b=embedding.uri(second, pair.b.profile),
        image_difference=embedding.uri(difference),
        frames=_frames(views, embedding.shrink),
        frames_switch=_switch(views),
        remarks=_remarks([*pair.notes, embedding.remark]),
        details=_details(
            views, first.shape[1] * embedding.shrink, first.shape[0] * embedding.shrink
        ),
        rows=_rows(pair, numbers),
        version=_text(version),
    )
    return filled.encode()


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    """Escape text for use between tags and in attributes."""
    return escape(text, quote=True)


def _policy(style: str, script: str) -> str:
    """Return a policy that allows only embedded images, and style and script with these hashes."""
    allowed = [
        "default-src 'none'",
        "img-src data:",
        f"style-src '{_hash(style)}'",
        f"script-src '{_hash(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(allowed)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _verdict(numbers: Numbers) -> str:
    return _text("; ".join(f"{what}: {figures}" for what, figures in numbers.lines()[:2]))


def _frames(views: Views, shrink: int) -> str:
    """Return the frames of the details as an SVG, in pixels of the images."""
    width, height = (-(-side // shrink) * shrink for side in views.pair.size)
    rectangles = "".join(
        f'<rect x="{place.x}" y="{place.y}" width="{place.side}" height="{place.side}" '
        f'stroke="{place.colour}"/>'
        for place in views.places
    )
    return (
        f'<svg class="frames" viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'aria-hidden="true">{rectangles}</svg>'
    )


def _switch(views: Views) -> str:
    if not views.places:
        return ""
    box = '<input type="checkbox" name="frames" checked>'
    return f'<label class="switch">{box} Mark the details</label>'


def _details(views: Views, width: int, height: int) -> str:
    """Return a figure for each detail, which shows it in A, in B, and as a difference."""
    if not views.places:
        return ""
    figures = "\n".join(_figure(views, place, width, height) for place in views.places)
    title = "<h2>Where they differ most</h2>"
    return f'<section>\n{title}\n<div class="details">\n{figures}\n</div>\n</section>'


def _figure(views: Views, place: Place, width: int, height: int) -> str:
    pair = views.pair
    names = ("A", "B", f"&times;{views.gain}")
    profiles = (pair.a.profile, pair.b.profile, None)
    shown = "".join(
        f'<div><img alt="{name}" width="{place.side}" height="{place.side}" '
        f'src="{_uri(pixels, "png", profile)}">{name}</div>'
        for name, pixels, profile in zip(names, views.details(place), profiles, strict=True)
    )
    middle = place.side / 2
    return (
        "<figure><figcaption>"
        f'<svg viewBox="0 0 22 22" aria-hidden="true"><rect width="22" height="22" rx="6" '
        f'fill="{place.colour}"/><text x="11" y="16">{place.number}</text></svg>'
        f"{place.side} &times; {place.side} pixels at {place.x}, {place.y}"
        f'<button type="button" data-x="{(place.x + middle) / width:.6f}" '
        f'data-y="{(place.y + middle) / height:.6f}" '
        f'aria-label="Show place {place.number} in the images">Show</button></figcaption>'
        f'<div class="trio">{shown}</div></figure>'
    )


def _rows(pair: Pair, numbers: Numbers) -> str:
    lines = [("A", _described(pair.a)), ("B", _described(pair.b)), *numbers.lines()]
    return "\n".join(
        f'<tr><th scope="row">{_text(what)}</th><td>{_text(figures)}</td></tr>'
        for what, figures in lines
    )


def _described(side: Side) -> str:
    return f"{side.name}, {side.size[0]}x{side.size[1]}, {side.bits} bits"


def _remarks(remarks: Sequence[str]) -> str:
    """Return a list of what was done to the images in order to compare and show them."""
    items = "".join(f"<li>{_text(remark)}</li>" for remark in remarks if remark)
    return f'<ul class="remarks">{items}</ul>' if items else ""
