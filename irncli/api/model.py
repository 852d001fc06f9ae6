"""The Python interface: `irncli.load("irn-x4").downscale(image)` and back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from irncli.api.files import File, format_of, warn, write
from irncli.api.kinds import Kind, changed, remade, to_picture
from irncli.engine.alpha import bleed
from irncli.engine.device import Precision
from irncli.engine.latent import draw_seed
from irncli.engine.rescaler import Rescaler
from irncli.errors import UsageError
from irncli.io.picture import Picture
from irncli.io.tag import Tag
from irncli.model import InvertibleNetwork
from irncli.operations.models import LoadedModel
from irncli.operations.result import encoder
from irncli.pixels import Pixels
from irncli.zoo.checkpoint import Card, Checkpoint
from irncli.zoo.registry import default_registry

__all__ = ["Model", "given_up", "load"]


class Model:
    """A model on a device: one that makes images small, or one that makes them gray, and back.

    Images are PIL images, uint8 or uint16 arrays [H, W, 3], or float tensors [3, H, W] or
    [N, 3, H, W] with values in [0, 1]; gray ones, of `decolor`, arrays [H, W] or tensors with one
    channel. What goes in as one of these comes out as the same. The values are 8-bit ones, those of
    a tensor too; of an array those that `bits` says. What goes in is not changed.

    Where a device has too little memory for an image, a UserWarning says that the CPU goes on.

    A PIL image keeps its alpha, stays gray where it is gray (L, LA, 1), and keeps its colour
    profile, EXIF, XMP and DPI in `info`.

    Attributes:
        network: the invertible network, with `forward` and `inverse`.
        card: what is known of the model.
        weights_sha256: of its weights, by which a file names them.
        rescaler: that runs the network on the device.
        loaded: all of this, as the operations on files take it.
    """

    network: InvertibleNetwork
    card: Card

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "auto",
        precision: Precision = "auto",
        tile: int | None = None,
    ) -> None:
        network = checkpoint.network
        if not isinstance(network, InvertibleNetwork):
            raise UsageError(f"{checkpoint.card.name} is no rescaling model, nor one of colour")
        self.rescaler = Rescaler(network, device, precision, tile, given_up)
        self.loaded = LoadedModel(checkpoint, self.rescaler)
        self.network, self.card = network, checkpoint.card
        self.weights_sha256 = checkpoint.weights_sha256

    @property
    def name(self) -> str:
        """By which it was loaded; of a path the file name without its ending."""
        return self.card.name

    @property
    def task(self) -> Literal["rescale", "color"]:
        """What it does: `rescale` (downscale, upscale) or `color` (decolor, colorize)."""
        return self.network.config.task

    @property
    def scale(self) -> int:
        """Size of the large image over that of the small one; 1 of a colour model."""
        return self.network.config.scale

    def downscale(self, image: Kind, scale: float | None = None, *, bits: int = 8) -> Kind:
        """The small image of `image`: ceil(size / scale).

        Args:
            image: any of the kinds above.
            scale: more than 1, at most that of the model, which is the default.
            bits: of what is made: 8, or of an array 16.

        Raises:
            UsageError: no such image, an option out of range, or a colour model.
        """
        self._require("rescale")
        _check_bits(image, bits)

        def change(picture: Picture) -> Picture:
            visible = bleed(picture.pixels, picture.alpha)
            return remade(picture, self.rescaler.downscale(visible, scale, bits=bits))

        return changed(image, change)

    def upscale(
        self,
        image: Kind,
        seed: int | None = None,
        temperature: float | None = None,
        *,
        size: tuple[int, int] | None = None,
        scale: float | None = None,
        bits: int = 8,
    ) -> Kind:
        """The large image of an `image` that `downscale` made.

        Args:
            image: any of the kinds above.
            seed: of z; None: drawn.
            temperature: width of z in units of the recorded one; None: the model's default.
            size: width and height of the large image; None: size of `image` times the scale.
            scale: as given to `downscale`.
            bits: of what is made: 8, or of an array 16.

        Raises:
            UsageError: no such image, an option out of range, a size that is not of this small
                image, or a colour model.
        """
        self._require("rescale")
        _check_bits(image, bits)
        inverse = self._inverse(seed, temperature, size, scale, bits)
        return changed(image, lambda picture: remade(picture, inverse(picture.pixels)))

    def decolor(self, image: Kind, *, bits: int = 8) -> Kind:
        """The gray image of `image`, of its size, in which its colours lie hidden.

        Args:
            image: any of the kinds above.
            bits: of what is made: 8, or of an array 16.

        Returns:
            A PIL image L or LA, an array [H, W], a tensor [1, H, W] or [N, 1, H, W].

        Raises:
            UsageError: no such image, or a rescaling model.
        """
        self._require("color")
        _check_bits(image, bits)

        def change(picture: Picture) -> Picture:
            plane = self.rescaler.downscale(bleed(picture.pixels, picture.alpha), bits=bits)
            return remade(replace(picture, gray=True), plane.repeat(3, axis=2))

        return changed(image, change)

    def colorize(
        self,
        image: Kind,
        seed: int | None = None,
        temperature: float | None = None,
        *,
        bits: int = 8,
    ) -> Kind:
        """The image of a gray one that `decolor` made.

        Args:
            image: gray, as `decolor` returns it.
            seed: of z; None: drawn.
            temperature: width of z in units of the recorded one; None: the model's default.
            bits: of what is made: 8, or of an array 16.

        Raises:
            UsageError: no such image, one with colours, or a rescaling model.
        """
        self._require("color")
        _check_bits(image, bits)
        inverse = self._inverse(seed, temperature, None, None, bits)

        def change(picture: Picture) -> Picture:
            if not picture.gray:
                raise UsageError("an image with colours, expected a gray one, such as of decolor")
            return remade(replace(picture, gray=False), inverse(picture.pixels[:, :, :1]))

        return changed(image, change, gray=True)

    def save(
        self,
        small: Kind,
        file: File,
        *,
        size: tuple[int, int] | None = None,
        scale: float | None = None,
        bits: int = 8,
        format: Literal["png", "jpeg"] | None = None,  # noqa: A002
        quality: int = 95,
        overwrite: bool = False,
    ) -> None:
        """Write a small image, or a gray one, with the tag by which `restore` restores it.

        `size`, `scale` and `bits` are what `upscale` would have to be told; the file remembers it.
        `irn upscale` and `irn colorize` read the same tag. PNG loses nothing.

        Args:
            small: what `downscale` or `decolor` made; no batch.
            file: path, or a binary file open for writing.
            size: width and height of the large image; None: size of `small` times the scale.
            scale: as given to `downscale`.
            bits: of the large image, 8 or 16.
            format: None: by the suffix of the path, else PNG.
            quality: of JPEG, 1 to 100.
            overwrite: replace a file that exists.

        Raises:
            UsageError: no such image, an option out of range, a size that is not of this small
                image, or what the format cannot hold.
            OutputError: the file exists, or cannot be created.
            StorageError: the disk is full or fails.
        """
        if bits not in (8, 16):
            raise UsageError(f"bits is {bits}, expected 8 or 16")
        gray = self.task == "color"
        picture = to_picture(small, gray=gray)
        if gray and not picture.gray:
            raise UsageError("an image with colours, expected a gray one, such as of decolor")
        hr_size, scale = self.rescaler.settled(picture.size, size, scale)
        metadata = picture.metadata
        # A profile of colours has no place in a gray file: it waits in the tag.
        icc = metadata.icc or b"" if gray else b""

        def tag(content_sha256: str) -> Tag:
            return Tag(
                task=self.task, model=self.name, weights_sha256=self.weights_sha256, scale=scale,
                hr_size=hr_size, bits=bits, temperature=self.card.temperature, icc=icc,
                gray=picture.gray and not gray, content_sha256=content_sha256,
            )  # fmt: skip

        kept = replace(picture, metadata=replace(metadata, icc=None if gray else metadata.icc))
        made = encoder(kept, format_of(file, format), quality, tag)()
        write(file, made.data, overwrite=overwrite)
        warn(made.warnings)

    def _require(self, task: str) -> None:
        """Raise UsageError unless this is a model for the task."""
        if task != self.task:
            names = {"rescale": "downscale and upscale", "color": "decolor and colorize"}
            raise UsageError(f"{self.name} is a model for {names[self.task]}: load another")

    def _inverse(
        self,
        seed: int | None,
        temperature: float | None,
        size: tuple[int, int] | None,
        scale: float | None,
        bits: int,
    ) -> Callable[[Pixels], Pixels]:
        chosen_seed = draw_seed() if seed is None else seed
        width = self.card.temperature if temperature is None else temperature
        return lambda low: self.rescaler.upscale(
            np.ascontiguousarray(low), size, scale, seed=chosen_seed, temperature=width, bits=bits
        )


def load(
    name_or_path: str | os.PathLike[str],
    device: str = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
) -> Model:
    """A model by its name (`irn models list`) or the path of a checkpoint.

    Args:
        name_or_path: a shipped or imported name, a `.safetensors`, or a `.pth` of the reference.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: inside the dense blocks: `auto`, `fp32`, `bf16` or `fp16`.
        tile: side of a tile in HR pixels; 0: none; None: chosen.

    Raises:
        UnavailableError: no such model or device.
        CheckpointError: a damaged or foreign file.
        UsageError: a model that restores JPEG only, or an option out of range.
    """
    return Model(default_registry().load(str(name_or_path)), device, precision, tile)


def given_up(message: str) -> None:
    """Warn that the device was given up."""
    warnings.warn(message, UserWarning, stacklevel=2)


def _check_bits(image: Any, bits: int) -> None:
    if bits not in (8, 16) or (bits == 16 and not isinstance(image, np.ndarray)):
        raise UsageError(f"bits is {bits}, expected 8, or 16 with an array")
