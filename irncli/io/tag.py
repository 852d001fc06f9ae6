"""The tag that describes an LR file: properties in the XMP packet of the file.

    <rdf:Description xmlns:irn="urn:irn:tag:1" irn:format="1" irn:task="rescale" ... />

Properties of other programs are kept. A tag is untrusted input: every value is checked before it is
used.
"""

from __future__ import annotations

import base64
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from irncli.errors import TagError
from irncli.geometry import Blocks, lr_size, unpack
from irncli.io.xmp import (
    META,
    RDF,
    descriptions,
    parse,
    rdf_of,
    remove_properties,
    serialise,
    serialise_unless_empty,
)
from irncli.limits import MAX_SCALE

__all__ = ["FORMAT", "PLAIN", "Tag", "embed", "extract", "remove"]

FORMAT = 3
"""Newest format of a tag. A tag is written in the oldest format that can represent the tag: 1, 2 if
blocks are marked, 3 if the file has several frames."""
NAMESPACE = "urn:irn:tag:1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
TASKS = ("rescale", "color", "plain")
MAX_ICC_BYTES = 4 << 20
MAX_BICUBIC_BYTES = 16 << 10
MAX_FRAMES = 1 << 24
MAX_MARKS = 4 << 20
"""Longest text of the marks of all frames, in characters."""

PLAIN: dict[str, Any] = {
    "task": "plain",
    "model": "plain",
    "weights_sha256": "0" * 64,
    "scale": 1.0,
    "bits": 8,
    "temperature": 0.0,
}
"""Fields of the tag of a file that contains the image itself."""

_PREFIXES = {"irn": NAMESPACE}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise TagError(f"the irn tag of this file is not usable: {message}")


@dataclass(frozen=True, kw_only=True)
class Tag:
    """The data that are needed to restore an image.

    Attributes:
        task: `rescale`, `color`, or `plain`, which means that the file is the image itself.
        model: name of the model.
        weights_sha256: SHA-256 of the weights of the model.
        scale: HR size over LR size, 1 to 64; may be a fraction.
        hr_size: width and height of the image in pixels.
        bits: bits per channel of the image, 8 or 16.
        content_sha256: `content_sha256` of the LR file.
        temperature: default temperature when z is drawn, 0 to 100.
        gray: True if the image has one channel.
        restorer: name of the model that undoes the codec of LR; "": none.
        restorer_sha256: SHA-256 of the weights of the restorer; "" without a restorer.
        icc: colour profile of an image whose LR is gray and cannot store the profile itself.
        neutral: True if the image has three equal channels.
        bicubic: bitmap of the blocks of LR to restore without the network, made by `geometry.pack`;
            b"": none.
        tint: values to add to R, G and B of the gray image in these blocks, in code values.
        frames: number of frames of the file.
        marks: `neutral`, `bicubic` and `tint` of each frame, which have no value of their own then;
            see `_marks_of`. Empty: no frame has any.

    Raises:
        TagError: a value is not valid.
    """

    task: str
    model: str
    weights_sha256: str
    scale: float
    hr_size: tuple[int, int]
    bits: int
    content_sha256: str
    temperature: float
    gray: bool = False
    restorer: str = ""
    restorer_sha256: str = ""
    icc: bytes = b""
    neutral: bool = False
    bicubic: bytes = b""
    tint: tuple[float, float, float] | None = None
    frames: int = 1
    marks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(self.task in TASKS, f"unknown task {self.task[:40]!r}")
        names = [self.model] + [self.restorer] * bool(self.restorer)
        for name in names:
            _require(_NAME.fullmatch(name) is not None, f"model {name[:40]!r} is not a valid name")
        hashes = [self.weights_sha256, self.content_sha256]
        hashes += [self.restorer_sha256] * bool(self.restorer or self.restorer_sha256)
        for value in hashes:
            _require(_HASH.fullmatch(value) is not None, f"{value[:40]!r} is not a SHA-256")
        _require(len(self.icc) <= MAX_ICC_BYTES, f"a profile of {len(self.icc)} bytes")
        _require(math.isfinite(self.scale) and 1 <= self.scale <= MAX_SCALE, f"scale {self.scale}")
        width, height = self.hr_size
        plausible = min(width, height) > 0 and width * height <= 10**10
        _require(plausible, f"image of {width}x{height}")
        _require(self.bits in (8, 16), f"{self.bits} bits")
        _require(0 <= self.temperature <= 100, f"temperature {self.temperature}")
        _require(1 <= self.frames <= MAX_FRAMES, f"{self.frames} frames")
        _require(len(self.marks) in (0, self.frames), "marks and frames disagree")
        if self.bicubic or self.tint is not None:
            self._check_blocks()

    @classmethod
    def of_frames(cls, tags: Sequence[Tag]) -> Tag:
        """Return the tag of a file of several frames, given the tag of each of them."""
        marks = tuple(_marks_of(tag) for tag in tags)
        return replace(
            tags[0], neutral=False, bicubic=b"", tint=None, frames=len(tags),
            marks=marks if any(mark != _NO_MARKS for mark in marks) else (),
        )  # fmt: skip

    def of_frame(self, number: int | None) -> Tag:
        """Return the tag of one of several frames; a frame that is not known has no marks.

        Raises:
            TagError: the marks of the frame are not valid.
        """
        if self.frames == 1:
            return self
        known = number is not None and number < len(self.marks)
        mark = self.marks[number] if known and number is not None else _NO_MARKS
        return replace(self, frames=1, marks=(), **_fields_of(mark))

    def _check_blocks(self) -> None:
        _require(bool(self.bicubic), "a tint without blocks")
        _require(self.task != "plain", "blocks of a plain image")
        _require((self.task == "color") == (self.tint is not None), "blocks and tint disagree")
        tint = self.tint or (0.0,)
        _require(all(abs(value) <= 255 for value in tint), f"tint {tint}")
        _require(len(self.bicubic) <= MAX_BICUBIC_BYTES, f"{len(self.bicubic)} bytes of blocks")
        try:
            blocks = unpack(self.bicubic, lr_size(self.hr_size, self.scale))
        except ValueError as error:
            raise TagError(f"the bitmap in the irn tag of this file is damaged: {error}") from error
        _require(bool(blocks.any()), "a bitmap without blocks")

    @property
    def format(self) -> int:
        """Oldest format that can represent this tag."""
        if self.frames > 1:
            return 3
        return 2 if self.bicubic else 1

    @property
    def blocks(self) -> Blocks | None:
        """Blocks of LR to restore without the network; None if there are none."""
        if not self.bicubic:
            return None
        return unpack(self.bicubic, lr_size(self.hr_size, self.scale))

    def as_record(self) -> dict[str, Any]:
        """Return the tag as a record for JSON, with stable keys."""
        return {
            "format": self.format,
            "task": self.task,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "scale": self.scale,
            "hr_size": list(self.hr_size),
            "bits": self.bits,
            "content_sha256": self.content_sha256,
            "sampling": {"temperature": self.temperature},
            "gray": self.gray,
            "restorer": self.restorer or None,
            "restorer_sha256": self.restorer_sha256 or None,
            "neutral": self.neutral,
            "bicubic_share": round(self._bicubic_share, 4),
            **({"frames": self.frames} if self.frames > 1 else {}),
        }

    @property
    def _bicubic_share(self) -> float:
        """Share of blocks to restore without the network, 0 to 1; of frames, their mean."""
        if self.marks:
            shares = [self.of_frame(number)._bicubic_share for number in range(self.frames)]
            return sum(shares) / len(shares)
        return 0.0 if self.blocks is None else float(self.blocks.mean())

    def _properties(self) -> dict[str, str]:
        width, height = self.hr_size
        values: dict[str, object] = {
            "format": self.format,
            "task": self.task,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "scale": repr(float(self.scale)),
            "hr_width": width,
            "hr_height": height,
            "bits": self.bits,
            "content_sha256": self.content_sha256,
            "temperature": repr(float(self.temperature)),
        }
        optional = {
            "gray": "1" if self.gray else "",
            "restorer": self.restorer,
            "restorer_sha256": self.restorer_sha256,
            "icc": base64.b64encode(self.icc).decode(),
            "neutral": "1" if self.neutral else "",
            "bicubic": base64.b64encode(self.bicubic).decode(),
            "tint": "" if self.tint is None else " ".join(map(repr, self.tint)),
            "frames": "" if self.frames == 1 else self.frames,
            "marks": " ".join(self.marks),
        }
        values |= {key: value for key, value in optional.items() if value}
        return {f"{{{NAMESPACE}}}{key}": str(value) for key, value in values.items()}


def _ours(key: str) -> bool:
    return key.startswith(f"{{{NAMESPACE}}}")


def extract(xmp: bytes | None) -> Tag | None:
    """Return the tag in an XMP packet; None if there is none.

    Raises:
        TagError: the tag has a newer format, is damaged, or has invalid values.
    """
    if not xmp or NAMESPACE.encode() not in xmp:
        if xmp and b"urn:irn:tag:" in xmp:
            raise TagError("the irn tag of this file has a newer format: update irn")
        return None
    found: dict[str, str] = {}
    for description in descriptions(parse(xmp)):
        found |= {k: v for k, v in description.attrib.items() if _ours(k)}
        found |= {child.tag: child.text or "" for child in description if _ours(child.tag)}
    values = {key.partition("}")[2]: value for key, value in found.items()}
    if not values:
        return None
    version = values.get("format", "none")
    if version not in ("1", "2", "3"):
        raise TagError(
            f"the irn tag of this file has format {version[:20]}, "
            f"this irn reads format {FORMAT} at most: update irn"
        )
    tag = _tag(values)
    _require(str(tag.format) == version, f"format {version} does not fit the content")
    return tag


def _tag(values: dict[str, str]) -> Tag:
    try:
        return Tag(
            task=values["task"],
            model=values["model"],
            weights_sha256=values["weights_sha256"],
            scale=float(values["scale"][:40]),
            hr_size=(int(values["hr_width"][:20]), int(values["hr_height"][:20])),
            bits=int(values["bits"][:20]),
            content_sha256=values["content_sha256"],
            temperature=float(values["temperature"][:40]),
            gray=values.get("gray", "") == "1",
            restorer=values.get("restorer", ""),
            restorer_sha256=values.get("restorer_sha256", ""),
            icc=base64.b64decode(values.get("icc", ""), validate=True),
            neutral=values.get("neutral", "") == "1",
            bicubic=base64.b64decode(values.get("bicubic", ""), validate=True),
            tint=_tint(values.get("tint", "")),
            frames=int(values.get("frames", "1")[:20]),
            marks=tuple(values.get("marks", "")[:MAX_MARKS].split()),
        )
    except KeyError as error:
        raise TagError(f"the irn tag of this file lacks {error.args[0]}") from error
    except ValueError as error:
        if isinstance(error, TagError):
            raise
        raise TagError(f"the irn tag of this file is damaged: {error}") from error


def _tint(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    red, green, blue = (float(part) for part in text[:100].split())
    return red, green, blue


_NO_MARKS = "-"


def _marks_of(tag: Tag) -> str:
    """Return what differs between frames as a word: neutral, bitmap of blocks, tint."""
    parts = (
        "n" * tag.neutral,
        base64.b64encode(tag.bicubic).decode(),
        "" if tag.tint is None else ",".join(map(repr, tag.tint)),
    )
    return "|".join(parts) if any(parts) else _NO_MARKS


def _fields_of(mark: str) -> dict[str, Any]:
    """Return the fields of a word of `_marks_of`.

    Raises:
        TagError: the word is not valid.
    """
    if mark == _NO_MARKS:
        return {}
    try:
        neutral, bicubic, tint = mark.split("|")
        return {
            "neutral": neutral == "n",
            "bicubic": base64.b64decode(bicubic, validate=True),
            "tint": _tint(tint.replace(",", " ")),
        }
    except ValueError as error:
        raise TagError(f"the irn tag of this file is damaged: {error}") from error


def embed(xmp: bytes | None, tag: Tag) -> bytes:
    """Return an XMP packet with a tag, which replaces any previous tag.

    Args:
        xmp: packet to add the tag to; None: a new packet is created.
        tag: tag to add.

    Raises:
        TagError: the packet cannot be read or becomes too large.
    """
    root = parse(xmp) if xmp else ET.Element(f"{{{META}}}xmpmeta")
    remove_properties(root, _ours)
    rdf = rdf_of(root)
    if rdf is None:
        rdf = ET.SubElement(root, f"{{{RDF}}}RDF")
    attributes = {f"{{{RDF}}}about": "", **tag._properties()}
    ET.SubElement(rdf, f"{{{RDF}}}Description", attributes)
    return serialise(root, _PREFIXES)


def remove(xmp: bytes | None) -> bytes | None:
    """Return an XMP packet without the tag; None if nothing is left.

    Raises:
        TagError: the packet contains a tag but cannot be read.
    """
    if not xmp or NAMESPACE.encode() not in xmp:
        return xmp
    root = parse(xmp)
    remove_properties(root, _ours)
    return serialise_unless_empty(root, _PREFIXES)
