"""The plain JPEGs that `irn compress` writes where the network would not do better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from irncli.compression.plain import Plain, plain_jpeg, plain_reaching
from irncli.io.encoding import encode, fitted
from irncli.io.picture import Picture
from irncli.io.tag import PLAIN, Tag
from irncli.operations.result import with_tag

__all__ = ["PlainJpegs"]


class PlainJpegs:
    """The plain JPEGs of one image.

    Their files have the metadata of the image and a tag that says that they hold the image itself.

    Args:
        image: the image.
        icc: colour profile of the image.
        warn: called with a warning about the metadata.

    Attributes:
        whole: the image with what a JPEG of it can hold.
        lost: warnings about what that leaves out.
    """

    def __init__(self, image: Picture, icc: bytes | None, warn: Callable[[str], None]) -> None:
        given = replace(image, metadata=replace(image.metadata, icc=icc))
        self.whole, self.lost = fitted(given, "jpeg")
        self._warn = warn

    def within(self, most_bytes: int) -> Plain | None:
        """Return the best one whose file has at most so many bytes; None if there is none."""
        plain = plain_jpeg(self.whole.pixels, most_bytes)
        if plain is None:
            return None
        metadata = len(self.file(plain)) - len(plain.data)
        return plain_jpeg(self.whole.pixels, most_bytes - metadata)

    def reaching(self, psnr: float) -> Plain | None:
        """Return the smallest one with at least this PSNR in dB; None if there is none."""
        return plain_reaching(self.whole.pixels, "jpeg", psnr)

    def file(self, plain: Plain) -> bytes:
        """Return the file of one of them."""
        whole = self.whole

        def tag(content_sha256: str) -> Tag:
            return Tag(content_sha256=content_sha256, hr_size=whole.size, **PLAIN)

        return encode(
            whole, image_format="jpeg", quality=plain.quality, subsampling=plain.subsampling,
            progressive=True, xmp=with_tag(whole.metadata, tag, self._warn),
        )  # fmt: skip
