"""Base class of file formats that irn writes through Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from PIL import Image

from irncli.errors import ImageError, UsageError
from irncli.io.formats.base import MAX_SIDE, FileFormat
from irncli.io.formats.jpeg_scans import Coefficients
from irncli.io.libraries import DECODER_ERRORS
from irncli.io.picture import COLOUR_CHUNKS, TEXT_CHUNKS, Chunk, Metadata, Picture

__all__ = [
    "JPEG_EXIF",
    "EncoderSettings",
    "Format",
    "Packet",
    "Subsampling",
    "WritableFormat",
    "save",
    "shared_options",
    "stored",
]

Format = Literal["png", "jpeg", "webp", "avif", "jxl", "tiff"]
"""Formats that irn writes."""
Subsampling = Literal["4:4:4", "4:2:0"]
Packet = Callable[[str], bytes | None]
"""Function from the `content_sha256` of a file to the XMP packet to store in the file."""

GRAY, RGB = b"GRAY", b"RGB "
"""Colour spaces in the header of an ICC profile."""
JPEG_EXIF = b"Exif\0\0"
"""Prefix of EXIF in a JPEG; other formats do not have it."""


@dataclass(frozen=True)
class EncoderSettings:
    """Settings of the encoder.

    Attributes:
        quality: quality of lossy formats, 1 to 100.
        subsampling: chroma subsampling of JPEG and AVIF.
        progressive: write a progressive JPEG.
        lossless: write a lossless WebP, without a quality.
        coefficients: what a JPEG holds instead of the pixels; None: the pixels are encoded.
    """

    quality: int = 95
    subsampling: Subsampling = "4:4:4"
    progressive: bool = False
    lossless: bool = False
    coefficients: Coefficients | None = None


class WritableFormat(FileFormat):
    """A format that irn reads and writes.

    Attributes:
        name: irn's name of the format.
        suffixes: file name suffixes; new files get the first one.
        spoken: name of the format in messages.
        most_bits: largest number of bits per channel.
        longest: longest side of an image in pixels.
        most_pixels: largest number of pixels of an image.
    """

    name: ClassVar[Format]
    suffixes: ClassVar[tuple[str, ...]]
    spoken: ClassVar[str]
    most_bits: ClassVar[int] = 8
    longest: ClassVar[int] = MAX_SIDE
    most_pixels: ClassVar[int] = 1 << 60

    def fitted(self, picture: Picture) -> tuple[Picture, list[str]]:
        """Return an image reduced to what the format can store, and notes on what was lost.

        Transparency that a format cannot store is not dropped here; `check_writable` refuses such
        an image.
        """
        lost: list[str] = []
        if picture.bits > self.most_bits:
            lost.append(f"16 bits per channel were reduced to 8: {self.spoken} stores at most 8")
            picture = picture.reduced()
        metadata = self.fitted_profile(picture, lost)
        if metadata.chunks:
            lost.append(_without(metadata.chunks, self.spoken))
            metadata = replace(metadata, chunks=())
        metadata = self.fitted_exif(metadata, lost)
        if metadata.dpi is not None:
            metadata = self.fitted_resolution(metadata, metadata.dpi, lost)
        if picture.alpha is not None and picture.opaque:
            picture = replace(picture, alpha=None)
        return replace(picture, metadata=metadata), lost

    def stores_gray(self, picture: Picture) -> bool:
        """Tell whether an image is stored with one colour channel."""
        return picture.gray

    def holds_profile(self, picture: Picture) -> bool:
        """Tell whether an image is stored in the colour space of its profile."""
        icc = picture.metadata.icc
        return icc is None or icc[16:20] == (GRAY if self.stores_gray(picture) else RGB)

    def fitted_profile(self, picture: Picture, lost: list[str]) -> Metadata:
        """Return the metadata without a profile of another colour space; add a note on losses.

        No format may hold a profile for RGB with gray pixels, or one for gray with RGB pixels.
        """
        icc = picture.metadata.icc
        if icc is None or self.holds_profile(picture):
            return picture.metadata
        if icc[16:20] == GRAY and picture.gray:
            why = (
                f"its gray colour profile was left out: {self.spoken} stores gray images as colour"
            )
        else:
            space = icc[16:20].decode("ascii", "replace").strip() or "nothing"
            kind = "gray" if self.stores_gray(picture) else "RGB"
            why = (
                f"its colour profile is one for {space} and was left out: {self.one} with {kind} "
                f"pixels needs one for {kind}"
            )
        lost.append(why)
        return replace(picture.metadata, icc=None)

    def fitted_exif(self, metadata: Metadata, lost: list[str]) -> Metadata:  # noqa: ARG002
        """Return the metadata with the EXIF that the format can store; add a note on losses."""
        return metadata

    def fitted_resolution(
        self, metadata: Metadata, dpi: tuple[float, float], lost: list[str]
    ) -> Metadata:
        """Return the metadata with a resolution that the format can store; add a note on losses."""
        del dpi
        lost.append(f"the resolution (DPI) was left out: {self.spoken} cannot store it")
        return replace(metadata, dpi=None)

    def check_writable(self, picture: Picture, settings: EncoderSettings) -> None:
        """Refuse an image that the format cannot store.

        Raises:
            UsageError: the quality is out of range, a JPEG would need alpha, or a format other than
                PNG would need 16 bits.
            ImageError: the size or the metadata do not fit the format.
            UnavailableError: a plug-in is not installed.
        """
        if not 1 <= settings.quality <= 100:
            raise UsageError(f"quality is {settings.quality}, expected 1 to 100")
        if picture.bits > self.most_bits:
            raise UsageError(f"16 bits per channel do not fit {self.one}: use PNG, or 8 bits")
        width, height = picture.size
        if max(width, height) > self.longest:
            raise ImageError(
                f"{width}x{height} is larger than {self.one} may be ({self.longest} pixels a "
                "side): use PNG"
            )
        if width * height > self.most_pixels:
            raise ImageError(
                f"{width}x{height} is larger than {self.one} may be ({self.most_pixels} pixels): "
                "use PNG"
            )

    def options(self, picture: Picture, settings: EncoderSettings) -> dict[str, object]:  # noqa: ARG002
        """Return the options for Pillow's encoder, except metadata."""
        return {}

    def write(
        self,
        picture: Picture,
        settings: EncoderSettings,
        xmp: Packet | None,
        identify: Callable[[bytes], str],
    ) -> bytes:
        """Return the file of an image, with its metadata.

        Args:
            picture: image that `check_writable` accepts.
            settings: settings of the encoder.
            xmp: function that makes the XMP packet to store in place of the image's own.
            identify: function that computes the `content_sha256` of a file.
        """
        options = self.options(picture, settings) | shared_options(picture.metadata)
        image, name = stored(picture), self.pillow_names[0]
        if xmp is None:
            return save(image, name, options, picture.metadata.xmp)
        # The pixels of a lossy file are known only after it is written; XMP does not change them.
        data = save(image, name, options)
        packet = xmp(identify(data))
        return save(image, name, options, packet) if packet else data


def _without(left_out: tuple[Chunk, ...], spoken: str) -> str:
    """Return the note that PNG chunks were left out, which names their content."""
    kinds = {kind for kind, _ in left_out}
    what = [
        name
        for name, some in (
            ("text", TEXT_CHUNKS), ("colours that are not those of sRGB (cICP)", (b"cICP",)),
            ("gamma", set(COLOUR_CHUNKS) - {b"cICP"}),
        )
        if not kinds.isdisjoint(some)
    ]  # fmt: skip
    were, them = ("was", "it") if what in (["text"], ["gamma"]) else ("were", "them")
    return f"{' and '.join(what)} {were} left out: {spoken} cannot store {them}"


def stored(picture: Picture) -> Image.Image:
    """Return an 8-bit image as a Pillow image in the mode to write."""
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.gray else picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def shared_options(metadata: Metadata, exif_prefix: bytes = b"") -> dict[str, object]:
    """Return metadata as options of Pillow's encoders, which ignore those that a format lacks.

    Args:
        metadata: metadata of the image.
        exif_prefix: prefix of EXIF in the format, which Pillow expects but does not add.
    """
    exif = metadata.exif and exif_prefix + metadata.exif.removeprefix(JPEG_EXIF)
    options: dict[str, Any] = {"icc_profile": metadata.icc, "exif": exif, "dpi": metadata.dpi}
    return {key: value for key, value in options.items() if value is not None}


def save(
    image: Image.Image, kind: str, options: dict[str, object], xmp: bytes | None = None
) -> bytes:
    """Return a file that Pillow writes.

    Raises:
        ImageError: the image cannot be written, usually because of its metadata.
    """
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options, **({"xmp": xmp} if xmp else {}))
    except DECODER_ERRORS as error:
        raise ImageError(f"cannot be written as {kind} ({error}): try --strip") from error
    return buffer.getvalue()
