"""Text as pixels."""

import numpy as np
import pytest

from irncli.io.text import draw_text, shortened


def test_text_covers_something_and_its_height_depends_on_the_size_alone():
    small, large = draw_text("photo.png", 16), draw_text("Ag", 32)
    assert small.max() > 200
    assert draw_text(".", 16).shape[0] == draw_text("Ag|", 16).shape[0] == small.shape[0]
    assert large.shape[0] == 2 * small.shape[0]
    assert draw_text("g", 32)[-1].max() == 0  # descenders fit
    assert draw_text("", 16).max() == 0


def test_letters_that_the_face_lacks_are_replaced():
    assert np.array_equal(draw_text("été", 16), draw_text("ete", 16))
    assert np.array_equal(draw_text("日", 16), draw_text("?", 16))


@pytest.mark.parametrize("width", [60, 100, 200])
def test_long_text_loses_its_middle(width):
    text = "holiday_on_the_island_of_Crete_0001.png"
    short = shortened(text, 16, width)
    first, last = short.split("...")
    assert text.startswith(first)
    assert text.endswith(last)
    assert width - 20 < draw_text(short, 16).shape[1] <= width
    assert shortened("a.png", 16, width) == "a.png"
