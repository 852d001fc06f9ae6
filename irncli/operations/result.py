"""The interface of operations: their sources, plans and results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from irncli.engine.ticks import Tick
from irncli.errors import InputMissingError, IrnError, TagError, UsageError
from irncli.io.animation import Animation
from irncli.io.colours import Colour, flattened
from irncli.io.encoding import LOSSLESS_OR_JPEG, Format, encode, fitted
from irncli.io.image_file import ImageFile
from irncli.io.metadata import stripped
from irncli.io.picture import Metadata, Picture
from irncli.io.tag import Tag, embed
from irncli.limits import MAX_SCALE
from irncli.operations.models import LoadedModel, Models, name_of

__all__ = [
    "Encoded",
    "Operation",
    "Plan",
    "Result",
    "Source",
    "TagOf",
    "check_scale",
    "encoder",
    "with_tag",
]

TagOf = Callable[[str], Tag]
"""A function that returns the tag of a small image, given the hash of the pixels."""


@dataclass(frozen=True, eq=False)
class Source:
    """An image file that has been read.

    Attributes:
        image: pixels and metadata of the file.
        file: the opened file, with all metadata even if they were stripped from `image`.
        stripped: True if metadata were to be left out of `image`.
        background: colour on which frames are put if they are transparent; None: alpha is kept.
        number: number of `image` among several frames, from 0; None: it is the only one.
        animation: what the frames have in common, if all of them are meant; `image` is the first.
    """

    image: Picture
    file: ImageFile
    stripped: bool = False
    background: Colour | None = None
    number: int | None = None
    animation: Animation | None = None

    @classmethod
    def decoded(
        cls,
        file: ImageFile,
        *,
        deep: bool,
        strip: bool = False,
        background: Colour | None = None,
        frame: int | None = None,
    ) -> Source:
        """Decode a file; of several frames, decode the first and examine the others.

        Args:
            file: the opened file.
            deep: keep 16 bits per channel; otherwise the image is reduced to 8.
            strip: leave out EXIF (except the orientation), XMP, DPI and text.
            background: colour on which a transparent image is put; None: alpha is kept.
            frame: number of the only frame to be taken, from 0; None: all frames.

        Raises:
            ImageError: the pixels cannot be read.
            UsageError: there is no such frame.
        """
        animation = file.animation if frame is None and file.frames > 1 else None
        number = 0 if animation else frame
        image = file.decode(deep=deep, frame=number)
        if animation is not None:
            image = replace(image, notes=animation.notes)
        image = cls._prepared(image, animation, background)
        if strip:
            image = replace(image, metadata=stripped(image.metadata))
        return cls(image, file, strip, background, number, animation)

    @staticmethod
    def _prepared(
        image: Picture, animation: Animation | None, background: Colour | None
    ) -> Picture:
        if animation is not None:
            image = animation.alike(image)
        return image if background is None else flattened(image, background)

    @property
    def neutral(self) -> bool:
        """True if the three channels are equal, in all frames."""
        return self.image.neutral if self.animation is None else self.animation.neutral

    def frames(self) -> Iterator[Source]:
        """Yield each of several frames, with the metadata of the first one."""
        for number, (picture, _) in enumerate(self.file.each_frame()):
            image = self._prepared(picture, self.animation, self.background)
            yield replace(self, image=replace(image, metadata=self.image.metadata), number=number)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of an operation for one file.

    Attributes:
        model: model to be used; None if the file holds the image itself.
        scale: HR size over LR size.
        hr_size: width and height of the larger image in pixels.
        lr_size: width and height of the smaller image in pixels.
        downs: number of forward runs of the network, or of work that takes as long; 0: none.
        ups: number of inverse runs of the network; 0: none.
        warnings: warnings about the file, one sentence each.
        undecided: True if a larger scale, and its model, may be chosen in the end.
    """

    model: LoadedModel | None
    scale: float
    hr_size: tuple[int, int]
    lr_size: tuple[int, int]
    downs: float = 0
    ups: float = 0
    warnings: tuple[str, ...] = ()
    undecided: bool = False


@dataclass(frozen=True)
class Encoded:
    """An encoded output file.

    Attributes:
        data: bytes of the file.
        warnings: warnings about data that the format cannot hold, one sentence each.
    """

    data: bytes
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """The result of an operation.

    Attributes:
        image: the image that was made.
        encode: function that encodes the output file. It runs no network, so another thread may
            call it.
        model: name of the model that was used; None if no model was used.
        lr_size: width and height of the small image in pixels.
        scale: HR size over LR size; None: that of the plan.
        seed: random seed of z, 0 to 2**64 - 1; None if z was not used.
        temperature: width of z; None if z was not used.
        warnings: warnings about the image, one sentence each.
        refined: PSNR in dB, `before` and `after` refinement; None without refinement.
        guarded: shares of blocks, 0 to 1, that the guard `repaired` and made `bicubic`; None if
            there was no guard.
        report: sizes and qualities of a compressed image; None for other operations.
        tag: function that makes the tag of a small image; None if it is not such an image.
    """

    image: Picture
    encode: Callable[[], Encoded]
    model: str | None
    lr_size: tuple[int, int]
    scale: float | None = None
    seed: int | None = None
    temperature: float | None = None
    warnings: tuple[str, ...] = ()
    refined: dict[str, float] | None = None
    guarded: dict[str, float] | None = None
    report: dict[str, Any] | None = None
    tag: TagOf | None = None


class Operation(ABC):
    """An operation on an image. The fields of a subclass are its settings.

    Attributes:
        formats: formats that the operation can write.
        lossless: formats that are written without loss, so that a quality has no effect.
        default_format: format of an output whose name does not tell.
        deep: True if the operation handles 16 bits per channel; otherwise images are reduced to 8
            bits when they are read.
        default_quality: quality of a lossy output, unless another one is asked for.
        restores: True if the operation turns small or gray images into the original ones.
        one_by_one: True if several frames of a file can be converted one by one.
        model: model that the user asked for, or the name of that model; None: the default model.
    """

    formats: ClassVar[tuple[Format, ...]] = LOSSLESS_OR_JPEG
    lossless: ClassVar[tuple[Format, ...]] = ("png",)
    default_format: ClassVar[Format] = "png"
    deep: ClassVar[bool] = False
    default_quality: ClassVar[int] = 95
    restores: ClassVar[bool] = False
    one_by_one: ClassVar[bool] = True

    model: str | LoadedModel | None

    @property
    def named(self) -> str | None:
        """Name of the model that the user asked for; None: the default model."""
        return None if self.model is None else name_of(self.model)

    def check(self, image_format: Format) -> None:  # noqa: B027 -- optional to implement
        """Refuse a format that the settings cannot be used with.

        Raises:
            UsageError: the settings cannot be used with this format.
        """

    def unsuitable(self, file: ImageFile) -> str | None:  # noqa: ARG002
        """Tell why a file that was found in a directory is left out; None: it is not.

        The reason follows the number of images, such as "without an irn tag".

        Raises:
            TagError: the tag is not usable.
        """
        return None

    def nothing_suitable(self, found: str) -> IrnError:
        """Return the error for directories in which all images were left out.

        Args:
            found: what was found, such as "2 images without an irn tag".
        """
        return InputMissingError(f"found only {found}")

    def model_name(self, models: Models, image_format: Format) -> str | None:  # noqa: ARG002
        """Return the name of the model for a format, or None if it depends on the file."""
        return None

    def weights(self, models: Models, image_format: Format) -> str | None:
        """Return the hash of the weights that may be used, or None if the file names them."""
        name = self.model_name(models, image_format)
        return None if name is None else models.recorded_sha256(name)

    @abstractmethod
    def identity(self) -> list[str]:
        """List the settings that affect the result, for the key of `--skip-existing`."""

    @abstractmethod
    def plan(self, models: Models, source: Source, image_format: Format) -> Plan:
        """Plan the operation on an image.

        Raises:
            IrnError: the operation is not possible on this image.
        """

    @abstractmethod
    def run(
        self, models: Models, source: Source, plan: Plan, image_format: Format, quality: int,
        tick: Tick,
    ) -> Result:  # fmt: skip
        """Carry out the operation on an image.

        Args:
            models: models to load from.
            source: the image.
            plan: the plan that `plan` returned for this image.
            image_format: format of the output file.
            quality: quality of lossy formats, 1 to 100.
            tick: called with the share of the work that was just done.

        Raises:
            IrnError: the operation is not possible on this image.
        """


def check_scale(scale: float | None) -> None:
    """Refuse a scale that is out of range.

    Raises:
        UsageError: the scale is out of range.
    """
    if scale is not None and not 1 < scale <= MAX_SCALE:
        raise UsageError(f"--scale {scale:g}: expected more than 1 and at most {MAX_SCALE}")


def encoder(
    image: Picture,
    image_format: Format,
    quality: int,
    tag: TagOf | None = None,
    *,
    lossless: bool = False,
) -> Callable[[], Encoded]:
    """Return a function that encodes an image, with a tag in the XMP packet if one is given.

    Args:
        image: image to write.
        image_format: format of the file.
        quality: quality of lossy formats, 1 to 100.
        tag: function that returns the tag of a small image; None: no tag is written.
        lossless: write a lossless WebP.
    """

    def encoded() -> Encoded:
        held, lost = fitted(image, image_format)
        warnings = list(lost)
        xmp = None if tag is None else with_tag(image.metadata, tag, warnings.append)
        data = encode(held, image_format=image_format, quality=quality, lossless=lossless, xmp=xmp)
        return Encoded(data, tuple(dict.fromkeys(warnings)))

    return encoded


def with_tag(metadata: Metadata, tag: TagOf, warn: Callable[[str], None]) -> Callable[[str], bytes]:
    """Return a function that makes the XMP packet of a small image from the hash of the pixels.

    The packet keeps the XMP of the image. XMP that cannot be parsed is dropped, with a warning.
    """

    def packet(content_sha256: str) -> bytes:
        try:
            return embed(metadata.xmp, tag(content_sha256))
        except TagError as error:
            warn(f"XMP was dropped: {error}")
            return embed(None, tag(content_sha256))

    return packet
