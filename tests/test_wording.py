"""Numbers with their nouns."""

from irncli.wording import counted


def test_only_one_is_singular():
    assert [counted(n, "image") for n in (0, 1, 2, 1000)] == [
        *("0 images", "1 image", "2 images", "1000 images"),
    ]
