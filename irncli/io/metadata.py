"""Validation and stripping of image metadata."""

from __future__ import annotations

from PIL import Image

from irncli.io.libraries import DECODER_ERRORS, DEEP_MODES
from irncli.io.picture import COLOUR_CHUNKS, Metadata

__all__ = ["ORIENTATION", "checked_exif", "dpi_of", "orientation_of", "profile_of", "stripped"]

ORIENTATION = 0x0112
MAX_PROFILE = 4 << 20


def stripped(metadata: Metadata) -> Metadata:
    """Keep only metadata that affects how pixels are shown: profile, gamma and orientation."""
    chunks = tuple(chunk for chunk in metadata.chunks if chunk[0] in COLOUR_CHUNKS)
    return Metadata(icc=metadata.icc, exif=_orientation(metadata.exif), chunks=chunks)


def _orientation(exif: bytes | None) -> bytes | None:
    """Return EXIF with only the orientation; None if the image need not be turned."""
    kept = Image.Exif()
    kept[ORIENTATION] = turned = orientation_of(exif)
    return kept.tobytes() if turned > 1 else None


def orientation_of(exif: bytes | None) -> int:
    """Return the EXIF orientation, 1 to 8; 1, upright, is the default."""
    if exif is None:
        return 1
    read = Image.Exif()
    read.load(exif)
    turned = read.get(ORIENTATION, 1)
    return turned if turned in range(2, 9) else 1


def checked_exif(exif: bytes | None, notes: list[str]) -> bytes | None:
    """Return the EXIF data if they can be read; otherwise None, with a note."""
    if exif is None:
        return None
    try:
        Image.Exif().load(exif)
    except DECODER_ERRORS:
        notes.append("its EXIF cannot be read and was left out")
        return None
    return exif


def profile_of(image: Image.Image, notes: list[str], *, gray: bool = False) -> bytes | None:
    """Return the colour profile if it matches the colours of the image; otherwise None.

    A gray image may have a profile for RGB, which formats that store gray as colour can hold.

    Args:
        image: the image.
        notes: receives a sentence if a profile is left out.
        gray: True if the file is gray although its pixels were opened as colour.
    """
    icc = image.info.get("icc_profile")
    if not icc or not isinstance(icc, bytes):
        return None
    if len(icc) > MAX_PROFILE or int.from_bytes(icc[:4], "big") > len(icc):
        notes.append(f"its colour profile, of {len(icc)} bytes, is damaged or too large: left out")
        return None
    space = icc[16:20].decode("ascii", "replace").strip()
    gray = gray or image.mode in ("1", "L", "LA", *DEEP_MODES)
    mine = {"CMYK": ["CMYK"], "LAB": ["Lab"]}.get(image.mode, ["RGB"] + ["GRAY"] * gray)
    if space in mine:
        return icc
    notes.append(f"its colour profile is one for {space or 'nothing'} and was left out")
    return None


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution that a file states; None if it states none."""
    value = image.info.get("dpi")
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    across, down = (float(v) for v in value)
    # Pillow reports one dot per inch if a TIFF does not state a resolution.
    known = 0 < across < 1e6 and 0 < down < 1e6 and (across, down) != (1, 1)
    return (across, down) if known else None
