"""Content of an image file besides its main image: videos, gain maps, depth maps, other images.

Source: ISO/IEC 23008-12 for auxiliary images; ISO 21496-1 for gain maps; Ultra HDR image format and
Motion photo format, Google.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["GAIN_MAP", "behind", "behind_end", "further_images", "iso_boxes", "iso_extras"]

GAIN_MAP = "its HDR gain map was left out"
_GAIN_MAP_NAMES = (
    b"ns.adobe.com/hdr-gain-map/", b"urn:iso:std:iso:ts:21496", b"ns.apple.com/HDRGainMap/",
)  # fmt: skip
_JPEG = b"\xff\xd8\xff"
_PADDING = b"\0 \t\r\n"
_MOST_IMAGES = 16
"""Largest number of images behind the first that are looked at, which bounds the time."""
_VIDEO_WITHIN = 256
"""A video begins within this many bytes; some cameras put a name before it."""
_AUXILIARY = re.compile(rb"auxC\0\0\0\0([\x20-\x7e]{1,200})\0")
_TONE_MAPPED = re.compile(rb"infe[\2\3].{3}(?:.{2}|.{4}).{2}tmap", re.DOTALL)


def further_images(count: int) -> list[str]:
    """Return the note that images were left out, if there are any."""
    if count < 1:
        return []
    return [f"{count} other image{'s' * (count > 1)} in the file {_were(count)} left out"]


def behind(
    data: bytes, start: int, end_of_image: Callable[[bytes], int], *, counted: bool, gain_map: bool
) -> list[str]:
    """Return notes on what follows the image in a JPEG file, one sentence each.

    Args:
        data: content of the file.
        start: position at which the image ends.
        end_of_image: function that returns where the JPEG at the beginning of its argument ends.
        counted: True if a note already gives the number of images.
        gain_map: True if the image says that a gain map follows.
    """
    rest, images, maps = data[start:], 0, 0
    while (image := rest.lstrip(_PADDING)).startswith(_JPEG) and images < _MOST_IMAGES:
        end = max(end_of_image(image), len(_JPEG))
        named = any(name in image[:end] for name in _GAIN_MAP_NAMES)
        maps += named or (gain_map and not images)
        images += 1
        rest = image[end:]
    notes = [GAIN_MAP] * bool(maps)
    notes += [] if counted else further_images(images - maps)
    at = rest.find(b"ftyp", 0, len(rest) - len(image) + _VIDEO_WITHIN)
    if at >= 4:
        return [*notes, f"a video of {len(rest) - at + 4} bytes behind the image was left out"]
    return notes + behind_end(rest, 0)


def behind_end(data: bytes, end: int) -> list[str]:
    """Return the note that data behind the end of an image were left out, if there are any."""
    count = len(data[end:].strip(_PADDING))
    if not count:
        return []
    what = f"{count} byte{'s' * (count > 1)} of other data"
    return [f"{what} behind the image {_were(count)} left out"]


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def iso_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, stop) of each box at the top level, up to the first damaged one."""
    position = 0
    while position + 8 <= len(data):
        size, head = int.from_bytes(data[position : position + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        stop = position + size if size else len(data)
        if stop < position + head or stop > len(data):
            return
        yield data[position + 4 : position + 8], position + head, stop
        position = stop


def iso_extras(data: bytes) -> list[str]:
    """Return notes on what a HEIC or AVIF file holds besides its image, one sentence each."""
    types = {found.lower().decode("ascii") for found in _AUXILIARY.findall(data)}
    alpha = {each for each in types if each.endswith((":alpha", ":auxid:1"))}
    depth = {each for each in types if each.endswith((":depth", ":auxid:2"))}
    gain = {each for each in types if "gainmap" in each}
    others = len(types - alpha - depth - gain)
    notes = [GAIN_MAP] * bool(gain or _TONE_MAPPED.search(data))
    notes += ["its depth map was left out"] * bool(depth)
    if others:
        notes.append(
            f"{others} kind{'s' * (others > 1)} of auxiliary images {_were(others)} left out"
        )
    videos = [stop - start for kind, start, stop in iso_boxes(data) if kind == b"mpvd"]
    return notes + [f"a video of {size} bytes in the file was left out" for size in videos]
