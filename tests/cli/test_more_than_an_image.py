"""Files that hold more than an image, or an image of an unusual type: what is done is said."""

import pytest
from PIL import Image, ImageCms

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def gray_jpeg(tmp_path, photo):
    """A gray JPEG with a profile for RGB, as some programs write them."""
    path = tmp_path / "gray.jpg"
    Image.fromarray(photo[190:230, 150:200]).convert("L").save(path, icc_profile=ICC)
    return path


@pytest.mark.parametrize(
    "words", [["downscale", "--scale", 2, "--guard", "off"], ["decolor"], ["compress", "--auto"]]
)
def test_a_gray_file_holds_no_profile_for_rgb(irn, gray_jpeg, words):
    low, back = gray_jpeg.with_name("low.jpg"), gray_jpeg.with_name("back.png")
    made = irn(words[0], gray_jpeg, *words[1:], "-o", low)
    again = irn("upscale" if words[0] != "decolor" else "colorize", low, "--seed", 0, "-o", back)
    assert (made.status, again.status) == (0, 0)
    for path in (low, back):
        with Image.open(path) as image:
            assert image.mode == "L"
            assert "icc_profile" not in image.info
    assert "its colour profile is one for RGB and was left out" in made.err + again.err
