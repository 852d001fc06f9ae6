"""Images unlike photographs, 192x192 pixels, the same for the same seed and photographs.

They stand for what users feed to a rescaler besides photographs: stripes, checkers, scan lines,
dithers, halftones, pixel art, flat saturated colours, noise, text, screenshots, charts, gradients,
and gray images saved in colour. They serve for measuring; training draws its own
(irncli/train/hard.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["SIDE", "crop", "hard_images"]

SIDE = 192
BAYER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) * 16
FLATS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
TEXTS = {
    "black-on-white": ((255, 255, 255), (0, 0, 0)),
    "light-on-dark": ((30, 30, 36), (210, 214, 220)),
    "red-on-blue": ((0, 0, 200), (255, 40, 40)),
}


def hard_images(seed: int, photos: Sequence[Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and images, uint8 [192, 192, 3]; the order of the draws defines the images."""
    rng = np.random.default_rng(seed)
    for part in (patterns, scans, dithers, art, flats, noises, smooth, texts):
        for name, values in part(rng, photos):
            yield name, np.clip(np.rint(values), 0, 255).astype(np.uint8)
    yield "screen", np.asarray(screen(rng))
    yield "chart", np.asarray(chart(rng))


def crop(rng: np.random.Generator, photos: Sequence[Path], side: int = SIDE) -> np.ndarray:
    """Return a random crop of a random photograph, float64 [side, side, 3]."""
    image = np.asarray(Image.open(photos[rng.integers(len(photos))]).convert("RGB"))
    top, left = (rng.integers(size - side + 1) for size in image.shape[:2])
    return image[top : top + side, left : left + side].astype(np.float64)


def grid():
    return np.mgrid[0:SIDE, 0:SIDE]


def colours(rng, *, gray=False):
    drawn = rng.integers(0, 256, (2, 3)).astype(np.float64)
    return np.repeat(drawn[:, :1], 3, 1) if gray else drawn


def two(mask, first, second):
    return np.where(mask[..., None], first, second) * np.ones(3)


def patterns(rng, photos):
    del photos
    y, x = grid()
    for side in (1, 2, 3):
        yield f"checker-{side}-bw", two(((x // side + y // side) % 2) > 0, 255.0, 0.0)
        yield f"stripes-{side}-gray", two(((x // side) % 2) > 0, *colours(rng, gray=True))
        yield f"stripes-{side}-colour", two(((y // side) % 2) > 0, *colours(rng))
    yield "checker-1-colour", two(((x + y) % 2) > 0, *colours(rng))
    yield "diagonal-lines", two(((x + y) % 5) == 0, *colours(rng))


def scans(rng, photos):
    image = crop(rng, photos)
    image[1::2] *= 0.25
    yield "scanlines", image
    image = crop(rng, photos)
    image[1::2] = np.roll(image, 3, 1)[1::2]
    yield "interlaced", image


def dithers(rng, photos):
    y, x = grid()
    gray = crop(rng, photos).mean(2)
    tiled = np.tile(BAYER, (SIDE // 4, SIDE // 4))
    yield "dither-ordered", two(gray > tiled, 255.0, 0.0)
    yield "dither-random", two(gray > rng.random((SIDE, SIDE)) * 255, 255.0, 0.0)
    diffused = Image.fromarray(gray.astype(np.uint8)).convert("1").convert("RGB")
    yield "dither-error", np.asarray(diffused, float)
    photo = Image.fromarray(crop(rng, photos).astype(np.uint8))
    few = photo.quantize(8, dither=Image.Dither.FLOYDSTEINBERG).convert("RGB")
    yield "dither-palette", np.asarray(few, float)
    u = (x * np.cos(0.3) + y * np.sin(0.3)) * 2 * np.pi / 6
    v = (-x * np.sin(0.3) + y * np.cos(0.3)) * 2 * np.pi / 6
    yield "halftone", two(gray / 255 > 0.5 + 0.5 * np.sin(u) * np.sin(v), 255.0, 0.0)


def art(rng, photos):
    for cell in (2, 4, 8):
        small = Image.fromarray(crop(rng, photos).astype(np.uint8)).resize(
            (SIDE // cell, SIDE // cell), Image.Resampling.BOX
        )
        few = small.quantize(12, dither=Image.Dither.NONE).convert("RGB")
        yield f"pixel-art-{cell}", np.asarray(few.resize((SIDE, SIDE), Image.Resampling.NEAREST))
    yield (
        "blocks-saturated",
        np.kron(rng.integers(0, 2, (12, 12, 3)) * 255.0, np.ones((16, 16, 1))),
    )
    yield (
        "blocks-random",
        np.kron(rng.integers(0, 256, (24, 24, 3)).astype(float), np.ones((8, 8, 1))),
    )


def flats(rng, photos):
    del rng, photos
    for name, colour in FLATS.items():
        yield f"flat-{name}", np.ones((SIDE, SIDE, 3)) * np.array(colour, float)


def noises(rng, photos):
    for sigma in (3, 6, 10, 20):
        photo = crop(rng, photos)
        yield f"noise-colour-{sigma}", photo + rng.normal(0, sigma, (SIDE, SIDE, 3))
    photo = crop(rng, photos)
    yield "noise-mono-10", photo + rng.normal(0, 10, (SIDE, SIDE, 1))
    photo = crop(rng, photos)
    yield "noise-dark", photo * 0.15 + rng.normal(0, 6, (SIDE, SIDE, 3))
    yield "noise-pure", rng.integers(0, 256, (SIDE, SIDE, 3)).astype(float)


def smooth(rng, photos):
    y, x = grid()
    radius = (x - SIDE / 2) ** 2 + (y - SIDE / 2) ** 2
    zones = 127.5 + 127.5 * np.cos(np.pi * radius / SIDE)
    yield "zone-plate", zones[..., None] * np.ones(3)
    yield "gradient", np.stack((x, y, x[::-1, ::-1]), -1) * 255.0 / (SIDE - 1)
    yield "gray-photo-as-colour", crop(rng, photos).mean(2, keepdims=True) * np.ones(3)


def face(size):
    return ImageFont.load_default(size)


def texts(rng, photos):
    del photos
    for name, (paper, ink) in TEXTS.items():
        image = Image.new("RGB", (SIDE, SIDE), paper)
        draw, top = ImageDraw.Draw(image), 2
        for size in (9, 10, 11, 12, 14, 18, 24):
            while top < SIDE - size and rng.random() < 0.72:
                letters = "".join(chr(rng.integers(33, 126)) for _ in range(40))
                draw.text((3, top), letters, fill=ink, font=face(size))
                top += size + 2
        yield f"text-{name}", np.asarray(image, float)


def screen(rng):
    image = Image.new("RGB", (SIDE, SIDE), (246, 246, 248))
    draw = ImageDraw.Draw(image)
    for row in range(6):
        top = 6 + 31 * row
        fill = tuple(int(c) for c in rng.integers(180, 256, 3))
        draw.rectangle((6, top, 120, top + 24), outline=(120, 120, 128), fill=fill)
        draw.text((12, top + 5), "Save as… 123", fill=(20, 20, 20), font=face(11))
        draw.ellipse((140, top, 164, top + 24), outline=(200, 0, 0), width=1)
        draw.line((170, top, 188, top + 24), fill=(0, 90, 220), width=1)
    return image


def chart(rng):
    image = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.line((20, 10, 20, 170, 185, 170), fill=(0, 0, 0))
    for colour in ((220, 30, 30), (30, 140, 30), (30, 60, 220)):
        points = [(20 + 8 * i, int(90 + 70 * np.sin(i * rng.uniform(0.3, 0.9)))) for i in range(21)]
        draw.line(points, fill=colour, width=1)
    return image
