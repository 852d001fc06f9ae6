"""Numbers and articles with their nouns, and names that were mistyped."""

import pytest

from irncli.train.presets import PRESETS
from irncli.wording import counted, did_you_mean, nearest, with_article


def test_only_one_is_singular():
    assert [counted(n, "image") for n in (0, 1, 2, 1000)] == [
        *("0 images", "1 image", "2 images", "1000 images"),
    ]


@pytest.mark.parametrize(
    "words",
    ["an int", "a list", "an AVIF file", "a PNG file", "an MPO file", "a HEIC file", "a Tensor",
     "an OrderedDict", "a JPEG file"],
)  # fmt: skip
def test_articles(words):
    assert with_article(words.partition(" ")[2]) == words


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("irn-x22", "irn-x2"), ("irn-x_4", "irn-x4"), ("IRN-X2", "irn-x2"),
        ("irn-colour", "irn-color"),
        ("foo", None), ("", None), ("x", None),
    ],
)  # fmt: skip
def test_only_similar_names_are_suggested(typed, near):
    assert nearest(typed, PRESETS) == near
    assert did_you_mean(typed, PRESETS) == (f" (did you mean {near}?)" if near else "")


def test_dashes_do_not_make_names_similar():
    assert nearest("--width", ["--bits", "--quiet", "--scale"]) is None
    assert nearest("--sclae", ["--bits", "--quiet", "--scale"]) == "--scale"
