"""Restored images as TIFF."""

import numpy as np
from PIL import Image

from irncli.io.image_file import decode
from tests.support.pictures import values


def test_a_restored_tiff_has_the_values_of_a_png(irn, small):
    made = {}
    for suffix in ("png", "tif", "tiff"):
        out = small.with_name(f"back.{suffix}")
        assert irn("upscale", small, "--temperature", 0, "-o", out).status == 0
        made[suffix] = values(out)
    assert np.array_equal(made["tif"], made["png"])
    assert np.array_equal(made["tiff"], made["png"])
    piped = irn("upscale", small, "--temperature", 0, "-o", "-", "--format", "tiff")
    assert np.array_equal(decode(piped.out).pixels, made["png"])


def test_sixteen_bits_stay(irn, picture):
    deep, small, back = (picture.with_name(n) for n in ("d.png", "s.png", "b.tif"))
    with Image.open(picture) as image:
        gray = np.array(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(gray).save(deep)
    assert irn("downscale", deep, "--scale", 2, "-o", small).status == 0
    assert irn("upscale", small, "--temperature", 0, "-o", back).lines == []
    assert decode(back.read_bytes(), deep=True).bits == 16


def test_it_has_no_quality_and_is_no_small_image(irn, picture, small):
    refused = irn("upscale", small, "-o", small.with_name("x.tif"), "--quality", 80)
    assert (refused.status, "TIFF has no quality" in refused.err) == (2, True)
    for command in ("downscale", "compress"):
        result = irn(command, picture, "--scale", 2, "-o", picture.with_name("x.tif"))
        assert (result.status, "not .tif" in result.err) == (2, True)
