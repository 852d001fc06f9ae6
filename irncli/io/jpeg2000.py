"""What Pillow does not say of a JPEG 2000 file: how deep each of its components is.

Source: ITU-T T.800, annex A.5.1, for the SIZ segment; annex I.5.3.3 for the colr box.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Component", "components", "is_sycc"]

_BEGIN = b"\xff\x4f\xff\x51"
"""SOC, which begins a codestream, and SIZ, which comes next."""
_COUNT, _FIRST = 40, 42
_ENUMERATED = b"colr\x01"
_SYCC = 18


@dataclass(frozen=True)
class Component:
    """A component of an image.

    Attributes:
        bits: of a value.
        signed: values are around zero.
        step: pixels from a value to the next, across and down.
    """

    bits: int
    signed: bool
    step: tuple[int, int]


def components(data: bytes) -> tuple[Component, ...]:
    """All of a file, or as many as are left of it; with or without boxes around its codestream."""
    at = data.find(_BEGIN)
    if at < 0:
        return ()
    first = at + _FIRST
    count = int.from_bytes(data[at + _COUNT : first], "big")
    found = data[first : first + 3 * count]
    return tuple(
        Component((depth & 0x7F) + 1, bool(depth & 0x80), (across, down))
        for depth, across, down in zip(found[::3], found[1::3], found[2::3], strict=False)
    )


def is_sycc(data: bytes) -> bool:
    """Whether the boxes say that the components are luma and colour differences."""
    at = data.find(_ENUMERATED)
    # Between the method and the number: precedence and approximation.
    return at >= 0 and int.from_bytes(data[at + 7 : at + 11], "big") == _SYCC
