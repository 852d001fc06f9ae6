"""Plain JPEGs whose levels are chosen: better than libjpeg's, and files for any decoder."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch.nn import functional

from irncli.compression.plain import plain_jpeg, plain_reaching
from irncli.compression.plain_coder import PlainCoder, _upsampled
from irncli.io.formats.jpeg_scans import jpeg_of


@pytest.fixture(scope="module")
def part(photo):
    return np.ascontiguousarray(photo[200:299, 300:413])


@pytest.mark.parametrize("size", [2000, 6000])
def test_better_in_as_many_bytes(part, size):
    usual, chosen = plain_jpeg(part, size), plain_jpeg(part, size, effort=1)
    assert len(chosen.data) <= size
    assert chosen.psnr > usual.psnr + 0.5
    back = np.asarray(Image.open(io.BytesIO(chosen.data)))
    assert peak_signal_noise_ratio(part, back, data_range=255) == pytest.approx(chosen.psnr)


def test_smaller_at_a_quality(part):
    usual, chosen = plain_reaching(part, "jpeg", 30), plain_reaching(part, "jpeg", 30, effort=1)
    assert chosen.psnr >= 30
    assert len(chosen.data) < 0.9 * len(usual.data)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("size", [(1, 1), (9, 17), (16, 8)])
def test_any_size(part, subsampling, size):
    pixels = np.ascontiguousarray(part[: size[0], : size[1]])
    data = jpeg_of(PlainCoder(pixels, subsampling, gray=False).code(90))
    back = np.asarray(Image.open(io.BytesIO(data)))
    assert back.shape == pixels.shape
    assert np.abs(back.astype(int) - pixels).mean() < 12


def test_equal_channels_give_one_plane(part):
    gray = np.repeat(part[:, :, 1:2], 3, axis=2)
    chosen = plain_jpeg(gray, 3000, effort=1)
    assert Image.open(io.BytesIO(chosen.data)).mode == "L"


def test_energy_of_waves_that_decoders_double():
    # Far from the borders, by the filter itself on long waves.
    line = torch.cos(torch.pi * torch.arange(8)[:, None] * (torch.arange(4096) + 0.5) / 8)
    spread = torch.zeros(8, 1, 8192)
    spread[:, 0, ::2] = line
    doubled = functional.conv1d(spread, torch.tensor([[[1.0, 3, 3, 1]]]) / 4)
    energy = doubled.square().sum(dim=(1, 2)) / line.square().sum(dim=1)
    expected = torch.outer(energy, energy).ravel()
    assert torch.allclose(_upsampled(), expected, rtol=2e-3)


def test_steps_of_chroma_count_the_pixels_it_covers(part):
    # A long wave of subsampled chroma covers four times the pixels: half the step.
    whole, half = (PlainCoder(part, way, gray=False).code(30) for way in ("4:4:4", "4:2:0"))
    assert half.tables[1, 0] == pytest.approx(whole.tables[1, 0] / 2, abs=1)
    assert half.tables[1, 63] > whole.tables[1, 63]
    assert np.array_equal(half.tables[0], whole.tables[0])
