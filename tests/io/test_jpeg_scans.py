"""JPEG files from coefficients: any decoder finds in them what was given."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from irncli.errors import ImageError
from irncli.io.encoding import encode
from irncli.io.formats.jpeg_scans import ZIGZAG, Coefficients, jpeg_of
from irncli.io.image_file import ImageFile
from irncli.io.picture import Metadata, Picture


def blocks_in(data, plane):
    """Coefficients of a plane of a file that another library decodes without upsampling."""
    image = Image.open(io.BytesIO(data))
    if image.mode != "L":
        image.draft("YCbCr", image.size)
    values = np.asarray(image, dtype=np.float64)
    values = values if values.ndim == 2 else values[:, :, plane]
    rows, columns = (side // 8 for side in values.shape)
    cells = values.reshape(rows, 8, columns, 8).swapaxes(1, 2) - 128
    return dctn(cells, axes=(2, 3), norm="ortho").reshape(rows, columns, 64)


def a_plane(random, rows, columns, share=0.1, most=2):
    """Few levels, with long runs of zeros between them, and the last wave now and then."""
    plane = random.integers(-most, most + 1, (rows, columns, 64))
    plane = np.where(random.random(plane.shape) < share, plane, 0)
    plane[..., 0] = random.integers(-8, 9, (rows, columns))
    return plane.astype(np.int32)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1), st.booleans())
def test_levels_come_back(rows, columns, seed, gray):
    random = np.random.default_rng(seed)
    planes = tuple(a_plane(random, rows, columns, 0.03) for _ in range(1 if gray else 3))
    tables = random.integers(24, 32, (1 if gray else 2, 64)).astype(np.int32)
    data = jpeg_of(Coefficients(planes, tables, (8 * columns, 8 * rows)))
    for index, plane in enumerate(planes):
        found = blocks_in(data, index) / tables[min(index, 1)]
        assert np.array_equal(np.rint(found), plane)


def test_large_levels_and_long_runs_come_back():
    plane = np.zeros((1, 3, 64), np.int32)
    plane[0, 0, [0, ZIGZAG[63]]] = -500, 150  # 62 zeros before the last wave of the file
    plane[0, 1, ZIGZAG[[1, 18, 36]]] = 200, -255, 1  # runs of exactly 16 and 17
    plane[0, 2, 0] = 511
    data = jpeg_of(Coefficients((plane,), np.ones((1, 64), np.int32), (24, 8)))
    assert np.abs(blocks_in(data, 0) - plane).max() < 2.5  # pixels are rounded


def test_chroma_of_half_the_size():
    random = np.random.default_rng(5)
    luma, chroma = a_plane(random, 6, 5), a_plane(random, 3, 3, share=0)
    tables = np.full((2, 64), 10, np.int32)
    data = jpeg_of(Coefficients((luma, chroma, chroma), tables, (39, 45)))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (39, 45)
        assert [part[1:3] for part in image.layer] == [(2, 2), (1, 1), (1, 1)]
        image.draft("YCbCr", image.size)
        blue = np.asarray(image)[:, :, 1].astype(float)
    # Upsampling smooths, but not in the middle of 16x16 pixels.
    assert np.abs(blue[4:12, 4:12] - (chroma[0, 0, 0] * 10 / 8 + 128)).max() < 1


def test_levels_that_do_not_fit_are_refused():
    plane = np.zeros((1, 1, 64), np.int32)
    plane[0, 0, 5] = 1024
    with pytest.raises(ImageError, match="1024 steps: a JPEG stores at most 1023"):
        jpeg_of(Coefficients((plane,), np.ones((1, 64), np.int32), (8, 8)))


def test_the_file_has_the_metadata_of_the_image_and_the_levels():
    random = np.random.default_rng(1)
    planes = tuple(a_plane(random, 3, 4) for _ in range(3))
    coefficients = Coefficients(planes, np.full((2, 64), 12, np.int32), (30, 20))
    picture = Picture(
        random.integers(0, 255, (20, 30, 3), dtype=np.uint8),
        metadata=Metadata(dpi=(300, 300), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
    )
    told = []
    data = encode(
        picture, image_format="jpeg", coefficients=coefficients,
        xmp=lambda sha256: told.append(sha256) or b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    )  # fmt: skip
    file = ImageFile(data)
    assert file.content_sha256 == told[0]
    assert b"x:xmpmeta" in file.header.xmp
    with Image.open(io.BytesIO(data)) as image:
        assert (image.size, image.info["dpi"]) == ((30, 20), (300, 300))
        assert image.info.get("progressive")
        assert "exif" in image.info
        levels = Image.open(io.BytesIO(jpeg_of(coefficients)))
        assert np.array_equal(np.asarray(image), np.asarray(levels))
