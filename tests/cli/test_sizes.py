"""The size of the small image: as a scale, in pixels or in percent."""

import json
from pathlib import Path

import pytest
from PIL import Image

from irncli.cli.numbers import parse_percent, parse_scale
from irncli.errors import UsageError
from irncli.geometry import lr_size
from irncli.io.image_file import ImageFile
from irncli.operations.small_size import SmallSize
from irncli.zoo.checkpoint import Card, serialise
from tests.support.networks import SMALL, shaken
from tests.support.pictures import size as size_of

FAST = ("--guard", "off")


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-x4"]), Card(name="tiny")))
    return path


def test_numbers_are_read_as_people_write_them():
    for text in ("4", "x4", "X4", "4x", " 4 ", "4.0", "\u00d74"):
        assert parse_scale(text) == 4
    assert parse_scale("2.5") == 2.5
    assert parse_percent("50") == parse_percent("50%") == parse_percent("50 %") == 50
    for text in ("x", "four", "2,5", "1/4", "xx4", "0x10"):
        with pytest.raises(UsageError, match=f"--scale {text}: expected a number such as 4"):
            parse_scale(text)
    with pytest.raises(UsageError, match="--percent half: expected a number such as 50"):
        parse_percent("half")


@pytest.mark.parametrize(
    ("words", "size", "name", "model"),
    [
        (["--width", 25], (25, 20), "photo_w25.png", "irn-x3"),
        (["--width", 60], (60, 47), "photo_w60.png", "irn-x2"),
        (["--width", 16], (16, 13), "photo_w16.png", "irn-x4"),
        (["--height", 12], (16, 12), "photo_h12.png", "irn-x4"),
        (["--max-side", 30], (30, 24), "photo_max30.png", "irn-x3"),
        (["--percent", "50%"], (31, 24), "photo_p50.png", "irn-x2"),
        (["--scale", "x4"], (16, 12), "photo_x4.png", "irn-x4"),
    ],
)
def test_the_small_image_has_the_size_and_is_restored_exactly(
    irn, picture, words, size, name, model
):
    result = irn("downscale", picture, *words, *FAST, "--json")
    assert result.status == 0, result.err
    record = json.loads(result.out)
    small = picture.with_name(name)
    assert (record["output"], record["model"]) == (str(small), model)
    assert tuple(record["lr_size"]) == size_of(small) == size
    assert ImageFile(small.read_bytes()).tag.scale == record["scale"]
    back = picture.with_name("back.png")
    assert irn("upscale", small, "--temperature", 0, "-o", back).lines == []
    assert size_of(back) == (61, 47)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--width", 61], "--width 61: the image is 61x47 and can be made up to 4 times smaller, "
                          "expected 16 to 60"),
        (["--width", 15], "expected 16 to 60"),
        (["--height", 11], "expected 12 to 46"),
        (["--max-side", 100], "expected 16 to 60"),
        (["--percent", 20], "--percent 20: an image can be made up to 4 times smaller, expected 25 "
                            "to less than 100"),
        (["--percent", 100], "expected more than 0 and less than 100"),
        (["--percent", 0], "expected more than 0 and less than 100"),
        (["--scale", "four"], "--scale four: expected a number such as 4"),
        (["--width", 20, "--height", 20], "--width and --height exclude each other: give one"),
        (["--scale", 2, "--percent", 50], "--scale and --percent exclude each other: give one"),
        ([], "missing --scale: give a factor such as --scale 4, or --width"),
    ],
)  # fmt: skip
def test_what_is_not_possible_is_said(irn, picture, words, said):
    result = irn("downscale", picture, *words, *FAST)
    assert (result.status, len(result.lines)) == (2, 1)
    assert said in result.err
    assert [path.name for path in picture.parent.iterdir()] == [picture.name]


def test_a_model_limits_what_is_possible(irn, picture, tiny):
    model = ("--model", "irn-x3", *FAST)
    assert "expected 21 to 60" in irn("downscale", picture, "--width", 20, *model).err
    assert "expected 33.34 to less" in irn("downscale", picture, "--percent", 33, *model).err
    words = ("downscale", picture, "--width", 20, "--model", tiny, *FAST)
    assert "61x47 to 20x16 by tiny" in irn(*words).err


def test_every_possible_size_is_met():
    for side, letter in (("width", 0), ("height", 1)):
        for hr in (2, 7, 61, 1000, 4001):
            size = (hr, 5) if letter == 0 else (5, hr)
            for pixels in {-(-hr // 4), hr // 2 or 1, hr - 1}:
                scale = SmallSize(side, pixels).scale(size, 4)
                assert 1 < scale <= 4
                assert lr_size(size, scale)[letter] == pixels
    with pytest.raises(UsageError, match="it is too small"):
        SmallSize("max-side", 1).scale((1, 1), 4)


def test_a_batch_has_a_scale_for_each_file(irn, picture, tiny):
    other = picture.with_name("other.png")
    with Image.open(picture) as image:
        image.crop((0, 0, 40, 47)).save(other)
    words = ("downscale", picture, other, "--max-side", 20, "--model", tiny, *FAST, "--json")
    result = irn(*words, "-o", picture.parent / "o" / "{stem}.png")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["scale"] for record in records] == [61 / 20, 47 / 20]
    again = irn("downscale", picture, "--max-side", 20, *words[3:],
                "-o", picture.parent / "{scale}.png")  # fmt: skip
    assert again.status == 2
    assert "{scale} is not known before a file is read" in again.err


def test_what_is_done_is_skipped_only_for_the_same_size(irn, picture):
    out = ("-o", picture.with_name("small.png"), "--skip-existing", "--json", *FAST)

    def skipped(*words):
        result = irn("downscale", picture, *words, *out)
        return result.status, json.loads(result.out).get("skipped", False)

    assert skipped("--width", 20) == (0, False)
    assert skipped("--width", 20) == (0, True)
    assert skipped("--width", 21) == (73, False)
    assert skipped("--max-side", 20) == (73, False)


def test_other_commands_take_the_same_scales(irn, picture, tiny):
    small = Path(picture.with_name("small.jpg"))
    words = ("compress", picture, "--scale", "x4", "--model", tiny, "--no-report", "-o", small)
    assert "61x47 to 16x12" in irn(*words).err
    up = ("upscale", picture, "--scale", "x2", "--model", tiny, "--temperature", 0)
    assert "61x47 to 122x94" in irn(*up).err
