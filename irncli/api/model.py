"""The Python interface for images in memory, such as `irncli.load("irn-x4").downscale(image)`."""

from __future__ import annotations

import os
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
from irncli.io.encoding import LOSSLESS_OR_JPEG
from irncli.io.picture import Picture
from irncli.io.tag import Tag
from irncli.model import InvertibleNetwork
from irncli.operations.models import LoadedModel
from irncli.operations.result import encoder
from irncli.pixels import Pixels
from irncli.zoo.checkpoint import Card, Checkpoint
from irncli.zoo.registry import default_registry

__all__ = ["Model", "load"]


class Model:
    """A model on a device, which makes images small or gray and restores them.

    Images are PIL images, uint8 or uint16 arrays [H, W, 3], or floating-point tensors [3, H, W] or
    [N, 3, H, W] with values in [0, 1]. The gray images of `decolor` are PIL images, arrays [H, W],
    or tensors with one channel. Methods return an image of the same kind as their argument, which
    they leave unchanged. The returned values have 8 bits, also in tensors; arrays have as many bits
    as the argument `bits` says.

    If a device has too little memory for an image, the CPU takes over and a UserWarning is issued.

    A PIL image keeps its alpha, its colour profile, EXIF, XMP and DPI in `info`, and a gray image
    (L, LA, 1) stays gray.

    Attributes:
        network: the invertible network, with `forward` and `inverse`.
        card: model card with data, licence, recipe and measurements.
        weights_sha256: SHA-256 of the weights, as stored in tags.
        rescaler: rescaler that runs the network on the device.
        loaded: the model in the form that operations on files take.
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
            raise UsageError(f"{checkpoint.card.name} is not a rescaling or colour model")
        self.rescaler = Rescaler(network, device, precision, tile, warn)
        self.loaded = LoadedModel(checkpoint, self.rescaler)
        self.network, self.card = network, checkpoint.card
        self.weights_sha256 = checkpoint.weights_sha256

    def __repr__(self) -> str:
        """Return the name, the task, the scale, the device and the start of the weights' hash."""
        parts = [repr(self.name), f"task={self.task!r}", f"scale={self.scale}"]
        parts.append(f"device={str(self.network.latent_sigma.device)!r}")
        return f"Model({', '.join(parts)}, weights={self.weights_sha256[:12]!r})"

    @property
    def name(self) -> str:
        """Name by which the model was loaded; for a path, the file name without its suffix."""
        return self.card.name

    @property
    def task(self) -> Literal["rescale", "color"]:
        """Task of the model: `rescale` (downscale, upscale) or `color` (decolor, colorize)."""
        return self.network.config.task

    @property
    def scale(self) -> int:
        """Size of the large image over that of the small one; 1 for a colour model."""
        return self.network.config.scale

    def downscale(self, image: Kind, scale: float | None = None, *, bits: int = 8) -> Kind:
        """Return the small image of `image`; width and height are ceil(size / scale).

        Args:
            image: an image of any kind listed in the documentation of the class.
            scale: HR size over LR size, more than 1 and at most the scale of the model; None: the
                scale of the model.
            bits: bits per channel of the small image: 8, or 16 for an array.

        Raises:
            UsageError: the image is not of these kinds, an option is out of range, or this is a
                colour model.
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
        """Return the large image of an `image` that `downscale` made.

        Args:
            image: an image of any kind listed in the documentation of the class.
            seed: random seed of z, 0 to 2**64 - 1; None: drawn at random.
            temperature: width of z, 0 to 100, as a multiple of the recorded standard deviations;
                None: the default of the model.
            size: width and height of the large image in pixels; None: size of `image` times the
                scale.
            scale: scale that was given to `downscale`.
            bits: bits per channel of the large image: 8, or 16 for an array.

        Raises:
            UsageError: the image is not of these kinds, an option is out of range, `size` does not
                match the small image, or this is a colour model.
        """
        self._require("rescale")
        _check_bits(image, bits)
        inverse = self._inverse(seed, temperature, size, scale, bits)
        return changed(image, lambda picture: remade(picture, inverse(picture.pixels)))

    def decolor(self, image: Kind, *, bits: int = 8) -> Kind:
        """Return a gray image of the same size, which hides the colours of `image`.

        Args:
            image: an image of any kind listed in the documentation of the class.
            bits: bits per channel of the gray image: 8, or 16 for an array.

        Returns:
            A PIL image L or LA, an array [H, W], or a tensor [1, H, W] or [N, 1, H, W].

        Raises:
            UsageError: the image is not of these kinds, an option is out of range, or this is a
                rescaling model.
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
        """Return the colour image of a gray `image` that `decolor` made.

        Args:
            image: gray image as returned by `decolor`.
            seed: random seed of z, 0 to 2**64 - 1; None: drawn at random.
            temperature: width of z, 0 to 100, as a multiple of the recorded standard deviations;
                None: the default of the model.
            bits: bits per channel of the colour image: 8, or 16 for an array.

        Raises:
            UsageError: the image is not of these kinds or has colours, an option is out of range,
                or this is a rescaling model.
        """
        self._require("color")
        _check_bits(image, bits)
        inverse = self._inverse(seed, temperature, None, None, bits)

        def change(picture: Picture) -> Picture:
            if not picture.gray:
                raise UsageError("found an image with colours, expected a gray one made by decolor")
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
        format: Literal["png", "jpeg", "webp"] | None = None,  # noqa: A002
        quality: int = 95,
        overwrite: bool = False,
    ) -> None:
        """Write a small or gray image with the tag that `restore` needs.

        `size`, `scale` and `bits` are those that `upscale` would need; the tag stores them, so that
        `restore`, `irn upscale` and `irn colorize` need no options. PNG and WebP are lossless.

        Args:
            small: a single image made by `downscale` or `decolor`, not a batch.
            file: path, or a binary file open for writing.
            size: width and height of the large image in pixels; None: size of `small` times the
                scale.
            scale: scale that was given to `downscale`.
            bits: bits per channel of the large image, 8 or 16.
            format: format of the file; None: chosen by the suffix of the path, or PNG.
            quality: quality of a JPEG, 1 to 100.
            overwrite: replace an existing file.

        Raises:
            UsageError: the image is not of these kinds, an option is out of range, `size` does not
                match the small image, or the format cannot hold the image.
            OutputError: the file exists, or cannot be created.
            StorageError: the disk is full or fails.
        """
        if bits not in (8, 16):
            raise UsageError(f"bits is {bits}, expected 8 or 16")
        gray = self.task == "color"
        picture = to_picture(small, gray=gray)
        if gray and not picture.gray:
            raise UsageError("found an image with colours, expected a gray one made by decolor")
        hr_size, scale = self.rescaler.settled(picture.size, size, scale)
        metadata = picture.metadata
        # A gray file cannot store a colour profile, so the tag stores it.
        icc = metadata.icc or b"" if gray else b""

        def tag(content_sha256: str) -> Tag:
            return Tag(
                task=self.task, model=self.name, weights_sha256=self.weights_sha256, scale=scale,
                hr_size=hr_size, bits=bits, temperature=self.card.temperature, icc=icc,
                gray=picture.gray and not gray, content_sha256=content_sha256,
            )  # fmt: skip

        kept = replace(picture, metadata=replace(metadata, icc=None if gray else metadata.icc))
        chosen = format_of(file, format, LOSSLESS_OR_JPEG, "png")
        made = encoder(kept, chosen, quality, tag, lossless=True)()
        write(file, made.data, overwrite=overwrite)
        warn(*made.warnings)

    def _require(self, task: str) -> None:
        """Raise UsageError unless this model is for the task."""
        if task != self.task:
            names = {"rescale": "downscale and upscale", "color": "decolor and colorize"}
            raise UsageError(f"{self.name} is a model for {names[self.task]}: load another model")

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
    """Load a model by name (see `irn models list`) or by the path of a checkpoint.

    Args:
        name_or_path: name of a shipped or imported model, or path of a `.safetensors` file or of a
            `.pth` file of the reference.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        precision: floating-point precision of the dense blocks: `auto`, `fp32`, `bf16` or `fp16`.
        tile: side of a tile in HR pixels, at least 64; 0: no tiles; None: chosen automatically.

    Raises:
        UnavailableError: there is no such model or device.
        CheckpointError: the file is damaged or is not a checkpoint.
        UsageError: the model only restores JPEG, or an option is out of range.
    """
    return Model(default_registry().load(str(name_or_path)), device, precision, tile)


def _check_bits(image: Any, bits: int) -> None:
    if bits not in (8, 16) or (bits == 16 and not isinstance(image, np.ndarray)):
        raise UsageError(f"bits is {bits}, expected 8, or 16 with an array")
