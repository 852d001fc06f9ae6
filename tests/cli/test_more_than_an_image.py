"""Files that hold more than an image, or an image of an unusual type: what is done is said."""

import pytest
from PIL import Image, ImageCms

from irncli.io.formats.jpeg import insert_xmp
from irncli.io.image_file import ImageFile

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


def test_neither_file_tells_of_a_gain_map_or_a_video_that_it_lacks(irn, tmp_path, photo):
    source, low, back = (tmp_path / name for name in ("phone.jpg", "low.jpg", "back.png"))
    Image.fromarray(photo[190:230, 150:200]).save(source)
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
        b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" '
        b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="a friend"/></rdf:RDF></x:xmpmeta>'
    )
    image = source.read_bytes()
    video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(500)
    source.write_bytes(insert_xmp(image, xmp) + image + video)
    made = irn("downscale", source, "--scale", 2, "-o", low)
    assert made.status == 0
    for text in ("its HDR gain map was left out", "a video of 524 bytes behind the image was left",
                 "the XMP properties of hdrgm and GCamera were left out"):  # fmt: skip
        assert text in made.err
    assert irn("upscale", low, "--seed", 0, "--strict", "-o", back).status == 0
    for path in (low, back):
        left = ImageFile(path.read_bytes()).header.xmp
        assert b"hdrgm" not in left
        assert b"MotionPhoto" not in left
        assert b'dc:source="a friend"' in left
