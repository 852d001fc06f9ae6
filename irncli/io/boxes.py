"""What is in the boxes of JPEG 2000, AVIF and HEIC files, and Pillow does not say.

Source: ITU-T T.800, annex I.5.3.3, and ISO/IEC 14496-12, section 12.1.5, for the colr box; XMP,
part 3, section 1.1.5, for XMP in JPEG 2000; ITU-T H.273 for the code points; PNG, third edition,
section 11.3.2.6, for the chunk that holds them.
"""

from __future__ import annotations

from irncli.io.png import Chunk

__all__ = ["boxed_metadata", "code_points"]

_METHODS_WITH_PROFILE = (2, 3)
_SMALLEST_PROFILE = 128
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_EXIF = b"JpgTiffExif->JP2"
_NAMED = b"colrnclx"
_USUAL_PRIMARIES, _USUAL_TRANSFERS = (1, 2), (1, 2, 6, 13)
"""Those of sRGB, those that viewers show in the same way, and what is not said."""
_RGB, _FULL_RANGE = 0, 1


def boxed_metadata(data: bytes) -> dict[str, bytes]:
    """Profile, XMP and EXIF of a JPEG 2000 file, as Pillow would name them."""
    exif = _of_uuid(data, _EXIF)
    found = {
        "icc_profile": _profile(data),
        "xmp": _of_uuid(data, _XMP),
        "exif": exif and b"Exif\0\0" + exif,
    }
    return {name: value for name, value in found.items() if value}


def _of_uuid(data: bytes, uuid: bytes) -> bytes | None:
    at = data.find(b"uuid" + uuid)
    if at < 4:
        return None
    length = int.from_bytes(data[at - 4 : at], "big")
    # No length: to the end of the file.
    return data[at + 4 + len(uuid) : at - 4 + length if length else None] or None


def _profile(data: bytes) -> bytes | None:
    at = data.find(b"colr")
    if at < 4 or len(data) < at + 7 or data[at + 4] not in _METHODS_WITH_PROFILE:
        return None
    end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
    # Between the method and the profile: precedence and approximation.
    profile = data[at + 7 : end]
    whole = len(profile) >= _SMALLEST_PROFILE and int.from_bytes(profile[:4], "big") == len(profile)
    return profile if whole else None


def code_points(data: bytes) -> tuple[Chunk, ...]:
    """The colours of an AVIF or HEIC file that are not those of sRGB, as a PNG says it.

    Where a file has a profile that counts instead.
    """
    at = data.find(_NAMED)
    if at < 0 or len(data) < at + 15:
        return ()
    primaries, transfer = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (8, 10))
    usual = primaries in _USUAL_PRIMARIES and transfer in _USUAL_TRANSFERS
    if usual or max(primaries, transfer) > 255:
        return ()
    return ((b"cICP", bytes((primaries, transfer, _RGB, _FULL_RANGE))),)
