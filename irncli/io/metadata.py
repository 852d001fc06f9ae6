"""What a file says beside its pixels: found, judged, and stripped."""

from __future__ import annotations

from PIL import ExifTags, Image

from irncli.io.boxes import boxed_metadata, code_points
from irncli.io.depth import DEEP_MODES
from irncli.io.jpeg import has_extended_xmp
from irncli.io.jxl import find_xmp
from irncli.io.picture import Metadata
from irncli.io.plugins import DECODER_ERRORS
from irncli.io.png import COLOUR, XMP_KEYWORD, Chunk, bit_depth, carried_chunks, xmp_in

__all__ = [
    "ORIENTATION",
    "chunks_of",
    "complete",
    "dpi_of",
    "exif_of",
    "left_out",
    "orientation_of",
    "profile_of",
    "stripped",
    "xmp_of",
]

ORIENTATION = 0x0112
_X_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x0128
_INCH, _CENTIMETRE = 1, 2
"""Units of the density in a JFIF segment."""
_EXTRA_SAMPLES, _UNSPECIFIED, _TIFF_IPTC, _PHOTOSHOP_IPTC = 338, 0, 33723, 0x0404
_BY_LIBJXL = b"jxl "
_NAMES_OF_SRGB = tuple(
    name.encode("utf-16-be") for name in ("sRGB", "RGB_D65_SRG_Rel_SRG", "Gra_D65_Rel_SRG")
)
MAX_PROFILE = 4 << 20
# Description, make, model, software, date, artist, copyright.
_DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)


def complete(image: Image.Image, data: bytes) -> None:
    """Put right what Pillow says in `info` of a file that it opened."""
    if image.format == "JPEG2000":
        image.info.update(boxed_metadata(data))
    elif image.format == "JXL" and _is_made_up(image.info.get("icc_profile") or b""):
        del image.info["icc_profile"]
    elif image.format == "PNG" and isinstance(image.info.get("transparency"), int):
        # The values of gray are spread over 8 bits, that of the transparent one is not.
        depth, _ = bit_depth(data)
        if depth < 8 and image.mode == "L":
            image.info["transparency"] *= 255 // ((1 << depth) - 1)


def _is_made_up(icc: bytes) -> bool:
    """The profile that libjxl makes where a file has none, and is in sRGB."""
    return icc[4:8] == _BY_LIBJXL and any(name in icc for name in _NAMES_OF_SRGB)


def chunks_of(image: Image.Image, data: bytes) -> tuple[Chunk, ...]:
    """Text and colours that are stated in chunks of a PNG, or by numbers as in `cICP`."""
    if image.format in ("AVIF", "HEIF"):
        return () if image.info.get("icc_profile") else code_points(data)
    return carried_chunks(data)


def xmp_of(image: Image.Image, data: bytes) -> bytes | None:
    """The packet of a file."""
    packet = image.info.get("xmp") or image.info.get(XMP_KEYWORD.decode())
    if image.format == "JXL":
        packet = find_xmp(data)
    if image.format == "PNG" and not packet:
        packet = xmp_in(data)
    if isinstance(packet, str):
        return packet.encode()
    return packet if isinstance(packet, bytes) else None


def left_out(image: Image.Image, data: bytes) -> list[str]:
    """What a file holds beside its pixels and no other could, a sentence each."""
    jpeg = image.format in ("JPEG", "MPO")
    found = {
        # That of a JPEG 2000 is its encoder's.
        "its comment was left out": (jpeg or image.format == "GIF") and image.info.get("comment"),
        "its IPTC was left out": _iptc(image),
        "its extended XMP, of more than 64 KB, was left out": jpeg and has_extended_xmp(data),
        "a channel beside its colours was left out": image.format == "TIFF"
        and _UNSPECIFIED in image.tag_v2.get(_EXTRA_SAMPLES, ()),  # type: ignore[attr-defined]
    }
    return [sentence for sentence, there in found.items() if there]


def _iptc(image: Image.Image) -> bool:
    if image.format == "TIFF":
        return _TIFF_IPTC in image.tag_v2  # type: ignore[attr-defined]
    resources = image.info.get("photoshop")
    return isinstance(resources, dict) and bool(resources.get(_PHOTOSHOP_IPTC))


def stripped(metadata: Metadata) -> Metadata:
    """What says how the pixels are to be shown (profile, gamma, orientation), and nothing else."""
    chunks = tuple(chunk for chunk in metadata.chunks if chunk[0] in COLOUR)
    return Metadata(icc=metadata.icc, exif=_orientation(metadata.exif), chunks=chunks)


def _orientation(exif: bytes | None) -> bytes | None:
    """EXIF with the orientation of another and nothing else; None where that has none."""
    kept = Image.Exif()
    kept[ORIENTATION] = turned = orientation_of(exif)
    return kept.tobytes() if turned > 1 else None


def orientation_of(exif: bytes | None) -> int:
    """How the stored pixels are to be turned, 1 to 8; 1, as they are, where nothing is said."""
    if exif is None:
        return 1
    read = Image.Exif()
    read.load(exif)
    turned = read.get(ORIENTATION, 1)
    return turned if turned in range(2, 9) else 1


def exif_of(image: Image.Image, notes: list[str]) -> bytes | None:
    """Return the EXIF data of a file. Damaged data are left out, with a note."""
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
    if len(icc) > MAX_PROFILE or int.from_bytes(icc[:4], "big") > len(icc):
        notes.append(f"its colour profile, of {len(icc)} bytes, is damaged or too large: left out")
        return None
    space = icc[16:20].decode("ascii", "replace").strip()
    gray = image.mode in ("1", "L", "LA", *DEEP_MODES)
    mine = {"CMYK": ["CMYK"], "LAB": ["Lab"]}.get(image.mode, ["RGB"] + ["GRAY"] * gray)
    if space in mine:
        return icc
    notes.append(f"its colour profile is one for {space or 'nothing'} and was left out")
    return None


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution that a file states, if it does."""
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
