"""Small images as lossless WebP: the same pixels as in a PNG, and restored to the same."""

import json

import numpy as np
import pytest
from PIL import Image, ImageCms

from irncli.io.encoding import encode
from irncli.io.image_file import ImageFile, decode
from irncli.io.picture import Picture
from tests.support.pictures import values


@pytest.mark.parametrize("shape", [(9, 7), (1, 1)])
def test_values_survive(noise, shape):
    pixels = noise(*shape)
    alpha = noise(*shape)[:, :, 0].copy()
    alpha[0, 0] = 0  # the colour under it is invisible and stays
    for image in (Picture(pixels), Picture(pixels, alpha=alpha)):
        data = encode(image, image_format="webp", lossless=True)
        back = decode(data)
        assert np.array_equal(back.pixels, pixels)
        assert (back.alpha is None) == (image.alpha is None)
        assert image.alpha is None or np.array_equal(back.alpha, alpha)


@pytest.mark.parametrize(("command", "back"), [("downscale", "upscale"), ("decolor", "colorize")])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_it_is_restored_as_a_png_is(irn, picture, command, back, mode):
    how = ("--scale", 4) if command == "downscale" else ()
    source = picture.with_name("source.png")
    with Image.open(picture) as image:
        image = image.convert(mode)
        if mode == "RGBA":
            image.putalpha(image.getchannel("G"))
        image.save(source)
    made = {}
    for suffix in ("png", "webp"):
        small, large = picture.with_name(f"small.{suffix}"), picture.with_name("large.png")
        assert irn(command, source, *how, "-o", small).status == 0
        words = (back, small, "--strict", "--temperature", 0, "-o", large, "--overwrite")
        result = irn(*words)
        assert (result.status, result.lines) == (0, []), result.err
        tag = ImageFile(small.read_bytes()).tag
        made[suffix] = decode(small.read_bytes()).pixels, values(large), tag
    for ours, theirs in zip(made["webp"][:2], made["png"][:2], strict=True):
        assert np.array_equal(ours, theirs)
    assert made["webp"][2].model == made["png"][2].model


def test_the_profile_of_a_gray_image_waits_in_the_tag(irn, picture):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:16] + b"GRAY" + profile[20:]
    source, small, back = (picture.with_name(n) for n in ("s.png", "small.webp", "back.png"))
    with Image.open(picture) as image:
        image.convert("L").save(source, icc_profile=profile)
    assert irn("downscale", source, "--scale", 2, "-o", small).status == 0
    assert irn("upscale", small, "--temperature", 0, "-o", back).status == 0
    assert decode(back.read_bytes()).metadata.icc == decode(source.read_bytes()).metadata.icc


def test_names_formats_and_what_does_not_fit(irn, picture):
    down = ("downscale", picture, "--scale", 2, "--guard", "off")
    record = json.loads(irn(*down, "--format", "webp", "--json").out)
    assert record["output"].endswith("photo_x2.webp")
    refused = irn(*down, "-o", picture.with_name("x.webp"), "--quality", 80)
    assert refused.status == 2
    assert "--quality 80 with lossless WebP: lossless WebP has no quality" in refused.err
    deep = irn(*down, "-o", picture.with_name("x.webp"), "--bits", 16)
    assert deep.status == 2
    assert "only PNG stores 16 bits" in deep.err
    assert irn(*down, "-o", "-", "--format", "webp").out[8:12] == b"WEBP"


def test_the_guard_judges_the_pixels_as_they_are(irn, picture):
    made = []
    for suffix in ("png", "webp"):
        out = picture.with_name(f"g.{suffix}")
        made.append(json.loads(irn("downscale", picture, "--scale", 2, "--json", "-o", out).out))
    assert made[0]["guarded"] == made[1]["guarded"]
