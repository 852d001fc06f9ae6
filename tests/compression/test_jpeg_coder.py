"""Coefficients for the restored image: what they are worth, and what decoders make of them."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from irncli.compression import jpeg_coder
from irncli.compression.blocks import blocks_of, pixels_of, planes_of
from irncli.compression.jpeg_coder import GROWTH, JpegCoder, round_cost, rounds_of
from irncli.compression.sensitivity import sensitivity_of
from irncli.engine import frozen
from irncli.engine.metrics import psnr
from irncli.engine.rescaler import Rescaler
from irncli.engine.tensors import to_tensor
from irncli.io.formats.jpeg_scans import Coefficients, jpeg_of
from irncli.model import build
from irncli.zoo.checkpoint import read_checkpoint
from tests.support.networks import SMALL
from tests.support.places import ROOT


@pytest.fixture(scope="module")
def part(photo):
    """Some of the photograph, uint8 [88, 120, 3]: sides of LR that are no whole blocks."""
    return np.ascontiguousarray(photo[200:288, 300:420])


@pytest.fixture(scope="module")
def rescaler():
    path = ROOT / "weights" / "irn-jpeg-x2.safetensors"
    return Rescaler(read_checkpoint(path).network.eval().requires_grad_(False), "cpu")


def coder_of(rescaler, hr, **options):
    return JpegCoder(rescaler, hr, rescaler.downscale(hr), rescaler.scale, **options)


def file_of(coder, quality):
    return jpeg_of(coder.code(quality))


def quality_of(rescaler, data, hr):
    low = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    return psnr(rescaler.upscale(low, (hr.shape[1], hr.shape[0]), temperature=0), hr)


def test_pixels_are_those_of_the_decoder(photo):
    planes = planes_of(to_tensor(np.ascontiguousarray(photo[:64, :96])))
    steps = torch.full((3, 64), 9.0)
    levels = (blocks_of(planes) / steps[:, None, None]).round()
    ours = pixels_of(levels * steps[:, None, None])[0].permute(1, 2, 0).mul(255).numpy()
    given = tuple(plane.to(torch.int32).numpy() for plane in levels)
    data = jpeg_of(Coefficients(given, np.full((2, 64), 9, np.int32), (96, 64)))
    theirs = np.asarray(Image.open(io.BytesIO(data)), dtype=float)
    difference = np.abs(ours - theirs)
    # Integer arithmetic of the decoder: a plane may be one off, and a colour then two.
    assert difference.max() <= 2
    assert (difference > 0.5).mean() < 0.05


def test_the_transform_is_orthonormal():
    planes = torch.randn(3, 16, 24, dtype=torch.float64)
    blocks = blocks_of(planes)
    assert blocks.square().sum().item() == pytest.approx(planes.square().sum().item())
    back = planes_of(pixels_of(blocks, linear=True))
    assert (back - planes).abs().max() < 1e-4


def test_sensitivity_of_a_network_whose_inverse_repeats_pixels(photo):
    # Untrained, with z = 0, each LR pixel is repeated four times, in R, G and B.
    network = build(SMALL["irn-x2"]).requires_grad_(False)
    planes = planes_of(to_tensor(np.ascontiguousarray(photo[:64, :64])))
    found = sensitivity_of(network, planes)
    gains = np.square([[1, 1, 1], [0, 0.344136, 1.772], [1.402, 0.714136, 0]]).sum(axis=1)
    expected = torch.tensor(4 * gains, dtype=torch.float32)
    # The planes are not orthogonal: random signs of the one are noise in the others.
    assert (found / expected[:, None] - 1).abs().mean() < 0.1


def test_rounds_lower_the_cost(rescaler, part):
    coder = coder_of(rescaler, part)
    better = coder.improved(40, 3)
    before, after = (file_of(each, 40) for each in (coder, better))
    gain = quality_of(rescaler, after, part) - quality_of(rescaler, before, part)
    assert gain > 0.2
    assert len(after) < GROWTH**2 * len(before)
    # The coder itself is not changed, and the same input gives the same file.
    assert file_of(coder, 40) == before
    assert file_of(coder.improved(40, 3), 40) == after


def test_rounds_in_bfloat16_are_as_good(rescaler, part, monkeypatch):
    part = np.ascontiguousarray(part[:72, :64])
    found = {}
    for native in (False, True):
        monkeypatch.setattr(jpeg_coder, "has_bfloat16", lambda _, native=native: native)
        data = file_of(coder_of(rescaler, part).improved(40, 2), 40)
        found[native] = len(data), quality_of(rescaler, data, part)
    assert found[True] != found[False]
    assert found[True][0] == pytest.approx(found[False][0], rel=0.03)
    assert found[True][1] == pytest.approx(found[False][1], abs=0.15)


def test_a_stated_precision_is_used_in_the_rounds(rescaler, part, monkeypatch):
    monkeypatch.setattr(jpeg_coder, "has_bfloat16", lambda _: True)
    dtypes = set()

    def restored(network, low, dtype=torch.float32):
        dtypes.add(dtype)
        return frozen.restored(network, low, dtype)

    monkeypatch.setattr(jpeg_coder, "restored", restored)
    exact = Rescaler(rescaler.network, "cpu", "fp32")
    coder_of(exact, np.ascontiguousarray(part[:32, :32])).improved(40, 1)
    assert dtypes == {torch.float32}


def test_tiles_are_as_good(rescaler, part, monkeypatch):
    part = np.ascontiguousarray(part[:72, :64])
    whole = coder_of(rescaler, part).improved(40, 1)
    monkeypatch.setattr(jpeg_coder, "SIDE", 16)
    monkeypatch.setattr(jpeg_coder, "HALO", 16)
    ticks = []
    tiled = coder_of(rescaler, part).improved(40, 1, ticks.append)
    assert sum(ticks) == pytest.approx(1)
    assert len(ticks) > 4
    one, other = (quality_of(rescaler, file_of(each, 40), part) for each in (whole, tiled))
    assert other == pytest.approx(one, abs=0.15)


def test_quality_orders_sizes(rescaler, part):
    coder = coder_of(rescaler, part)
    sizes = [len(file_of(coder, quality)) for quality in (1, 20, 50, 75, 90, 100)]
    assert sizes == sorted(sizes)
    assert (coder.code(100).tables == 1).all()
    assert coder.code(1).tables.max() == 255


@pytest.mark.parametrize("gray", [True, False])
def test_one_plane_for_equal_channels(rescaler, part, gray):
    flat = np.repeat(part[:, :, 1:2], 3, axis=2)
    coder = coder_of(rescaler, flat, gray=gray, neutral=True).improved(50, 1)
    with Image.open(io.BytesIO(file_of(coder, 50))) as image:
        assert image.mode == ("L" if gray else "RGB")
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels == pixels[:, :, :1]).all()


def test_rounds_are_expected_to_be_shorter_in_bfloat16(rescaler, monkeypatch):
    costs = []
    for native in (False, True):
        monkeypatch.setattr(jpeg_coder, "has_bfloat16", lambda _, native=native: native)
        costs.append(round_cost(rescaler))
        assert round_cost(Rescaler(rescaler.network, "cpu", "fp32")) == costs[0]
    assert costs[1] < 0.7 * costs[0]


def test_efforts():
    assert [rounds_of(effort) for effort in range(10)] == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_the_darkest_and_the_brightest_fit(rescaler, value, bfloat16, monkeypatch):
    monkeypatch.setattr(jpeg_coder, "has_bfloat16", lambda _: bfloat16)
    flat = np.full((32, 48, 3), value, np.uint8)
    coder = coder_of(rescaler, flat)
    better = coder.improved(100, 1)
    low = np.array(Image.open(io.BytesIO(file_of(better, 100))))
    # Here the errors of bfloat16 are as large as those of the coefficients.
    assert np.abs(low.astype(int) - value).max() <= (3 if bfloat16 else 1)
    before, after = (quality_of(rescaler, file_of(each, 100), flat) for each in (coder, better))
    assert after >= before
