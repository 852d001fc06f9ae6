"""Random crops with their targets, from images held as bytes on the device.

The draws of a step depend only on the seed, the step and the batch size, so a resumed run draws
what the uninterrupted run would have drawn. Each rank takes its share of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.engine.tensors import upload
from irncli.model.bicubic import resize_matrix
from irncli.model.transforms import YUV_ROWS
from irncli.train.hard import hard_crop

__all__ = ["CropSampler", "to_luma"]

ZOOMS = 8
"""Number of zoom factors, from 1 to the smallest, of which each step draws one."""
DEVICE_SHARE = 0.25
"""Share of the free memory of a GPU that the images may take."""

Indices = NDArray[np.int64]


def to_luma(rgb: torch.Tensor) -> torch.Tensor:
    """Convert RGB to luma: [N, 3, H, W] to [N, 1, H, W]."""
    weights = torch.tensor(YUV_ROWS[0], device=rgb.device, dtype=rgb.dtype)
    return torch.einsum("c,nchw->nhw", weights, rgb)[:, None]


@dataclass(frozen=True)
class _Store:
    """Concatenated values of all images, uint8, with the start and size of each image."""

    values: torch.Tensor
    starts: Indices
    heights: Indices
    widths: Indices

    @classmethod
    def pack(cls, images: Sequence[torch.Tensor]) -> _Store:
        sizes = np.array([image.numel() for image in images], np.int64)
        values = torch.empty(int(sizes.sum()), dtype=torch.uint8)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        for start, image in zip(starts, images, strict=True):
            values[start : start + image.numel()] = image.flatten()
        heights, widths = (np.array([p.shape[k] for p in images], np.int64) for k in (1, 2))
        return cls(values, starts, heights, widths)

    def on(self, device: torch.device) -> _Store:
        """Return the store on a GPU if it fits there."""
        fits = _fits(self.values.numel(), device)
        return replace(self, values=self.values.to(device)) if fits else self


def _fits(size: int, device: torch.device) -> bool:
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return size < DEVICE_SHARE * free


class CropSampler:
    """Sampler of random crops, flipped and transposed, each with its target.

    The LR target of a crop equals the same region of the bicubic LR of the whole image: the target
    is computed from the crop and the few surrounding pixels that the kernel reads, mirrored at the
    borders of the image and not at those of the crop. At scale 1 (colour) the target is the luma.

    Args:
        images: training images, uint8 [3, H, W] each; larger images are drawn more often.
        scale: HR size divided by LR size.
        device: device on which crops are returned.
        seed: random seed of all draws.
        zoom_least: smallest factor by which images are shrunk bicubically; the largest is 1.
        hard: probability that a crop is replaced by a synthetic one (`irncli.train.hard`).
        rank: number of this process, which draws crops rank, rank + ranks, ... of each batch.
        ranks: number of processes.
    """

    def __init__(
        self,
        images: Sequence[torch.Tensor],
        scale: int,
        device: torch.device,
        seed: int,
        *,
        zoom_least: float = 1.0,
        hard: float = 0.0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.scale, self.device, self.seed, self.hard = scale, device, seed, hard
        self.share = slice(rank, None, ranks)
        self.margin = 4 * scale
        self.zooms = np.linspace(1, zoom_least, ZOOMS) if zoom_least < 1 else np.ones(1)
        # On a GPU, synthetic crops are still drawn from the images in the memory of the CPU: the
        # pixels of a crop would have to wait for the steps before.
        self.host_store = _Store.pack(images)
        self.store = self.host_store.on(device)
        areas = (self.store.heights * self.store.widths).astype(np.float64)
        self.weights = areas / areas.sum()

    def draw(self, step: int, count: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw this rank's crops of a step.

        Args:
            step: number of the step, from 0.
            count: number of crops of all ranks together.
            side: side of a crop in HR pixels, a multiple of the scale.

        Returns:
            HR crops [n, 3, side, side] in [0, 1] and their targets, float32, on the device.
        """
        rng = np.random.default_rng((self.seed, step))
        zoom = float(rng.choice(self.zooms))
        chosen = rng.choice(len(self.weights), count, p=self.weights)[self.share]
        places, turns = rng.random((count, 2))[self.share], rng.integers(8, size=count)[self.share]
        wide = self._windows(self.store, chosen, places, turns, side, zoom).to(self.device)
        hard, drawn = [], []
        for k, number in enumerate(range(count)[self.share]):
            rng = np.random.default_rng((self.seed, step, number, 2))
            if rng.random() < self.hard:
                one = slice(k, k + 1)
                photo = self._windows(
                    self.host_store, chosen[one], places[one], turns[one], side, zoom
                )
                pixels = photo[0].mul(255).round().byte().permute(1, 2, 0).numpy()
                hard.append(k)
                drawn.append(hard_crop(rng, pixels))
        if hard:
            synthetic = upload(np.stack(drawn), self.device).permute(0, 3, 1, 2)
            wide[upload(np.array(hard), self.device)] = synthetic.float().div_(255)
        margin = self.margin
        hr = wide[:, :, margin:-margin, margin:-margin].contiguous()
        if self.scale == 1:
            return hr, to_luma(hr)
        matrix = upload(_target_matrix(side, margin, self.scale).numpy(), self.device)
        return hr, matrix @ wide @ matrix.T

    def _windows(
        self,
        store: _Store,
        chosen: Indices,
        places: NDArray[np.float64],
        turns: Indices,
        side: int,
        zoom: float,
    ) -> torch.Tensor:
        """Return crops with their margins, float32 in [0, 1], where the store is."""
        whole = side + 2 * self.margin
        source = round(whole / zoom)
        first, second, strides = self._axes(chosen, places, turns, source)
        planes = store.heights[chosen] * store.widths[chosen]
        starts = store.starts[chosen][:, None] + planes[:, None] * np.arange(3)
        channel, row, column = (
            upload(indices, store.values.device)
            for indices in (starts, first * strides[:, :1], second * strides[:, 1:])
        )
        index = channel[:, :, None, None] + row[:, None, :, None] + column[:, None, None, :]
        pixels = store.values[index].float().div_(255)
        if source == whole:
            return pixels
        matrix = upload(resize_matrix(source, whole).float().numpy(), pixels.device)
        return (matrix @ pixels @ matrix.T).clamp_(0, 1).mul_(255).round_().div_(255)

    def _axes(
        self, chosen: Indices, places: NDArray[np.float64], turns: Indices, source: int
    ) -> tuple[Indices, Indices, Indices]:
        """Return indices along both axes of each window, in one of 8 orientations, and strides."""
        heights, widths = self.store.heights[chosen], self.store.widths[chosen]
        rows, columns = (
            self._mirrored(sizes, places[:, k], source) for k, sizes in enumerate((heights, widths))
        )
        rows = np.where((turns & 1)[:, None] > 0, rows[:, ::-1], rows)
        columns = np.where((turns & 2)[:, None] > 0, columns[:, ::-1], columns)
        transposed = (turns & 4) > 0
        first = np.where(transposed[:, None], columns, rows)
        second = np.where(transposed[:, None], rows, columns)
        ones = np.ones_like(widths)
        strides = np.stack((widths, ones), axis=1)
        strides[transposed] = strides[transposed][:, ::-1]
        return first, second, strides

    def _mirrored(self, sizes: Indices, places: NDArray[np.float64], source: int) -> Indices:
        """Return indices of windows on the LR grid; mirroring repeats the edge pixel."""
        inner = source - 2 * self.margin
        choices = np.maximum((sizes - inner) // self.scale + 1, 1)
        starts = self.scale * np.floor(places * choices).astype(np.int64) - self.margin
        period = np.remainder(starts[:, None] + np.arange(source), 2 * sizes[:, None])
        mirrored: Indices = np.minimum(period, 2 * sizes[:, None] - 1 - period)
        return mirrored


def _target_matrix(side: int, margin: int, scale: int) -> torch.Tensor:
    """Return the rows of the whole-image resizing matrix for a crop inside its margin."""
    whole = side + 2 * margin
    matrix = resize_matrix(whole, whole // scale)
    return matrix[margin // scale : -(margin // scale)].float()
