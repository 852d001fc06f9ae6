"""Synthetic images unlike photographs: a share of the training crops, and a set for validation.

Networks trained only on photographs turn a checkerboard into a flat patch of colour, and give a
tint to colour noise. Each kind of image is a function of a random generator and a photographic crop
(uint8 [H, W, 3]) that returns an image of the same shape and type, without side effects.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from irncli.io.text import draw_text

__all__ = ["KINDS", "hard_crop", "hard_images"]

Image = NDArray[np.uint8]
Values = NDArray[np.float64]
Generator = np.random.Generator

BAYER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) * 16
"""Thresholds of ordered dithering, in code values."""
INKS = 4
"""Levels per channel of posterised pixel art."""
TEXT = np.array([chr(code) for code in range(33, 127)])


def _as_image(values: Values) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _two_colours(mask: NDArray[np.bool_], rng: Generator) -> Image:
    first, second = _colour(rng), _colour(rng)
    return _as_image(np.where(mask[..., None], first, second))


def _colour(rng: Generator) -> Values:
    """Draw a colour; half of them are gray, and a third are at the corners of the RGB cube."""
    colour: Values = rng.uniform(0, 255, 3)
    if rng.random() < 0.5:
        colour[:] = colour[0]
    if rng.random() < 0.35:
        colour = np.where(colour > 127, 255.0, 0.0)
    return colour


def _grid(photo: Image) -> NDArray[np.int_]:
    """Return the row and the column of each pixel, [2, H, W]."""
    return np.indices(photo.shape[:2])


def stripes(rng: Generator, photo: Image) -> Image:
    """Draw horizontal, vertical or diagonal stripes of 1 to 4 pixels in two colours."""
    rows, columns = _grid(photo)
    along = (rows, columns, rows + columns)[rng.integers(3)]
    return _two_colours((along // rng.integers(1, 5)) % 2 > 0, rng)


def checker(rng: Generator, photo: Image) -> Image:
    """Draw a checkerboard of two colours with squares of 1 to 4 pixels."""
    rows, columns = _grid(photo)
    side = rng.integers(1, 5)
    return _two_colours((rows // side + columns // side) % 2 > 0, rng)


def scan_lines(rng: Generator, photo: Image) -> Image:
    """Darken every other line, or shift it sideways as in interlaced video."""
    image = photo.astype(np.float64)
    period = rng.integers(1, 3)
    lines = (np.arange(len(image)) // period) % 2 > 0
    if rng.random() < 0.5:
        image[lines] *= rng.uniform(0, 0.8)
    else:
        image[lines] = np.roll(image, rng.integers(1, 5), axis=1)[lines]
    return _as_image(image)


def ordered_dither(rng: Generator, photo: Image) -> Image:
    """Dither to black and white with a 4x4 Bayer matrix or a rotated halftone screen."""
    gray = photo.mean(axis=2)
    rows, columns = _grid(photo)
    if rng.random() < 0.5:
        threshold = BAYER[rows % 4, columns % 4]
    else:
        angle, period = rng.uniform(0, np.pi / 2), rng.uniform(3, 8)
        along = 2 * np.pi / period * (columns * np.cos(angle) + rows * np.sin(angle))
        across = 2 * np.pi / period * (rows * np.cos(angle) - columns * np.sin(angle))
        threshold = 127.5 + 127.5 * np.sin(along) * np.sin(across)
    return _as_image(np.repeat(255.0 * (gray > threshold)[..., None], 3, axis=2))


def random_dither(rng: Generator, photo: Image) -> Image:
    """Dither to black and white with random thresholds, per pixel or per channel."""
    shape = photo.shape if rng.random() < 0.3 else (*photo.shape[:2], 1)
    source = photo if shape == photo.shape else photo.mean(axis=2, keepdims=True)
    return _as_image(255.0 * (source > rng.uniform(0, 255, shape)) * np.ones(3))


def diffused_dither(rng: Generator, photo: Image) -> Image:
    """Dither the gray image, or each channel, to 2 or 3 levels by error diffusion.

    Source: Floyd and Steinberg, 1976.
    """
    channels = photo.mean(axis=2, keepdims=True) if rng.random() < 0.5 else photo
    return _as_image(_diffuse(channels.astype(np.float64), int(rng.integers(2, 4))) * np.ones(3))


def _diffuse(image: Values, levels: int) -> Values:
    """Quantise an image to `levels` levels and diffuse the errors.

    Pixels with the same sum of column and twice the row do not depend on each other, so each such
    line is computed in one numpy operation.
    """
    height, width, channels = image.shape
    work = np.zeros((height + 1, width + 2, channels))
    work[:-1, 1:-1] = image
    step = 255 / (levels - 1)
    for line in range(width + 2 * height - 2):
        rows = np.arange(max(0, -(-(line - width + 1) // 2)), min(height - 1, line // 2) + 1)
        columns = line - 2 * rows + 1
        old = work[rows, columns]
        new = np.clip(np.rint(old / step), 0, levels - 1) * step
        work[rows, columns] = new
        for down, right, weight in ((0, 1, 7), (1, -1, 3), (1, 0, 5), (1, 1, 1)):
            work[rows + down, columns + right] += (old - new) * weight / 16
    return work[:-1, 1:-1]


def pixel_art(rng: Generator, photo: Image) -> Image:
    """Divide the photograph into flat cells of 2 to 8 pixels, posterised half of the time."""
    rows, columns = _grid(photo)
    side = rng.integers(2, 9)
    image = photo[rows // side * side, columns // side * side].astype(np.float64)
    if rng.random() < 0.5:
        step = 255 / (INKS - 1)
        image = np.rint(image / step) * step
    return _as_image(image)


def blocks(rng: Generator, photo: Image) -> Image:
    """Draw flat rectangles of 4 to 47 pixels in random colours, more than half saturated."""
    rows, columns = _grid(photo)
    side = rng.integers(4, 48)
    shape = (len(rows) // side + 1, rows.shape[1] // side + 1, 3)
    if rng.random() < 0.6:
        colours = rng.integers(0, 2, shape) * 255.0
    else:
        colours = rng.uniform(0, 255, shape)
    return _as_image(colours[rows // side, columns // side])


def flat(rng: Generator, photo: Image) -> Image:
    """Draw an image of a single colour."""
    return _as_image(_colour(rng) * np.ones(photo.shape))


def gray_photo(rng: Generator, photo: Image) -> Image:
    """Convert the photograph to gray."""
    del rng
    return _as_image(photo.mean(axis=2, keepdims=True) * np.ones(3))


def text(rng: Generator, photo: Image) -> Image:
    """Draw lines of random characters, 9 to 24 pixels high, in one colour on another."""
    height, width = photo.shape[:2]
    ink, image = _colour(rng), _colour(rng) * np.ones(photo.shape)
    if rng.random() < 0.4:  # black on white
        ink, image = np.zeros(3), np.full(photo.shape, 255.0)
    top = int(rng.integers(-8, 3))
    while top < height:
        size = int(rng.integers(9, 25))
        line = draw_text("".join(rng.choice(TEXT, width // 4 + 4)), size)
        covered = line[max(0, -top) :, rng.integers(4) :][: height - max(0, top), :width] / 255
        place = image[max(0, top) :][: len(covered), : covered.shape[1]]
        place += covered[..., None] * (ink - place)
        top += size + int(rng.integers(1, 5))
    return _as_image(image)


def colour_noise(rng: Generator, photo: Image) -> Image:
    """Add independent noise of sigma up to 20 to each channel; some photographs are darkened."""
    return _noisy(rng, photo, channels=3)


def gray_noise(rng: Generator, photo: Image) -> Image:
    """Add the same noise to all channels, as in `colour_noise`."""
    return _noisy(rng, photo, channels=1)


def _noisy(rng: Generator, photo: Image, channels: int) -> Image:
    darkness = rng.uniform(0.1, 0.5) if rng.random() < 0.2 else 1.0
    noise = rng.normal(0, rng.uniform(1, 20), (*photo.shape[:2], channels))
    return _as_image(photo * darkness + noise)


Kind = Callable[[Generator, Image], Image]

KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        stripes, checker, scan_lines, ordered_dither, random_dither, diffused_dither, pixel_art,
        blocks, flat, gray_photo, text, colour_noise, gray_noise,
    )
}  # fmt: skip
"""Kinds by name; `SHARES` has their frequencies."""

SHARES = {"stripes": 2, "blocks": 2, "gray_photo": 4, "text": 2, "colour_noise": 3}
"""Relative frequency of each kind; 1 for kinds that are not listed."""
_WEIGHTS = np.array([SHARES.get(name, 1) for name in KINDS], np.float64)


def hard_crop(rng: Generator, photo: Image) -> Image:
    """Draw an image of a random kind that replaces a photographic crop, uint8 [H, W, 3]."""
    kind = rng.choice(len(KINDS), p=_WEIGHTS / _WEIGHTS.sum())
    return list(KINDS.values())[kind](rng, photo)


def hard_images(side: int, seed: int = 0) -> dict[str, Image]:
    """Return two images of each kind by name, uint8 [side, side, 3], determined by the seed."""
    rng = np.random.default_rng(seed)
    return {
        f"{name}-{number}": kind(rng, _clouds(rng, side))
        for name, kind in KINDS.items()
        for number in range(2)
    }


def _clouds(rng: Generator, side: int) -> Image:
    """Draw a stand-in for a photograph: coloured noise whose spectrum falls with frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij"))
    shape = (side, side, 3)
    spectrum = np.fft.rfft2(rng.normal(size=shape) + rng.normal(size=(side, side, 1)), axes=(0, 1))
    fallen = spectrum / np.maximum(frequency, 1 / side)[..., None] ** 1.5
    values = np.fft.irfft2(fallen, (side, side), axes=(0, 1))
    return _as_image(127.5 + 55 * (values - values.mean()) / values.std())
