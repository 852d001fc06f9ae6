"""Text as pixels."""

import numpy as np
import pytest

from irncli.io.lettering import lettering, shortened


def test_text_covers_something_and_its_height_depends_on_the_size_alone():
    small, large = lettering("photo.png", 16), lettering("Ag", 32)
    assert small.max() > 200
    assert lettering(".", 16).shape[0] == lettering("Ag|", 16).shape[0] == small.shape[0]
    assert large.shape[0] == 2 * small.shape[0]
    assert lettering("g", 32)[-1].max() == 0  # descenders fit
    assert lettering("", 16).max() == 0


def test_letters_that_the_face_lacks_are_replaced():
    assert np.array_equal(lettering("été", 16), lettering("ete", 16))
    assert np.array_equal(lettering("日", 16), lettering("?", 16))


@pytest.mark.parametrize("width", [60, 100, 200])
def test_long_text_loses_its_middle(width):
    text = "holiday_on_the_island_of_Crete_0001.png"
    short = shortened(text, 16, width)
    first, last = short.split("...")
    assert text.startswith(first)
    assert text.endswith(last)
    assert width - 20 < lettering(short, 16).shape[1] <= width
    assert shortened("a.png", 16, width) == "a.png"
