"""Test what is preserved of an image, by format and pixel type; write docs/formats.md.

    python benchmarks/formats.py

A file of every kind is downscaled and restored by `irn`, and the table shows the result.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from irncli.io.encoding import encode
from irncli.io.formats import readable_suffixes
from irncli.io.image_file import decode
from irncli.io.picture import Metadata, Picture

ROOT = Path(__file__).resolve().parents[1]
IRN: tuple[str | Path, ...] = (sys.executable, "-m", "irncli")
PAGE = ROOT / "docs" / "formats.md"

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_ICC = ICC[:16] + b"GRAY" + ICC[20:]
"""The profile with the header of one for gray, since no file may hold one for RGB with gray."""
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a friend"/></rdf:RDF></x:xmpmeta>'
)
DPI = (300.0, 300.0)

MODES: dict[str, tuple[str, ...]] = {
    "png": ("RGB", "RGBA", "L", "LA", "1", "P", "P+clear", "RGB;16", "RGBA;16", "L;16", "LA;16"),
    "jpeg": ("RGB", "L", "CMYK"),
    "webp": ("RGB", "RGBA"),
    "avif": ("RGB", "RGBA", "RGB;10"),
    "tiff": ("RGB", "RGBA", "L", "1", "P", "CMYK", "LAB", "RGB;16", "L;16"),
    "gif": ("P", "P+clear", "L"),
    "bmp": ("RGB", "L", "1", "P"),
    "tga": ("RGB", "RGBA", "L"),
    "ppm": ("RGB", "L", "1"),
    "jpeg2000": ("RGB", "RGBA", "L", "L;16"),
    "ico": ("RGBA",),
}
"""By format: `P+clear` is a palette with a transparent entry, `RGB;10` has 10 bits per channel."""
_SUFFIX = {"jpeg": "jpg", "tiff": "tif", "jpeg2000": "jp2"}
_OF_PLUGINS = {".jxl", ".heic", ".heif", ".heics", ".heifs", ".hif"}
_WITH_METADATA = ("png", "jpeg", "webp", "avif", "tiff")


@dataclass(frozen=True)
class Sample:
    """A file of one kind.

    Attributes:
        format: Pillow's name of the format, in lower case.
        mode: pixel type.
        data: bytes of the file.
    """

    format: str
    mode: str
    data: bytes

    @property
    def name(self) -> str:
        """File name, which is different for every kind."""
        kind = self.mode.replace(";", "_").replace("+", "_")
        return f"{self.format}-{kind}.{_SUFFIX.get(self.format, self.format)}"


def colours(width: int, height: int) -> np.ndarray:
    """Return a coloured ramp, uint8 [H, W, 3]."""
    y, x = np.mgrid[:height, :width] / max(width, height, 2)
    ramp = np.stack([40 + 180 * x, 30 + 190 * y, 220 - 150 * (x + y) / 2], axis=2)
    return ramp.astype(np.uint8)


def samples(width: int, height: int) -> Iterator[Sample]:
    """Yield a file of every kind, with all metadata that its format can store."""
    for format_, modes in MODES.items():
        for mode in modes:
            make = _deep if ";1" in mode else _shallow
            yield Sample(format_, mode, make(format_, mode, width, height))


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "an image"
    return exif.tobytes()


def _mask(width: int, height: int) -> np.ndarray:
    return np.broadcast_to(np.arange(width) * 255 // max(1, width - 1), (height, width)).copy()


def _deep(format_: str, mode: str, width: int, height: int) -> bytes:
    import cv2
    import imageio.v3 as iio

    values = colours(width, height).astype(np.uint16) * 257 + 5
    gray = mode.startswith("L")
    if format_ in ("tiff", "jpeg2000") and gray:
        buffer = io.BytesIO()
        options = {"dpi": DPI, "icc_profile": GRAY_ICC} if format_ == "tiff" else {}
        Image.fromarray(values[:, :, 0]).save(buffer, format_, **options)
        return buffer.getvalue()
    if format_ == "avif":
        ten = np.ascontiguousarray(values[:, :, ::-1] >> 6)
        return cv2.imencode(".avif", ten, [cv2.IMWRITE_AVIF_DEPTH, 10])[1].tobytes()
    if format_ == "tiff":
        return iio.imwrite("<bytes>", values, extension=".tiff", plugin="opencv")
    alpha = _mask(width, height).astype(np.uint16) * 257 if "A" in mode else None
    pixels = values[:, :, :1].repeat(3, axis=2) if gray else values
    metadata = Metadata(icc=GRAY_ICC if gray else ICC, exif=_exif(), xmp=XMP, dpi=DPI)
    return encode(Picture(pixels, alpha, gray, metadata), image_format="png")


def _shallow(format_: str, mode: str, width: int, height: int) -> bytes:
    image = Image.fromarray(colours(width, height))
    options: dict[str, Any] = {}
    if format_ in _WITH_METADATA:
        options = {"exif": _exif(), "dpi": DPI}
        icc = GRAY_ICC if mode in ("1", "L", "LA") else ICC
        options |= {} if mode == "CMYK" else {"icc_profile": icc}
        if format_ == "png":
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
        elif format_ != "tiff":  # there Pillow writes either EXIF or XMP
            options["xmp"] = XMP
    if mode == "P+clear":
        image = image.quantize(16)
        options["transparency"] = 3
    elif mode in ("RGBA", "LA"):
        image = image.convert("L" if mode == "LA" else "RGB")
        image.putalpha(Image.fromarray(_mask(width, height).astype(np.uint8)))
    elif mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        image = image.convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format_.upper(), **options)
    return buffer.getvalue()


def irn(*arguments: object) -> list[dict[str, Any]]:
    """Run a command, and return its records."""
    words = [*IRN, *map(str, arguments), "--json", "-q"]
    done = subprocess.run(words, capture_output=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _kind(picture: Picture) -> str:
    words = ["gray" if picture.gray else "RGB", f"{picture.bits} bits"]
    return ", ".join([*words, *["alpha"] * (picture.alpha is not None)])


def _metadata(metadata: Metadata) -> list[str]:
    found = {"profile": metadata.icc, "EXIF": metadata.exif, "XMP": metadata.xmp,
             "DPI": metadata.dpi}  # fmt: skip
    return [name for name, value in found.items() if value]


def rows(width: int = 17, height: int = 23) -> list[str]:
    """Return the rows of the table, one for every kind of file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {folder / sample.name: sample for sample in samples(width, height)}
        for file, sample in files.items():
            file.write_bytes(sample.data)
        # The guard would depend on the content of the samples, which does not matter here.
        words = ("--scale", 2, "--guard", "off", "--output-dir", folder / "low")
        made = irn("downscale", *files, *words)
        lows = [record["output"] for record in made if record["output"]]
        irn("upscale", *lows, "--output-dir", folder / "back", "--seed", 0)
        return [
            _row(sample, record, folder / "back" / f"{file.stem}_x2_restored.png")
            for (file, sample), record in zip(files.items(), made, strict=True)
        ]


def _row(sample: Sample, record: dict[str, Any], restored: Path) -> str:
    said = "; ".join(record["warnings"]) or "-"
    if record["error"]:
        return f"| {sample.format} | {sample.mode} | refused | - | {record['error']} |"
    before = decode(sample.data, deep=True)
    after = decode(restored.read_bytes(), deep=True)
    assert after.size == before.size
    kept = _metadata(after.metadata)
    lost = [name for name in _metadata(before.metadata) if name not in kept]
    carried = ", ".join(kept) or "none in the file"
    carried += f"; not {', '.join(lost)}" if lost else ""
    return f"| {sample.format} | {sample.mode} | {_kind(after)} | {carried} | {said} |"


def page() -> str:
    """Return the text of docs/formats.md."""
    suffixes = sorted(suffix[1:] for suffix in readable_suffixes() - _OF_PLUGINS)
    readable = textwrap.fill(", ".join(suffixes), 98, subsequent_indent="  ")
    table = "\n".join(rows())
    return TEXT.format(table=table, readable=readable)


TEXT = """\
# Formats: what is read, written and preserved

This page is written by `benchmarks/formats.py`, which measures the table. Do not edit it by hand.

- **Reading.** irn reads everything that Pillow reads, recognised by content and not by name, except
  EPS and PostScript, PDF, PSD and WMF:
  {readable}. JPEG XL and HEIC need plug-ins: `pip install 'irncli[jxl,heic]'`.
- **Writing.** Small images are PNG, JPEG or lossless WebP. Restored images and the files of
  `irn compress` may also be lossy WebP, AVIF and, with its plug-in, JPEG XL; restored images also
  TIFF (lossless, 8 or 16 bits, with the content of EXIF but not its bytes).
- **Several frames.** Animations (GIF, APNG, WebP, AVIF) and files of several pages (TIFF) are
  converted frame by frame, with the time of each frame and the number of repetitions, into an APNG
  or an animated WebP; a page without a time is shown for a second. Frames are taken as a viewer
  shows them, have one size, and 8 bits per channel; opaque alpha is left out. `--frame N` takes
  one, counted from 0, and is needed for `irn compress` and for other formats. `--max-pixels` limits
  the pixels of all frames together. Animated JPEG XL is refused. Of a JPEG that holds several
  images (MPO) the first is used, with a note.
- What a file holds besides its image is left out, with a note: the gain map of an HDR photograph,
  the video of a motion photo, depth maps and other auxiliary images, subordinate images and layers
  of a TIFF, and data behind the end of the image. XMP properties that describe it (hdrgm,
  Container, GCamera:MotionPhoto and MicroVideo, ...) are left out, too. Thumbnails are ignored.

## Pixels

- **Depth.** PNG, TIFF, JPEG 2000, AVIF and HEIC are read at their own depth, up to 16 bits per
  channel. The small image has 8 bits, or 16 with `--bits 16` (PNG only). The restored image has
  16 bits if the original had more than 8, as recorded in the tag. `irn compress` works with 8 bits.
  Colour images in JPEG XL, PPM and SGI, and TIFF files other than RGB, are reduced to 8 bits, with
  a note. Of TIFF files, unsigned integers of at most 16 bits are read; the type alone decides.
  Refused are signed integers, floating-point and 32-bit pixels, whose range the file does not say,
  JPEG with 12 bits, 16-bit TIFF files with a separate plane for each colour, and JPEG 2000 files
  of more than 8 bits with gray and alpha, with components that differ, or with luma and colour
  differences: no available library reads those correctly.
- **Gray stays gray**: the small image and the restored one have one channel. Black-and-white images
  become gray. A palette becomes RGB, or gray if all its colours are gray.
- **CMYK** is converted to sRGB through its profile if it has one, and Lab by its definition.
- **Alpha** is resized bicubically, separately from the colours. Colours under fully transparent
  pixels are replaced by those around them, so that they do not show at the edges. Alpha that is
  opaque everywhere is kept if the format has alpha; JPEG drops it.

## Metadata

- The colour profile, EXIF and the text of a PNG are carried byte for byte, and XMP of others
  unchanged, except what it says of parts that are left out. DPI are accurate to 0.1; JPEG stores
  whole numbers, with a note if they differ. Gamma and colour chunks of a PNG are carried unchanged.
  Colours that AVIF and HEIC specify by numbers (Display P3, HDR) become such a chunk (`cICP`). A
  profile that does not fit the colours of the file is left out, with a note: gray pixels need a
  profile for gray, and RGB pixels one for RGB. `irn decolor` keeps the profile of a colour image in
  the tag. Pixels are not rotated: the orientation stays in EXIF.
- TIFF and HEIC are the exception: their decoders rotate the pixels upright. TIFF tags (description,
  camera, date, artist, copyright, exposure, place) become EXIF.
- What a format cannot store is left out, with a note: text and gamma in anything but PNG, DPI in
  WebP and AVIF. The same holds for comments of JPEG and GIF, IPTC, XMP of more than 64 KB in a
  JPEG, a channel of a TIFF that is not declared as alpha, profiles that are truncated or larger
  than 4 MiB, and parts of a PNG that the pixels do not need and whose checksum is wrong.
- `--strip` leaves out everything except what says how to show the image (profile, gamma,
  orientation) and, in a small image, the tag. `--preserve-times` gives an output the times of its
  input.

## Downscaled and restored

For each kind, a file of 17x23 pixels goes through `irn downscale --scale 2` and `irn upscale` into
PNG. The table shows the restored pixel type, which metadata are preserved, and the notes. The size
is always that of the file. The tests do the same with 1x1, 1x9 and 220x147 pixels, with `decolor`
and `colorize`, and with `compress` (8 bits) and `upscale`.

| format | pixels | restored as | metadata | notes |
|---|---|---|---|---|
{table}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
