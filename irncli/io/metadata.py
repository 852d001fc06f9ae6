"""What a file says beside its pixels: found, judged, and stripped."""

from __future__ import annotations

from PIL import ExifTags, Image

from irncli.io.depth import DEEP_MODES
from irncli.io.picture import Metadata
from irncli.io.plugins import DECODER_ERRORS
from irncli.io.png import COLOUR

__all__ = [
    "dpi_of",
    "exif_of",
    "orientation_of",
    "profile_of",
    "stripped",
]

_ORIENTATION, _X_RESOLUTION, _RESOLUTION_UNIT = 0x0112, 0x011A, 0x0128
_INCH, _CENTIMETRE = 1, 2
"""Units of the density in a JFIF segment."""
# Description, make, model, software, date, artist, copyright.
_DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


def stripped(metadata: Metadata) -> Metadata:
    """What says how the pixels are to be shown (profile, gamma, orientation), and nothing else."""
    chunks = tuple(chunk for chunk in metadata.chunks if chunk[0] in COLOUR)
    return Metadata(icc=metadata.icc, exif=_orientation(metadata.exif), chunks=chunks)


def _orientation(exif: bytes | None) -> bytes | None:
    """EXIF with the orientation of another and nothing else; None where that has none."""
    kept = Image.Exif()
    kept[_ORIENTATION] = turned = orientation_of(exif)
    return kept.tobytes() if turned > 1 else None


def orientation_of(exif: bytes | None) -> int:
    """How the stored pixels are to be turned, 1 to 8; 1, as they are, where nothing is said."""
    if exif is None:
        return 1
    read = Image.Exif()
    read.load(exif)
    turned = read.get(_ORIENTATION, 1)
    return turned if turned in range(2, 9) else 1


def exif_of(image: Image.Image, notes: list[str]) -> bytes | None:
    """Of the file; what is none is left out, and said."""
    exif = image.info.get("exif")
    if not exif or not isinstance(exif, bytes):
        return _tiff_exif(image)
    try:
        Image.Exif().load(exif)
    except DECODER_ERRORS:
        notes.append("its EXIF cannot be read and was left out")
        return None
    return exif


def _tiff_exif(image: Image.Image) -> bytes | None:
    """What a TIFF says of the picture, which in another format is EXIF.

    Not its orientation: of this format alone the decoders turn the pixels upright.
    """
    if image.format != "TIFF":
        return None
    found, kept = image.getexif(), Image.Exif()
    for tag in _DESCRIPTIVE_TAGS:
        if tag in found:
            kept[tag] = found[tag]
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        inside = found.get_ifd(directory)
        if inside:
            kept.get_ifd(directory).update(inside)
    return kept.tobytes() if len(kept) else None


def profile_of(image: Image.Image, notes: list[str]) -> bytes | None:
    """The profile of a file, where it is one for its colours; another is left out, and said."""
    icc = image.info.get("icc_profile")
    if not icc or not isinstance(icc, bytes):
        return None
    space = icc[16:20].decode("ascii", "replace").strip()
    gray = image.mode in ("1", "L", "LA", *DEEP_MODES)
    mine = {"CMYK": ["CMYK"], "LAB": ["Lab"]}.get(image.mode, ["RGB"] + ["GRAY"] * gray)
    if space in mine:
        return icc
    notes.append(f"its colour profile is one for {space or 'nothing'} and was left out")
    return None


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Of the file, where it says something."""
    value = image.info.get("dpi")
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    across, down = (float(v) for v in value)
    # One dot an inch is what Pillow gives where a TIFF says nothing.
    known = 0 < across < 1e6 and 0 < down < 1e6 and (across, down) != (1, 1)
    return (across, down) if known and not _is_invented(image) else None


def _is_invented(image: Image.Image) -> bool:
    """Pillow says 72 of a JPEG that has EXIF and does not say how large it is."""
    by_jfif = image.info.get("jfif_unit") in (_INCH, _CENTIMETRE)
    if image.format not in ("JPEG", "MPO") or by_jfif or image.info["dpi"] != (72, 72):
        return False
    try:
        return not {_X_RESOLUTION, _RESOLUTION_UNIT} <= set(image.getexif())
    except DECODER_ERRORS:
        return True
