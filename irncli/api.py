"""The Python interface: `irncli.load("irn-x4").downscale(image)` and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from irncli.engine.device import Precision
from irncli.engine.latent import draw_seed
from irncli.engine.rescaler import Pixels, Rescaler
from irncli.errors import UsageError
from irncli.model import InvertibleNetwork
from irncli.zoo.checkpoint import Card, Checkpoint
from irncli.zoo.registry import default_registry

__all__ = ["Model", "load"]


class Model:
    """A rescaling model on a device.

    Pictures are PIL images, uint8 or uint16 arrays [H, W, 3], or float tensors [3, H, W] or
    [N, 3, H, W] with values in [0, 1]; what goes in as one of these comes out as the same. The
    values are 8-bit ones, those of a tensor too; of an array those that `bits` says.

    Attributes:
        network: the invertible network, with `forward` and `inverse`.
        card: what is known of the model.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "auto",
        precision: Precision = "auto",
        tile: int | None = None,
    ) -> None:
        network = checkpoint.network
        if not isinstance(network, InvertibleNetwork) or network.config.task != "rescale":
            raise UsageError(f"{checkpoint.card.name} is no rescaling model")
        self.network = network
        self.card: Card = checkpoint.card
        self.weights_sha256 = checkpoint.weights_sha256
        self.rescaler = Rescaler(network, device, precision, tile)

    def downscale(self, image: Any, scale: float | None = None, *, bits: int = 8) -> Any:
        """The small picture of `image`: ceil(size / scale).

        Args:
            image: any of the kinds above.
            scale: more than 1, at most that of the model, which is the default.
            bits: 8, or of an array 16.
        """
        _check_bits(image, bits)
        return _convert(image, lambda pixels: self.rescaler.downscale(pixels, scale, bits=bits))

    def upscale(
        self,
        image: Any,
        seed: int | None = None,
        temperature: float | None = None,
        *,
        size: tuple[int, int] | None = None,
        scale: float | None = None,
        bits: int = 8,
    ) -> Any:
        """The large picture of an `image` that `downscale` made.

        Args:
            image: any of the kinds above.
            seed: of z; None: drawn.
            temperature: width of z in units of the recorded one; None: the model's default.
            size: width and height of the large picture; None: size of `image` times the scale.
            scale: as given to `downscale`.
            bits: 8, or of an array 16.
        """
        _check_bits(image, bits)
        chosen_seed = draw_seed() if seed is None else seed
        width = self.card.temperature if temperature is None else temperature
        return _convert(
            image,
            lambda pixels: self.rescaler.upscale(
                pixels, size, scale, seed=chosen_seed, temperature=width, bits=bits
            ),
        )


def load(
    name_or_path: str,
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
        UsageError: no rescaling model, or an option out of range.
    """
    return Model(default_registry().load(str(name_or_path)), device, precision, tile)


def _check_bits(image: Any, bits: int) -> None:
    if bits not in (8, 16) or (bits == 16 and not isinstance(image, np.ndarray)):
        raise UsageError(f"bits is {bits}, expected 8, or 16 with an array")


def _convert(image: Any, change: Any) -> Any:
    """Apply a change of pixels to a picture of any kind, and give back that kind."""
    if isinstance(image, torch.Tensor):
        return _convert_tensor(image, change)
    if isinstance(image, np.ndarray):
        if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or image.shape[2] != 3:
            raise UsageError(
                f"array of {image.dtype} {list(image.shape)}, expected uint8 or uint16 [H, W, 3]"
            )
        return change(image)
    if hasattr(image, "convert") and hasattr(image, "tobytes"):
        from irncli.io.images import from_pillow, to_pillow

        return to_pillow(change(from_pillow(image)))
    raise UsageError(
        f"{type(image).__name__}, expected a PIL image, a uint8 or uint16 array or a float tensor"
    )


def _convert_tensor(image: torch.Tensor, change: Any) -> torch.Tensor:
    if not image.is_floating_point() or image.ndim not in (3, 4) or image.shape[-3] != 3:
        raise UsageError(
            f"tensor of {image.dtype} {list(image.shape)}, expected floating point "
            "[3, H, W] or [N, 3, H, W] with values in [0, 1]"
        )
    batch = image[None] if image.ndim == 3 else image
    results = [_to_tensor(change(_to_pixels(item))).to(image) for item in batch]
    return results[0] if image.ndim == 3 else torch.stack(results)


def _to_pixels(item: torch.Tensor) -> Pixels:
    eight_bit = item.detach().float().clamp(0, 1).mul(255).round().byte()
    return np.ascontiguousarray(eight_bit.permute(1, 2, 0).cpu().numpy())


def _to_tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float().div(255)
