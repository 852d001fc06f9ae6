"""--background: transparent images are put on a colour before they are made small."""

import json

import numpy as np
import pytest
from PIL import Image

from irncli.errors import UsageError
from irncli.io.colours import flattened, parse_colour
from irncli.io.picture import Metadata, Picture
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.pictures import values


@pytest.fixture
def words(tmp_path, photo):
    """The words for a transparent image and a tiny model."""
    model = tmp_path / "tiny.safetensors"
    model.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="tiny")))
    alpha = np.linspace(0, 255, 47 * 61).reshape(47, 61).astype(np.uint8)
    source = tmp_path / "a.png"
    Image.fromarray(np.dstack((photo[190:237, 150:211], alpha))).save(source)
    return source, "--model", model, "--scale", 4


def test_colours_are_those_of_css():
    assert parse_colour("white") == parse_colour("#fff") == parse_colour("#FFFFFF") == (255,) * 3
    assert parse_colour(" rgb(1, 2, 3) ") == (1, 2, 3)
    for text in ("blurple", "#12", "", "#ffffff80", "255"):
        with pytest.raises(UsageError, match="expected a colour such as white or #ffffff"):
            parse_colour(text)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_values_are_mixed_and_rounded(kind):
    top, generator = np.iinfo(kind).max, np.random.default_rng(0)
    pixels = generator.integers(0, top, (300, 5, 3), kind, endpoint=True)
    alpha = generator.integers(0, top, (300, 5), kind, endpoint=True)
    alpha[:2] = [[0], [top]]
    made = flattened(Picture(pixels, alpha=alpha), (10, 20, 30))
    share = alpha[:, :, None] / top
    expected = pixels * share + np.array([10, 20, 30]) * (top // 255) * (1 - share)
    assert made.alpha is None
    assert made.pixels.dtype == kind
    assert np.abs(made.pixels - expected).max() <= 0.501
    assert (made.pixels[0] == np.array([10, 20, 30]) * (top // 255)).all()
    assert (made.pixels[1] == pixels[1]).all()


def test_gray_stays_gray_on_gray_only():
    pixels = np.full((2, 2, 3), 9, np.uint8)
    profile = Metadata(icc=b"x" * 16 + b"GRAY")
    image = Picture(pixels, alpha=np.zeros((2, 2), np.uint8), gray=True, metadata=profile)
    assert flattened(image, (255, 255, 255)).gray
    assert flattened(image, (255, 255, 255)).metadata.icc is not None
    coloured = flattened(image, (255, 0, 0))
    assert not coloured.gray
    assert coloured.metadata.icc is None
    assert "profile was left out" in coloured.notes[-1]
    opaque = Picture(pixels)
    assert flattened(opaque, (1, 2, 3)) is opaque


def test_a_jpeg_of_a_transparent_image(irn, words, tmp_path):
    small = tmp_path / "small.jpg"
    refused = irn("downscale", *words, "-o", small)
    assert refused.status == 2
    assert "use PNG, or --background when the image is made small" in refused.err
    assert irn("downscale", *words, "-o", small, "--background", "white").status == 0
    back = tmp_path / "back.png"
    assert irn("upscale", small, *words[1:3], "--temperature", 0, "-o", back).status == 0
    assert values(back).shape == (47, 61, 3)


@pytest.mark.parametrize("command", ["downscale", "compress", "decolor"])
def test_it_is_as_if_the_image_had_been_flattened(irn, words, tmp_path, command):
    source, *how = words
    if command == "decolor":
        how = []
    with Image.open(source) as image:
        under = Image.new("RGBA", image.size, "#80ff00")
        under.alpha_composite(image)
        flat = tmp_path / "flat.png"
        under.convert("RGB").save(flat)
    extra = ["--no-report", "--codec", "png"] if command == "compress" else ["--guard", "off"]
    there = tmp_path / "there.png"
    result = irn(command, source, *how, *extra, "--background", "#80ff00", "-o", there)
    assert result.status == 0, result.err
    plain = tmp_path / "plain.png"
    assert irn(command, flat, *how, *extra, "-o", plain).status == 0
    assert np.abs(values(there).astype(int) - values(plain)).max() <= 2


def test_the_colour_belongs_to_what_is_done_already(irn, words, tmp_path):
    out = ("--guard", "off", "-o", tmp_path / "x.png", "--skip-existing", "--json")

    def status(*more):
        result = irn("downscale", *words, *out, *more)
        return result.status, json.loads(result.out).get("skipped", False)

    assert status("--background", "white") == (0, False)
    assert status("--background", "#ffffff") == (0, True)
    assert status("--background", "black") == (73, False)
    assert status() == (73, False)


def test_a_colour_that_does_not_exist(irn, words):
    result = irn("downscale", *words, "--background", "blurple")
    assert (result.status, result.lines) == (
        2,
        ["irn: --background blurple: expected a colour such as white or #ffffff"],
    )
