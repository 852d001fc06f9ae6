"""Pictures to train on: folders and tar shards in, batches of crops with their LR targets out."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.errors import DataError, ImageError, InputMissingError, StorageError
from irncli.io.images import decode
from irncli.model.bicubic import resize_matrix

__all__ = ["CropSampler", "Pictures", "load_pictures", "split"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm"})
VALIDATION_SHARE = 24


@dataclass(frozen=True)
class Pictures:
    """Decoded training pictures, uint8 [3, H, W], and the files that were damaged."""

    names: list[str] = field(default_factory=list)
    pixels: list[torch.Tensor] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pixels)


def load_pictures(sources: Iterable[Path]) -> Pictures:
    """Decode every picture of the given files and tar shards, and of folders of either.

    Damaged pictures are counted and named, not fatal.

    Raises:
        InputMissingError: a source is not there.
        DataError: not one usable picture in all of them.
    """
    pictures = Pictures()
    for name, data in _files(sources):
        try:
            picture = decode(data)
        except ImageError:
            pictures.damaged.append(name)
            continue
        pictures.names.append(name)
        pictures.pixels.append(torch.from_numpy(picture.pixels).permute(2, 0, 1).contiguous())
    if not len(pictures):
        raise DataError(
            f"no usable picture among the training data ({len(pictures.damaged)} damaged): "
            "give folders of pictures or tar shards"
        )
    return pictures


def _files(sources: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for source in sources:
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if path.suffix.lower() in IMAGE_SUFFIXES | {".tar"} and path.is_file():
                    yield from _file(path)
        elif source.is_file():
            yield from _file(source)
        else:
            raise InputMissingError(f"no training data at {source}: give a folder or a tar shard")


def _file(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix.lower() == ".tar":
        yield from _members(path)
        return
    try:
        yield str(path), path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def _members(shard: Path) -> Iterator[tuple[str, bytes]]:
    """Pictures of a tar shard (WebDataset layout); nothing is unpacked to disk."""
    try:
        with tarfile.open(shard) as archive:
            for member in archive:
                if PurePosixPath(member.name).suffix.lower() not in IMAGE_SUFFIXES:
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield f"{shard.name}/{member.name}", file.read()
    except tarfile.TarError as error:
        raise DataError(f"{shard} is no whole tar file: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot read {shard}: {error.strerror or error}") from error


def split(pictures: Pictures) -> tuple[Pictures, Pictures]:
    """Training and validation pictures: one in 24 is held out, chosen by the hash of its name.

    The choice does not depend on order or on what else is there. With fewer than two pictures on
    either side the first picture serves as both.
    """
    train, held_out = Pictures(damaged=pictures.damaged), Pictures()
    for name, pixels in zip(pictures.names, pictures.pixels, strict=True):
        stem = PurePosixPath(name).name.encode("utf-8", "surrogateescape")
        side = held_out if zlib.crc32(stem) % VALIDATION_SHARE == 0 else train
        side.names.append(name)
        side.pixels.append(pixels)
    if not len(held_out) or not len(train):
        first = Pictures(pictures.names[:1], pictures.pixels[:1])
        return pictures, first
    return train, held_out


class CropSampler:
    """Random crops, flipped and transposed, each with the bicubic LR of its place.

    A crop's LR target equals that region of the bicubic LR of the whole picture: it is computed
    from the crop and the few pixels around it that the kernel reads, mirrored at the borders of
    the picture and not at those of the crop.
    """

    def __init__(
        self, pictures: Sequence[torch.Tensor], scale: int, generator: torch.Generator
    ) -> None:
        self.scale = scale
        self.generator = generator
        self.margin = 4 * scale
        self.pictures = pictures
        areas = torch.tensor([float(p.shape[1] * p.shape[2]) for p in pictures])
        self.weights = areas / areas.sum()

    def _randint(self, high: int) -> int:
        return int(torch.randint(max(high, 1), (), generator=self.generator))

    def draw(self, count: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
        """HR [count, 3, side, side] in [0, 1] and its bicubic LR, float32."""
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=self.generator)
        wide = torch.stack([self._crop(self.pictures[int(i)], side) for i in chosen]).float() / 255
        margin = self.margin
        matrix = _target_matrix(side, margin, self.scale)
        low = matrix @ wide @ matrix.T
        return wide[:, :, margin:-margin, margin:-margin].contiguous(), low

    def _crop(self, picture: torch.Tensor, side: int) -> torch.Tensor:
        """A crop with its margin, aligned to the grid of LR, in one of eight orientations."""
        _, height, width = picture.shape
        top = self.scale * self._randint((height - side) // self.scale + 1)
        left = self.scale * self._randint((width - side) // self.scale + 1)
        rows = _mirrored(top - self.margin, side + 2 * self.margin, height)
        columns = _mirrored(left - self.margin, side + 2 * self.margin, width)
        crop = picture[:, rows][:, :, columns]
        turn = self._randint(8)
        if turn & 1:
            crop = crop.flip(1)
        if turn & 2:
            crop = crop.flip(2)
        return crop.transpose(1, 2) if turn & 4 else crop


def _mirrored(start: int, count: int, size: int) -> torch.Tensor:
    """Indices start..start+count-1 of an axis that is mirrored with its edge pixel repeated."""
    period = torch.remainder(torch.arange(start, start + count), 2 * size)
    return torch.where(period < size, period, 2 * size - 1 - period)


def _target_matrix(side: int, margin: int, scale: int) -> torch.Tensor:
    """Rows of the whole-picture resizing matrix that belong to a crop inside its margin."""
    whole = side + 2 * margin
    matrix = resize_matrix(whole, whole // scale)
    return matrix[margin // scale : -(margin // scale)].float()


def centre_crop(pixels: torch.Tensor, scale: int, most: int) -> NDArray[np.uint8]:
    """The middle of a picture, at most `most` pixels a side, sides multiples of the scale, HWC."""
    _, height, width = pixels.shape
    rows, columns = (min(size, most) // scale * scale for size in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[:, top : top + rows, left : left + columns].permute(1, 2, 0).numpy()
