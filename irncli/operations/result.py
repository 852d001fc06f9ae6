"""What an operation is given, what it plans, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from irncli.errors import TagError, UsageError
from irncli.io.encoding import LOSSLESS_OR_JPEG, Format, encode, fitted
from irncli.io.image_file import ImageFile
from irncli.io.metadata import stripped
from irncli.io.picture import Metadata, Picture
from irncli.io.tag import Tag, embed
from irncli.operations.models import LoadedModel, Models, name_of

__all__ = [
    "Encoded",
    "Operation",
    "Plan",
    "Result",
    "Source",
    "TagOf",
    "Tick",
    "check_scale",
    "encoder",
    "with_tag",
]

Tick = Callable[[float], None]
"""Called with the share of the work that was just done; it may raise an exception to end it."""
MAX_SCALE = 64
TagOf = Callable[[str], Tag]
"""Makes the tag of a small image from the hash of its pixels."""


@dataclass(frozen=True, eq=False)
class Source:
    """An image file that was read.

    Attributes:
        image: its pixels and metadata.
        file: the file; its metadata are there even where they were stripped from `image`.
    """

    image: Picture
    file: ImageFile

    @classmethod
    def decoded(cls, file: ImageFile, *, deep: bool, strip: bool = False) -> Source:
        """Decode a file.

        Args:
            file: just opened.
            deep: keep 16 bits per channel.
            strip: leave out the metadata.

        Raises:
            ImageError: its pixels cannot be read.
        """
        image = file.decode(deep=deep)
        if strip:
            image = replace(image, metadata=stripped(image.metadata))
        return cls(image, file)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an operation is going to do with a file.

    Attributes:
        model: named in the record; None: the file holds the image itself.
        scale: HR size over LR size.
        hr_size: width and height of the larger image.
        lr_size: width and height of the smaller one.
        downs: runs of the network that make the image small, or what takes as long; 0: none.
        ups: runs that restore it.
        warnings: a sentence each.
    """

    model: LoadedModel | None
    scale: float
    hr_size: tuple[int, int]
    lr_size: tuple[int, int]
    downs: float = 0
    ups: float = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Encoded:
    """An output file.

    Attributes:
        data: its bytes.
        warnings: what the format cannot hold, a sentence each.
    """

    data: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """What an operation did.

    Attributes:
        image: the image that was made.
        encode: makes its file. It needs no network, so another thread may call it.
        model: name of the model that was used; None: none was.
        lr_size: width and height of the small image.
        seed: of z, where one was used.
        temperature: width of z, where one was used.
        warnings: a sentence each.
        refined: PSNR in dB `before` and `after` refinement.
        guarded: shares of blocks that the guard `repaired` and made `bicubic`.
        report: sizes and qualities of a compressed image.
    """

    image: Picture
    encode: Callable[[], Encoded]
    model: str | None
    lr_size: tuple[int, int]
    seed: int | None = None
    temperature: float | None = None
    warnings: tuple[str, ...] = ()
    refined: dict[str, float] | None = None
    guarded: dict[str, float] | None = None
    report: dict[str, Any] | None = None


class Operation(ABC):
    """What is done to an image; its fields are the settings.

    Attributes:
        formats: formats that it writes.
        deep: it handles 16 bits per channel; otherwise images are reduced to 8 when they are read.
        model: the model that the user asked for, or its name; None: the usual one.
    """

    formats: ClassVar[tuple[Format, ...]] = LOSSLESS_OR_JPEG
    deep: ClassVar[bool] = False

    model: str | LoadedModel | None

    @property
    def named(self) -> str | None:
        """Name of the model that the user asked for."""
        return None if self.model is None else name_of(self.model)

    def check(self, image_format: Format) -> None:  # noqa: B027 -- most write every format alike
        """Refuse a format that cannot hold what the settings ask for.

        Raises:
            UsageError: it cannot.
        """

    def model_name(self, models: Models, image_format: Format) -> str | None:  # noqa: ARG002
        """Return the name of the model that is used for a format; None: the file decides."""
        return None

    @abstractmethod
    def identity(self) -> list[str]:
        """List the settings on which the result depends, for the key of `--skip-existing`."""

    @abstractmethod
    def plan(self, models: Models, source: Source, image_format: Format) -> Plan:
        """Decide what is going to be done.

        Raises:
            IrnError: it cannot be done.
        """

    @abstractmethod
    def run(
        self, models: Models, source: Source, plan: Plan, image_format: Format, quality: int,
        tick: Tick,
    ) -> Result:  # fmt: skip
        """Do it.

        Args:
            models: where models are loaded from.
            source: the image.
            plan: made by `plan` for this image.
            image_format: format of the output file.
            quality: quality of lossy formats, 1 to 100.
            tick: called with the share of the work that was just done.

        Raises:
            IrnError: it cannot be done.
        """


def check_scale(scale: float | None) -> None:
    """Refuse a scale that no model could have.

    Raises:
        UsageError: it is out of range.
    """
    if scale is not None and not 1 < scale <= MAX_SCALE:
        raise UsageError(f"--scale {scale:g}: expected more than 1 and at most {MAX_SCALE}")


def encoder(
    image: Picture, image_format: Format, quality: int, tag: TagOf | None = None
) -> Callable[[], Encoded]:
    """Return what makes the file of an image, with a tag in its XMP if one is given."""

    def encoded() -> Encoded:
        held, lost = fitted(image, image_format)
        warnings = list(lost)
        xmp = None if tag is None else with_tag(image.metadata, tag, warnings.append)
        data = encode(held, image_format=image_format, quality=quality, xmp=xmp)
        return Encoded(data, tuple(dict.fromkeys(warnings)))

    return encoded


def with_tag(metadata: Metadata, tag: TagOf, warn: Callable[[str], None]) -> Callable[[str], bytes]:
    """Return what makes the XMP packet of a small image from the hash of its pixels.

    The packet keeps what the image had. If that cannot be parsed it is dropped, with a warning.
    """

    def packet(content_sha256: str) -> bytes:
        try:
            return embed(metadata.xmp, tag(content_sha256))
        except TagError as error:
            warn(f"XMP was dropped: {error}")
            return embed(None, tag(content_sha256))

    return packet
