"""Training images, decoded from directories, patterns and tar shards."""

from __future__ import annotations

import glob
import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray

from irncli.errors import DataError, ImageError, InputMissingError, StorageError
from irncli.io.formats import readable_suffixes
from irncli.io.image_file import decode
from irncli.io.paths import is_directory

__all__ = ["Images", "centre_crop", "load_images", "split"]

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
ONE_IN_VALIDATION = 24
"""One image in so many is held out for validation."""


@dataclass(frozen=True)
class Images:
    """Decoded training images, uint8 [3, H, W], and what was left out and why, a line each."""

    names: list[str] = field(default_factory=list)
    pixels: list[torch.Tensor] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def fingerprint(self) -> str:
        """Return a hash of names and sizes, which reveals a run that continues on other images."""
        digest = hashlib.sha256()
        for name, pixels in zip(self.names, self.pixels, strict=True):
            digest.update(
                f"{PurePosixPath(name).name} {list(pixels.shape)}\n".encode(errors="replace")
            )
        return digest.hexdigest()


def load_images(sources: Iterable[Path]) -> Images:
    """Decode all images in files, directories (recursively), glob patterns and tar shards.

    All formats that irn reads are accepted. Shards have the WebDataset layout and may be
    compressed. Damaged images and shards, and directories that cannot be read, are left out.

    Raises:
        InputMissingError: a source does not exist.
        StorageError: a file cannot be read.
        DataError: the sources hold no usable image.
    """
    images, sources = Images(), list(sources)
    for name, data in _files(sources, images.left_out):
        try:
            picture = decode(data)
        except ImageError:
            images.left_out.append(f"{name}: damaged")
            continue
        images.names.append(name)
        images.pixels.append(torch.from_numpy(picture.pixels).permute(2, 0, 1).contiguous())
    if not len(images):
        raise DataError(
            f"no usable image in {', '.join(map(str, sources))} ({len(images.left_out)} left out): "
            "give directories of images or tar shards"
        )
    return images


def _files(sources: Iterable[Path], left_out: list[str]) -> Iterator[tuple[str, bytes]]:
    suffixes = readable_suffixes()
    for source in sources:
        for path in _paths(source, left_out):
            if path.name.lower().endswith(SHARD_SUFFIXES):
                yield from _members(path, suffixes)
            # A file that was named is read whatever its suffix is.
            elif path == source or path.suffix.lower() in suffixes:
                yield str(path), _bytes(path)


def _paths(source: Path, left_out: list[str]) -> list[Path]:
    if is_directory(source):
        return sorted(_below(source, left_out))
    if os.path.isfile(source):  # noqa: PTH113 -- False, not an error, where one may not look
        return [source]
    matches = sorted(glob.glob(str(source), recursive=True))  # noqa: PTH207 -- absolute patterns too
    if not matches:
        raise InputMissingError(
            f"no images at {source}: give a directory, a pattern or a tar shard"
        )
    return [path for match in matches for path in _paths(Path(match), left_out)]


def _below(directory: Path, left_out: list[str]) -> Iterator[Path]:
    """Yield the files in a directory and its subdirectories."""

    def note(error: OSError) -> None:
        left_out.append(f"{error.filename}: cannot be read ({error.strerror})")

    for folder, _, names in os.walk(directory, onerror=note):
        paths = (Path(folder, name) for name in names)
        yield from (path for path in paths if os.path.isfile(path))  # noqa: PTH113 -- as above


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def _members(shard: Path, suffixes: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the images of a tar shard without unpacking it to disk.

    The last item of a damaged shard has empty data, so that the shard is recorded as damaged.
    """
    try:
        with tarfile.open(shard) as archive:
            for member in archive:
                if PurePosixPath(member.name).suffix.lower() not in suffixes:
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    yield f"{shard.name}/{member.name}", file.read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        yield str(shard), b""
    except OSError as error:
        raise StorageError(f"cannot read {shard}: {error.strerror or error}") from error


def split(images: Images) -> tuple[Images, Images]:
    """Split images into training and validation images.

    One image in 24 is held out, chosen by the hash of its name, so the choice does not depend on
    the order or on the other images. If one side would be empty, the image with the smallest hash
    is held out. A single image is on both sides.
    """
    hashes = [_hash(name) for name in images.names]
    chosen = [value % ONE_IN_VALIDATION == 0 for value in hashes]
    if all(chosen) or not any(chosen):
        smallest = min(range(len(hashes)), key=lambda k: (hashes[k], images.names[k]))
        chosen = [k == smallest for k in range(len(hashes))]
    train, held_out = Images(left_out=images.left_out), Images()
    for name, pixels, out in zip(images.names, images.pixels, chosen, strict=True):
        side = held_out if out else train
        side.names.append(name)
        side.pixels.append(pixels)
    return (images if not len(train) else train), held_out


def _hash(name: str) -> int:
    """Return a hash of the name of an image without its directory."""
    return zlib.crc32(PurePosixPath(name).name.encode("utf-8", "surrogateescape"))


def centre_crop(pixels: torch.Tensor, scale: int, most: int) -> NDArray[np.uint8]:
    """Return the centre of an image, [H, W, 3], with sides that are multiples of `scale`.

    Args:
        pixels: uint8 [3, H, W].
        scale: number of which the sides are multiples.
        most: largest side in pixels.
    """
    _, height, width = pixels.shape
    rows, columns = (min(size, most) // scale * scale for size in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[:, top : top + rows, left : left + columns].permute(1, 2, 0).numpy()
