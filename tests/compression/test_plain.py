"""Plain codecs: as good as they get within the bytes they are given."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from irncli.compression.plain import encode_plain, plain, plain_jpeg
from irncli.errors import UsageError
from irncli.io.libraries import jxl_is_here

JXL = pytest.param(
    "jxl", marks=pytest.mark.skipif(not jxl_is_here(), reason="pillow-jxl-plugin is not here")
)
LOSSY = ["jpeg", "webp", "avif", JXL]


@pytest.fixture(scope="module")
def part(photo):
    """Some of the photograph, uint8 [96, 112, 3]."""
    return np.ascontiguousarray(photo[200:296, 300:412])


@pytest.fixture
def stripes():
    """Colours that change at each pixel and keep their luma, uint8 [64, 64, 3]."""
    picture = np.empty((64, 64, 3), np.uint8)
    picture[:, ::2], picture[:, 1::2] = (200, 60, 60), (20, 152, 60)
    return picture


def measured(data, pixels):
    """RGB PSNR of a file, by libraries that are not ours."""
    with Image.open(io.BytesIO(data)) as image:
        back = np.array(image.convert("RGB"))
    return peak_signal_noise_ratio(pixels, back, data_range=255)


@pytest.mark.parametrize("most_bytes", [1200, 2000, 3200])
@pytest.mark.parametrize("format", LOSSY)
def test_it_fits_and_the_next_quality_does_not(format, most_bytes, part):
    found = plain(part, format, most_bytes)
    assert len(found.data) <= most_bytes
    assert 1 <= found.quality < 100
    above = encode_plain(part, format, found.quality + 1, subsampling=found.subsampling)
    assert len(above) > most_bytes
    same = encode_plain(part, format, found.quality, subsampling=found.subsampling)
    assert same == found.data


@pytest.mark.parametrize("format", LOSSY)
def test_the_psnr_is_that_of_the_file(format, part):
    found = plain(part, format, 3000)
    assert found.psnr == pytest.approx(measured(found.data, part), abs=1e-9)
    assert 25 < found.psnr < 45


@pytest.mark.parametrize("format", ["jpeg", "avif"])
@pytest.mark.parametrize("most_bytes", [1500, 8000])
def test_the_better_subsampling_is_taken(format, most_bytes, part):
    best = {}
    for subsampling in ("4:2:0", "4:4:4"):
        files = (
            encode_plain(part, format, quality, subsampling=subsampling)
            for quality in range(100, 0, -1)
        )
        best[subsampling] = measured(next(f for f in files if len(f) <= most_bytes), part)
    found = plain(part, format, most_bytes)
    assert found.psnr == pytest.approx(max(best.values()), abs=1e-9)
    assert found.subsampling == max(best, key=best.get)


@pytest.mark.parametrize("format", ["jpeg", "avif"])
def test_colours_that_halving_would_lose_are_kept_whole(format, stripes):
    assert plain(stripes, format, 4000).subsampling == "4:4:4"


def test_few_bytes_are_better_spent_on_half_the_colours(part):
    assert plain_jpeg(part, 1500).subsampling == "4:2:0"


def test_plain_jpeg_is_progressive_and_bare(part):
    data = plain_jpeg(part, 3000).data
    assert b"\xff\xc2" in data
    assert b"\xff\xc0" not in data[:300]
    assert b"Exif" not in data
    assert b"http" not in data


@pytest.mark.parametrize("format", LOSSY)
def test_too_few_bytes_give_nothing(format, part):
    assert plain(part, format, 50) is None


@pytest.mark.parametrize("format", LOSSY)
def test_enough_bytes_give_the_best_quality(format, part):
    assert plain(part, format, 10**6).quality == 100


def test_gray_is_coded_as_gray(part):
    gray = part[:, :, :1].repeat(3, axis=2)
    with Image.open(io.BytesIO(encode_plain(gray, "jpeg", 80))) as image:
        assert image.mode == "L"
    assert plain_jpeg(gray, 3000).psnr == pytest.approx(
        measured(plain_jpeg(gray, 3000).data, gray), abs=1e-9
    )


def test_pixels_are_left_alone(part):
    before = part.copy()
    plain_jpeg(part, 3000)
    assert np.array_equal(part, before)


def test_a_format_without_a_quality_is_refused(part):
    with pytest.raises(UsageError, match="png is lossless"):
        plain(part, "png", 3000)
