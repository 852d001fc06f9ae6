"""The guard through the commands: any image gives a thumbnail, and comes back well."""

import base64
import json
import zlib

import numpy as np
import pytest

import irncli
from irncli.engine.guard_measures import MOST_SHIFT_8
from irncli.engine.metrics import psnr
from irncli.engine.rescaler import bicubic
from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile, decode
from irncli.io.picture import Picture
from irncli.io.tag import embed, extract
from irncli.train.hard import hard_images
from tests.support.refusals import refused


def checker(side=64):
    y, x = np.indices((side, side))
    return np.where(((x + y) % 2 > 0)[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)


def stripes(side=64):
    rows = np.arange(side) % 2 > 0
    image = np.where(rows[:, None, None], (200, 30, 60), (20, 180, 40))
    return np.broadcast_to(image, (side, side, 3)).astype(np.uint8)


def pixels(path):
    return decode(path.read_bytes(), deep=True).pixels


def tag_of(path):
    return extract(ImageFile(path.read_bytes()).header.xmp)


def there(irn, image, folder, *options, name="a.png"):
    """The small file of an image, and the record."""
    source = folder / name
    if isinstance(image, np.ndarray):
        source.write_bytes(encode(Picture(np.ascontiguousarray(image)), image_format="png"))
    else:
        source.write_bytes(encode(image, image_format="png"))
    small = folder / ("small.jpg" if "jpeg" in options else "small.png")
    result = irn("downscale", source, "-o", small, "--json", "--overwrite", *options)
    assert result.status == 0, result.err
    return small, json.loads(result.out)


def back(irn, small, *options):
    out = small.with_name("back.png")
    result = irn("upscale", small, "-o", out, "--seed", 3, "--overwrite", *options)
    assert result.status == 0, result.err
    return pixels(out)


def through_bicubic(image, scale):
    height, width = (-(-size // scale) for size in image.shape[:2])
    low = bicubic(image, height, width)
    return low, bicubic(low, *image.shape[:2])


@pytest.mark.parametrize("image", [checker(), stripes()], ids=["checker", "stripes"])
@pytest.mark.parametrize("scale", [2, 4])
def test_what_no_network_can_restore_becomes_bicubic_and_that_is_said(irn, tmp_path, image, scale):
    small, record = there(irn, image, tmp_path, "--scale", scale)
    low, plain = through_bicubic(image, scale)
    assert record["guarded"]["bicubic"] > 0.1
    assert any(
        "of this image badly: bicubic interpolation is used there" in text
        for text in record["warnings"]
    )
    assert psnr(pixels(small), low) > 30
    assert psnr(image, back(irn, small)) > psnr(image, plain) - 0.2
    tag = tag_of(small)
    assert tag.format == 2
    assert tag.blocks.any()
    shown = json.loads(irn("info", small, "--json").out)
    assert shown["format"] == 2
    assert shown["bicubic_share"] == pytest.approx(record["guarded"]["bicubic"], abs=1e-3)


def test_without_the_guard_it_is_what_the_network_makes(irn, tmp_path):
    small, record = there(irn, checker(), tmp_path, "--scale", 2, "--guard", "off")
    assert "guarded" not in record
    assert tag_of(small).format == 1
    assert psnr(pixels(small), through_bicubic(checker(), 2)[0]) < 15


def test_a_photograph_is_the_network_s_and_readable_by_the_first_version(irn, tmp_path, photo):
    image = photo[100:228, 200:328]
    small, record = there(irn, image, tmp_path, "--scale", 2)
    assert record["guarded"]["bicubic"] == 0
    assert tag_of(small).format == 1
    raw, _ = there(irn, image, tmp_path, "--scale", 2, "--guard", "off")
    assert np.mean(pixels(raw) != pixels(small)) <= record["guarded"]["repaired"]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_hard_images(irn, tmp_path, scale):
    """A small image of each kind, through the commands; one of two, to be quick."""
    images = {
        name: image for name, image in hard_images(16 * scale).items() if int(name[-1]) == scale % 2
    }
    for name, image in images.items():
        (tmp_path / f"{name}.png").write_bytes(encode(Picture(image), image_format="png"))
    small, large = tmp_path / "small", tmp_path / "large"
    assert (
        irn("downscale", *tmp_path.glob("*.png"), "--scale", scale, "--output-dir", small).status
        == 0
    )
    assert irn("upscale", small, "--output-dir", large, "--seed", 5).status == 0
    for name, image in images.items():
        low, plain = through_bicubic(image, scale)
        made = pixels(small / f"{name}_x{scale}.png")
        restored = pixels(large / f"{name}_x{scale}_restored.png")
        assert psnr(made, low) > 22, name
        difference = made[:8, :8].astype(float) - low[:8, :8]
        assert np.abs(difference.mean(axis=(0, 1))).max() <= MOST_SHIFT_8 + 0.6, name
        assert psnr(image, restored) > min(psnr(image, plain), 50) - 0.2, name


@pytest.mark.parametrize("colour", [(0, 0, 255), (255, 255, 0), (16, 200, 90), (0, 0, 0)])
def test_flat_colours(irn, tmp_path, colour):
    image = np.full((40, 56, 3), colour, np.uint8)
    for scale in (2, 4):
        small, _ = there(irn, image, tmp_path, "--scale", scale)
        assert np.abs(pixels(small).astype(int) - colour).max() <= 1
        assert np.abs(back(irn, small).astype(int) - colour).max() <= 2


def test_an_rgb_image_with_equal_channels_stays_gray_and_rgb(irn, tmp_path, photo):
    image = photo[100:163, 200:271].mean(axis=2, keepdims=True).round().astype(np.uint8)
    image = image.repeat(3, axis=2)
    small, _ = there(irn, image, tmp_path, "--scale", 2)
    low, restored = pixels(small), back(irn, small)
    assert ImageFile(small.read_bytes()).header.mode == "RGB"
    assert (low == low[:, :, :1]).all()
    assert (restored == restored[:, :, :1]).all()
    assert restored.shape == image.shape
    assert tag_of(small).neutral
    api = irncli.restore(small, seed=3, array=True)
    assert np.array_equal(api, restored)
    # One value that differs, and it is a colour image.
    image[5, 5, 0] ^= 16
    assert not tag_of(there(irn, image, tmp_path, "--scale", 2)[0]).neutral


def kinds(photo):
    """An odd size, gray, transparent, 16 bits: half of each is a pattern."""
    image = np.concatenate((photo[100:164, 200:239], stripes()[:, :40]), axis=1)
    gray = image[:, :, :1].repeat(3, axis=2)
    alpha = np.broadcast_to(np.linspace(0, 255, 79).astype(np.uint8), (64, 79))
    return {
        "odd": Picture(image),
        "gray": Picture(gray, gray=True),
        "alpha": Picture(image, alpha=np.ascontiguousarray(alpha)),
        "deep": Picture(image.astype(np.uint16) * 257),
    }


@pytest.mark.parametrize("kind", ["odd", "gray", "alpha", "deep"])
@pytest.mark.parametrize("scale", [2, 2.5])
def test_other_images_are_guarded_on_the_same_terms(irn, tmp_path, photo, kind, scale):
    picture = kinds(photo)[kind]
    small, record = there(irn, picture, tmp_path, "--scale", scale)
    assert set(record["guarded"]) == {"repaired", "bicubic"}
    restored = back(irn, small)
    assert restored.shape == picture.pixels.shape
    assert restored.dtype == picture.pixels.dtype
    image = picture.pixels
    height, width = (int(np.ceil(size / scale)) for size in image.shape[:2])
    plain = bicubic(bicubic(image, height, width), *image.shape[:2])
    visible = slice(None) if picture.alpha is None else slice(20, None)
    eight = [
        np.right_shift(a, 8 * (a.dtype.itemsize - 1))[:, visible] for a in (image, restored, plain)
    ]
    assert psnr(eight[0], eight[1]) > psnr(eight[0], eight[2]) - 0.3


def test_a_jpeg_is_judged_as_it_comes_out_of_its_file(irn, tmp_path, photo):
    rng = np.random.default_rng(0)
    noisy = photo[100:196, 200:296] + rng.normal(0, 25, (96, 96, 3))
    image = np.clip(noisy, 0, 255).astype(np.uint8)
    options = ("--scale", 2, "--format", "jpeg", "--quality", 90)
    small, record = there(irn, image, tmp_path, *options)
    assert record["guarded"]["bicubic"] > 0.1
    low, _ = through_bicubic(image, 2)
    coded = decode(encode(Picture(low), image_format="jpeg", quality=90)).pixels
    plain = psnr(image, bicubic(coded, 96, 96))
    assert psnr(image, back(irn, small)) > plain - 0.3
    unguarded, _ = there(irn, image, tmp_path, *options, "--guard", "off")
    assert psnr(image, back(irn, unguarded)) < plain - 0.3


def test_tiles_and_python_give_the_pixels_of_the_command(irn, tmp_path, photo):
    image = np.concatenate((photo[100:228, 200:264], checker(128)[:, :64]), axis=1)
    small, _ = there(irn, image, tmp_path, "--scale", 2)
    whole, data = back(irn, small), small.read_bytes()
    assert tag_of(small).blocks.any()
    tiled, _ = there(irn, image, tmp_path, "--scale", 2, "--tile", 64)
    assert tiled.read_bytes() == data
    assert np.array_equal(back(irn, tiled, "--tile", 64), whole)
    assert np.array_equal(irncli.restore(small, seed=3, array=True), whole)


def test_no_seam_shows_around_marked_blocks(irn, tmp_path, photo):
    """Along the borders of blocks, steps are no larger than elsewhere."""
    smooth = np.linspace(60, 190, 160)[None, :, None] * np.ones((160, 1, 3))
    image = smooth.copy()
    image[64:96, 64:96] = checker(32)
    small, _ = there(irn, image.astype(np.uint8), tmp_path, "--scale", 2)
    restored = back(irn, small).astype(float)
    outside = np.r_[0:40, 120:160]
    assert np.abs(np.diff(restored[outside], axis=1)).max() <= 6


def test_a_small_image_that_was_resized_is_restored_without_its_marks(irn, tmp_path):
    small, _ = there(irn, stripes(96), tmp_path, "--scale", 2)
    picture = decode(small.read_bytes())
    cut = encode(
        Picture(np.ascontiguousarray(picture.pixels[:20, :20])), image_format="png",
        xmp=lambda content: picture.metadata.xmp,
    )  # fmt: skip
    small.write_bytes(cut)
    result = irn("upscale", small, "--seed", 0, "-o", tmp_path / "out.png")
    assert result.status == 0
    assert "resized since" in result.err
    refused(irn("upscale", small, "--seed", 0, "--strict", "-o", tmp_path / "o.png"), 65, "strict")


@pytest.mark.parametrize(
    "bitmap",
    [b"", b"nothing", zlib.compress(bytes(1)), zlib.compress(bytes(4 << 20), 9), b"x" * 30_000],
)
def test_a_tag_whose_bitmap_is_damaged_is_refused(irn, tmp_path, bitmap):
    small, _ = there(irn, stripes(), tmp_path, "--scale", 2)
    picture, tag = decode(small.read_bytes()), tag_of(small)
    packet = embed(None, tag)
    old = base64.b64encode(tag.bicubic)
    assert old in packet
    packet = packet.replace(old, base64.b64encode(bitmap))
    small.write_bytes(
        encode(Picture(picture.pixels), image_format="png", xmp=lambda content: packet)
    )
    refused(irn("upscale", small, "--seed", 0, "-o", tmp_path / "back.png"), 65, "tag of this file")
    refused(irn("info", small), 65, "tag of this file")


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)])
def test_decolor_of_flat_colours(irn, tmp_path, colour):
    source, gray, again = (tmp_path / name for name in ("a.png", "gray.png", "again.png"))
    image = np.full((48, 40, 3), colour, np.uint8)
    source.write_bytes(encode(Picture(image), image_format="png"))
    assert irn("decolor", source, "-o", gray).status == 0
    assert irn("colorize", gray, "-o", again).status == 0
    luma = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(pixels(gray)[:, :, 0] - luma).max() <= 8
    assert np.abs(pixels(again).astype(int) - image).max() <= 2
    assert np.array_equal(irncli.restore(gray, array=True), pixels(again))


def test_decolor_of_noise_and_of_stripes(irn, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for image in (noise, stripes()):
        source, gray, again = (tmp_path / name for name in ("a.png", "gray.png", "again.png"))
        source.write_bytes(encode(Picture(image), image_format="png"))
        result = irn("decolor", source, "-o", gray, "--json", "--overwrite")
        assert json.loads(result.out)["guarded"]["bicubic"] > 0.1
        assert "one mean colour" in result.out.decode()
        assert irn("colorize", gray, "-o", again, "--overwrite").status == 0
        luma = np.rint(image @ np.array([0.299, 0.587, 0.114]))[:, :, None]
        tinted = np.clip(np.rint(luma + image.mean(axis=(0, 1)) - luma.mean()), 0, 255)
        assert psnr(image, pixels(again)) > psnr(image, tinted.astype(np.uint8)) - 0.1


def test_compress_keeps_gray_images_gray(irn, tmp_path, photo):
    image = photo[100:196, 200:296].mean(axis=2, keepdims=True).round().astype(np.uint8)
    source, small, again = (tmp_path / name for name in ("a.png", "small.jpg", "again.png"))
    source.write_bytes(encode(Picture(image.repeat(3, axis=2)), image_format="png"))
    result = irn("compress", source, "-o", small, "--quality", 60, "--json")
    assert result.status == 0
    low = pixels(small)
    assert (low == low[:, :, :1]).all()
    assert irn("upscale", small, "-o", again).status == 0
    restored = pixels(again)
    assert (restored == restored[:, :, :1]).all()
    report = json.loads(result.out)["report"]
    assert report["psnr"] == pytest.approx(psnr(image.repeat(3, axis=2), restored), abs=1e-3)
