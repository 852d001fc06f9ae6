"""What `irn compress` writes where the network would not do better: plain files, the original."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from irncli.compression.plain import Plain, encode_plain, plain, plain_reaching
from irncli.errors import ImageError, TagError
from irncli.io.encoding import Format, encode, fitted
from irncli.io.formats.jpeg import replace_xmp
from irncli.io.picture import Picture
from irncli.io.tag import PLAIN, Tag
from irncli.operations.result import Result, Source, with_tag

__all__ = ["PlainFiles", "described", "rejected", "tagged_original"]


def tagged_original(source: Source) -> bytes | None:
    """Return the input file with a tag that says that it holds the image itself.

    All other bytes are those of the file. None if it cannot stand as the output: it is not a JPEG
    of one image, it is a small image of irn, metadata are to be left out, or something was
    converted or lost when it was read.
    """
    file, image = source.file, source.image
    if file.header.format != "jpeg" or source.stripped or image.notes:
        return None
    problems: list[str] = []
    try:
        if file.tag is not None and file.tag.task != "plain":
            return None
        tag = Tag(content_sha256=file.content_sha256, hr_size=image.size, **PLAIN)
        packet = with_tag(image.metadata, lambda _: tag, problems.append)(tag.content_sha256)
        tagged = replace_xmp(file.data, packet)
    except (ImageError, TagError):
        return None
    return None if problems else tagged


class PlainFiles:
    """Plain files of one image, which hold the image itself.

    They have the metadata of the image and a tag that says so.

    Args:
        image: the image.
        codec: format of the files, which is lossy.
        icc: colour profile of the image.
        warn: called with a warning about the metadata.
        effort: above 0, tables and levels of a JPEG are chosen, too; see `plain`.

    Attributes:
        whole: the image with what a file of it can hold.
        lost: warnings about what that leaves out.
    """

    def __init__(
        self,
        image: Picture,
        codec: Format,
        icc: bytes | None,
        warn: Callable[[str], None],
        effort: int,
    ) -> None:
        given = replace(image, metadata=replace(image.metadata, icc=icc))
        self.whole, self.lost = fitted(given, codec)
        self._codec, self._warn, self._effort = codec, warn, effort
        self._found: dict[int, Plain | None] = {}

    def within(self, most_bytes: int) -> Plain | None:
        """Return the best one whose file has at most so many bytes; None if there is none."""
        if most_bytes not in self._found:
            self._found[most_bytes] = self._within(most_bytes)
        return self._found[most_bytes]

    def _within(self, most_bytes: int) -> Plain | None:
        # What metadata add is known from a small file, and for some codecs only nearly.
        corner = replace(self.whole, pixels=self.whole.pixels[:8, :8].copy())
        bare = encode_plain(corner.pixels, self._codec, 50)
        excess = len(self._encoded(corner, Plain(bare, 50, "4:4:4", 0))) - len(bare)
        limit = most_bytes
        while excess > 0:
            limit -= excess
            found = plain(self.whole.pixels, self._codec, limit, self._effort)
            if found is None:
                return None
            excess = len(self.file(found)) - most_bytes
        return found

    def reaching(self, psnr: float) -> Plain | None:
        """Return the smallest one with at least this PSNR in dB; None if there is none."""
        return plain_reaching(self.whole.pixels, self._codec, psnr, self._effort)

    def file(self, coded: Plain) -> bytes:
        """Return the file of one of them."""
        return self._encoded(self.whole, coded)

    def _encoded(self, image: Picture, coded: Plain) -> bytes:
        def tag(content_sha256: str) -> Tag:
            return Tag(content_sha256=content_sha256, hr_size=self.whole.size, **PLAIN)

        return encode(
            image, image_format=self._codec, quality=coded.quality, subsampling=coded.subsampling,
            progressive=True, coefficients=coded.coefficients,
            xmp=with_tag(image.metadata, tag, self._warn),
        )  # fmt: skip


def rejected(network: Result | None) -> dict[str, Any] | None:
    """Describe what the network made, in the report of a file that is better."""
    if network is None or network.report is None:
        return None
    found = network.report
    return {"quality": found["quality"], "bytes": found["bytes_after"], "psnr": found["psnr"]}


def described(coded: Plain, size: int) -> dict[str, Any]:
    """Describe a plain file of `size` bytes, in a report."""
    return {
        "quality": coded.quality,
        "subsampling": coded.subsampling,
        "bytes": size,
        "psnr": round(coded.psnr, 3),
    }
