"""The Python interface: what goes in as one kind of image comes out as the same."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import irncli
from irncli.errors import ImageError, MemoryExhaustedError, UnavailableError, UsageError
from irncli.pixels import to_bits
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-x2"]), Card(name="small")))
    return irncli.load(path, device="cpu")


def test_a_model_says_what_it_is(model):
    sha256 = model.weights_sha256[:12]
    assert repr(model) == (
        f"Model('small', task='rescale', scale=2, device='cpu', weights='{sha256}')"
    )


def test_arrays(model, noise):
    hr = noise(21, 30)
    low = model.downscale(hr)
    assert (low.dtype, low.shape) == (np.uint8, (11, 15, 3))
    assert model.upscale(low, seed=0, size=(30, 21)).shape == hr.shape


def test_arrays_of_sixteen_bits(model, noise):
    hr = noise(20, 30).astype(np.uint16) * 257
    low = model.downscale(hr, bits=16)
    assert (low.dtype, low.shape) == (np.uint16, (10, 15, 3))
    back = model.upscale(low, seed=0, bits=16)
    assert back.dtype == np.uint16
    assert np.abs(to_bits(low, 8).astype(int) - model.downscale(hr)).max() <= 1
    assert np.abs(to_bits(back, 8).astype(int) - model.upscale(low, seed=0)).max() <= 1
    with pytest.raises(UsageError, match="16 with an array"):
        model.downscale(Image.fromarray(noise(20, 30)), bits=16)


def test_pillow(model, noise):
    hr = noise(20, 30)
    low = model.downscale(Image.fromarray(hr))
    assert low.size == (15, 10)
    assert np.array_equal(np.array(low), model.downscale(hr))
    assert model.upscale(low, seed=0).size == (30, 20)


def test_tensors(model, noise):
    hr = noise(20, 30)
    tensor = torch.from_numpy(hr).permute(2, 0, 1).float() / 255
    low = model.downscale(tensor)
    assert low.shape == (3, 10, 15)
    eight_bit = (low * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(eight_bit, model.downscale(hr))
    batch = model.upscale(torch.stack([low, low]), seed=3)
    assert batch.shape == (2, 3, 20, 30)
    assert torch.equal(batch[0], batch[1])


def test_seed_and_temperature(model, noise):
    low = noise(10, 10)
    assert np.array_equal(model.upscale(low, 5), model.upscale(low, seed=5))
    assert not np.array_equal(model.upscale(low), model.upscale(low))
    assert np.array_equal(model.upscale(low, temperature=0), model.upscale(low, temperature=0))


@pytest.mark.parametrize(
    ("mode", "kept"),
    [("L", "L"), ("LA", "LA"), ("RGBA", "RGBA"), ("1", "L"), ("P", "RGB"), ("CMYK", "RGB")],
)
def test_a_pillow_image_stays_gray_or_transparent(model, mode, kept):
    low = model.downscale(Image.new("RGB", (9, 8), (200, 30, 30)).convert(mode))
    assert (low.mode, low.size) == (kept, (5, 4))
    back = model.upscale(low, 0, size=(9, 8))
    assert (back.mode, back.size) == (kept, (9, 8))


def test_what_lies_under_transparency_does_not_shine_through(model, photo):
    image = Image.fromarray(photo[:32, :32])
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 16, 32))
    image.putalpha(alpha)
    other = image.copy()
    other.paste((255, 0, 255, 0), (0, 0, 16, 32))
    assert model.downscale(image).tobytes() == model.downscale(other).tobytes()


def test_a_pillow_image_keeps_its_metadata(model):
    image = Image.new("RGB", (9, 8))
    exif = Image.Exif()
    exif[0x010E] = "a description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = {"icc_profile": profile, "exif": exif.tobytes(), "xmp": b"<x/>", "dpi": (72.0, 72.0)}
    image.info.update(told, text="not ours")
    back = model.upscale(model.downscale(image), 0)
    assert back.info == told


def test_what_has_no_meaning_is_refused(model):
    with pytest.raises(ImageError, match="floating-point"):
        model.downscale(Image.new("F", (4, 4)))
    with pytest.raises(ImageError, match="0x4"):
        model.downscale(Image.new("RGB", (0, 4)))


def test_a_device_that_is_given_up_is_warned_of(model, monkeypatch, noise):
    """The warning points at the line that called irn, however deep the work is."""
    forward = model.rescaler._forward

    def fails_first(*given):
        if model.rescaler._device.type != "cpu":
            raise MemoryExhaustedError("no tile fits")
        return forward(*given)

    monkeypatch.setattr(model.rescaler, "_forward", fails_first)
    monkeypatch.setattr(model.rescaler, "_device", torch.device("mps"))
    with pytest.warns(UserWarning, match="mps has too little memory") as caught:
        model.downscale(noise(8, 8))
    assert caught[0].filename == __file__


def test_inputs_are_not_changed(model, noise):
    hr = noise(10, 10)
    before = hr.copy()
    model.upscale(model.downscale(hr), 0)
    assert np.array_equal(hr, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        torch.zeros(3, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, 3),
        torch.zeros(0, 3, 4, 4),
        "photo.png",
    ],
    ids=["gray", "float", "empty", "byte tensor", "HWC tensor", "empty batch", "path"],
)
def test_other_kinds_are_refused_in_words(model, image):
    with pytest.raises(UsageError, match="expected"):
        model.downscale(image)


def test_unknown_names():
    with pytest.raises(UnavailableError, match="irn-x4"):
        irncli.load("irn-x7")


def test_shipped_names(photo):
    model = irncli.load("irn-x4", device="cpu")
    assert model.network.config.scale == 4
    assert model.card.name == "irn-x4"
    low = model.downscale(photo[:32, :48])
    assert low.shape == (8, 12, 3)


@pytest.mark.shared
def test_a_reference_checkpoint_works_by_its_path(shared, noise):
    model = irncli.load(str(shared / "golden" / "irn_ld_x3.pth"), device="cpu")
    assert model.downscale(noise(10, 10)).shape == (4, 4, 3)
