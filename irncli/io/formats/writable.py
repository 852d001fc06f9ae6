"""What it takes to write a file format by Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from PIL import Image

from irncli.errors import ImageError, UsageError
from irncli.io.formats.base import MAX_SIDE, FileFormat
from irncli.io.libraries import DECODER_ERRORS
from irncli.io.picture import COLOUR_CHUNKS, TEXT_CHUNKS, Chunk, Metadata, Picture

__all__ = [
    "JPEG_EXIF",
    "Format",
    "Packet",
    "Settings",
    "Subsampling",
    "WritableFormat",
    "save",
    "shared_options",
    "stored",
]

Format = Literal["png", "jpeg", "webp", "avif", "jxl"]
"""Formats that irn writes."""
Subsampling = Literal["4:4:4", "4:2:0"]
Packet = Callable[[str], bytes | None]
"""From the `content_sha256` of a file to the XMP that is stored in it."""

JPEG_EXIF = b"Exif\0\0"
"""What EXIF begins with in a JPEG, and nowhere else."""


@dataclass(frozen=True)
class Settings:
    """How an image is coded.

    Attributes:
        quality: 1 to 100, of lossy formats.
        subsampling: of the colours in JPEG and AVIF.
        progressive: of JPEG.
    """

    quality: int = 95
    subsampling: Subsampling = "4:4:4"
    progressive: bool = False


class WritableFormat(FileFormat):
    """A format that irn writes, too.

    Attributes:
        name: irn's name of the format.
        suffixes: file name endings; the first one is given to new files.
        spoken: its name in messages.
        article: `a` or `an`, before that name.
        longest: most pixels of a side.
        most_pixels: most pixels of an image.
    """

    name: ClassVar[Format]
    suffixes: ClassVar[tuple[str, ...]]
    spoken: ClassVar[str]
    article: ClassVar[str] = "a"
    longest: ClassVar[int] = MAX_SIDE
    most_pixels: ClassVar[int] = 1 << 60

    def fitted(self, picture: Picture) -> tuple[Picture, list[str]]:
        """Return what the format can hold of an image, and what it cannot, a sentence each.

        What would spoil the image (transparency in a JPEG) stays, and `check_writable` refuses it.
        """
        lost, metadata = [], picture.metadata
        if picture.bits > 8:
            lost.append(f"16 bits a channel were reduced to 8: {self.spoken} holds no more")
            picture = picture.reduced()
        if not self.holds_profile(picture):
            lost.append(
                f"its colour profile, one for gray, was left out: {self.spoken} stores it "
                "in colours"
            )
            metadata = replace(metadata, icc=None)
        if metadata.chunks:
            what = _spoken(metadata.chunks)
            lost.append(f"{what} left out: {self.spoken} has no place for that")
            metadata = replace(metadata, chunks=())
        metadata = self.fitted_exif(metadata, lost)
        if metadata.dpi is not None:
            metadata = self.fitted_resolution(metadata, metadata.dpi, lost)
        if picture.alpha is not None and picture.opaque:
            picture = replace(picture, alpha=None)
        return replace(picture, metadata=metadata), lost

    def holds_profile(self, picture: Picture) -> bool:  # noqa: ARG002
        """Tell whether an image is stored in the colours that its profile is for."""
        return True

    def fitted_exif(self, metadata: Metadata, lost: list[str]) -> Metadata:  # noqa: ARG002
        """Return the metadata with the EXIF that the format can hold; add the rest to `lost`."""
        return metadata

    def fitted_resolution(
        self, metadata: Metadata, dpi: tuple[float, float], lost: list[str]
    ) -> Metadata:
        """Return the metadata with a resolution that the format can hold."""
        del dpi
        lost.append(f"the resolution (DPI) was left out: {self.spoken} has no place for it")
        return replace(metadata, dpi=None)

    def check_writable(self, picture: Picture, settings: Settings) -> None:
        """Refuse what the format cannot hold.

        Raises:
            UsageError: a quality out of range; alpha in a JPEG; 16 bits in anything but a PNG.
            ImageError: a size or metadata that do not fit.
            UnavailableError: a plug-in is missing.
        """
        if not 1 <= settings.quality <= 100:
            raise UsageError(f"quality is {settings.quality}, expected 1 to 100")
        if picture.bits > 8:
            raise UsageError(f"16 bits a channel do not fit {self._one}: use PNG, or 8 bits")
        width, height = picture.size
        if max(width, height) > self.longest:
            raise ImageError(
                f"{width}x{height} is larger than {self._one} may be ({self.longest} a side): "
                "use PNG"
            )
        if width * height > self.most_pixels:
            raise ImageError(
                f"{width}x{height} is larger than {self._one} may be ({self.most_pixels} pixels): "
                "use PNG"
            )

    @property
    def _one(self) -> str:
        return f"{self.article} {self.spoken}"

    def options(self, picture: Picture, settings: Settings) -> dict[str, object]:  # noqa: ARG002
        """Return the options of Pillow's writer, metadata apart."""
        return {}

    def write(
        self,
        picture: Picture,
        settings: Settings,
        xmp: Packet | None,
        identify: Callable[[bytes], str],
    ) -> bytes:
        """Return the file of an image, with its metadata.

        Args:
            picture: what `check_writable` lets pass.
            settings: how it is coded.
            xmp: makes the packet that is stored in place of the image's own.
            identify: computes the `content_sha256` of a file.
        """
        options = self.options(picture, settings) | shared_options(picture.metadata)
        image, name = stored(picture), self.pillow_names[0]
        if xmp is None:
            return save(image, name, options, picture.metadata.xmp)
        # What a lossy file decodes to is known only when it is written; XMP does not change it.
        data = save(image, name, options)
        packet = xmp(identify(data))
        return save(image, name, options, packet) if packet else data


def _spoken(left_out: tuple[Chunk, ...]) -> str:
    """Say what chunks of a PNG hold."""
    kinds = {kind for kind, _ in left_out}
    what = [
        name
        for name, some in (
            ("text", TEXT_CHUNKS), ("colours that are not those of sRGB (cICP)", (b"cICP",)),
            ("gamma", set(COLOUR_CHUNKS) - {b"cICP"}),
        )
        if not kinds.isdisjoint(some)
    ]  # fmt: skip
    return f"{' and '.join(what)} {'was' if what == ['gamma'] else 'were'}"


def stored(picture: Picture) -> Image.Image:
    """Return 8-bit pixels in the mode in which they are written."""
    image = Image.fromarray(picture.pixels[:, :, 0] if picture.gray else picture.pixels)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def shared_options(metadata: Metadata, exif_prefix: bytes = b"") -> dict[str, object]:
    """Return what Pillow takes by one name for all formats; it ignores what a format lacks.

    Args:
        metadata: of the image.
        exif_prefix: what EXIF begins with. Pillow reads it, and does not write it.
    """
    exif = metadata.exif and exif_prefix + metadata.exif.removeprefix(JPEG_EXIF)
    options: dict[str, Any] = {"icc_profile": metadata.icc, "exif": exif, "dpi": metadata.dpi}
    return {key: value for key, value in options.items() if value is not None}


def save(
    image: Image.Image, kind: str, options: dict[str, object], xmp: bytes | None = None
) -> bytes:
    """Write an image by Pillow.

    Raises:
        ImageError: metadata that cannot be written.
    """
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **options, **({"xmp": xmp} if xmp else {}))
    except DECODER_ERRORS as error:
        raise ImageError(f"it cannot be written as {kind} ({error}): try --strip") from error
    return buffer.getvalue()
