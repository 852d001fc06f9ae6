"""Kinds of images that the Python interface accepts and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from irncli.engine.rescaler import resize_plane, to_gray
from irncli.errors import UsageError
from irncli.io.picture import Picture
from irncli.io.pillow import PillowImage, from_pillow, to_pillow
from irncli.pixels import Pixels, bits_of, to_bits

__all__ = ["Change", "Kind", "changed", "remade", "to_picture"]

Kind = TypeVar("Kind", PillowImage, Pixels, torch.Tensor)
"""A Pillow image, a uint8 or uint16 array, or a floating-point tensor."""
Change = Callable[[Picture], Picture]


def changed(image: Kind, change: Change, *, gray: bool = False) -> Kind:
    """Apply a change to an image, and return the result as the same kind of image.

    Args:
        image: an image of any kind.
        change: function that is applied to each image of a batch.
        gray: expect gray images: arrays [H, W], and tensors [1, H, W] or [N, 1, H, W].

    Raises:
        UsageError: the image is not of a supported kind.
    """
    if isinstance(image, torch.Tensor):
        batch = _batch(image, 1 if gray else 3)
        results = [_to_tensor(change(_of_tensor(item))).to(image) for item in batch]
        return results[0] if image.ndim == 3 else torch.stack(results)
    if isinstance(image, np.ndarray):
        after = change(to_picture(image, gray=gray))
        return after.pixels[:, :, 0] if after.gray else after.pixels
    return to_pillow(change(to_picture(image, gray=gray)))


def to_picture(image: PillowImage | Pixels | torch.Tensor, *, gray: bool = False) -> Picture:
    """Convert a single image of any kind to a Picture.

    Args:
        image: an image of any kind.
        gray: expect a gray image: an array [H, W], or a tensor [1, H, W] or [1, 1, H, W].

    Raises:
        UsageError: the image is not of a supported kind, or is a batch of several images.
    """
    if isinstance(image, torch.Tensor):
        batch = _batch(image, 1 if gray else 3)
        if len(batch) != 1:
            raise UsageError(
                f"found a batch of {len(batch)} images, expected one: pass them one by one"
            )
        return _of_tensor(batch[0])
    if isinstance(image, np.ndarray):
        fits = image.ndim == 2 if gray else image.ndim == 3 and image.shape[2] == 3
        if image.dtype not in (np.uint8, np.uint16) or not fits or image.size == 0:
            raise UsageError(
                f"found an array of {image.dtype} {list(image.shape)}, expected uint8 or uint16 "
                f"{'[H, W]' if gray else '[H, W, 3]'}"
            )
        return Picture(image[:, :, None].repeat(3, axis=2), gray=True) if gray else Picture(image)
    if isinstance(image, PillowImage):
        return from_pillow(image)
    raise UsageError(
        f"found {type(image).__name__}, expected a PIL image, a uint8 or uint16 array, or a float "
        "tensor"
    )


def remade(picture: Picture, pixels: Pixels) -> Picture:
    """Return the image with other pixels of any size; gray stays gray, and alpha is resized."""
    height, width = pixels.shape[:2]
    alpha = picture.alpha
    if alpha is not None:
        alpha = to_bits(alpha, bits_of(pixels))
        alpha = alpha if alpha.shape == (height, width) else resize_plane(alpha, height, width)
    gray = picture.gray
    return replace(picture, pixels=to_gray(pixels) if gray else pixels, alpha=alpha)


def _batch(image: torch.Tensor, channels: int) -> torch.Tensor:
    """Return a tensor as [N, C, H, W].

    Raises:
        UsageError: the tensor has another shape or type.
    """
    fits = image.ndim in (3, 4) and image.shape[-3] == channels and image.numel() > 0
    if not image.is_floating_point() or not fits:
        raise UsageError(
            f"found a tensor of {image.dtype} {list(image.shape)}, expected floating point "
            f"[{channels}, H, W] or [N, {channels}, H, W] with values in [0, 1]"
        )
    return image[None] if image.ndim == 3 else image


def _of_tensor(item: torch.Tensor) -> Picture:
    eight_bit = item.detach().float().clamp(0, 1).mul(255).round().byte()
    pixels = np.ascontiguousarray(eight_bit.permute(1, 2, 0).cpu().numpy())
    gray = pixels.shape[2] == 1
    return Picture(pixels.repeat(3, axis=2) if gray else pixels, gray=gray)


def _to_tensor(picture: Picture) -> torch.Tensor:
    values = picture.pixels[:, :, :1] if picture.gray else picture.pixels
    return torch.from_numpy(np.ascontiguousarray(values)).permute(2, 0, 1).float().div(255)
