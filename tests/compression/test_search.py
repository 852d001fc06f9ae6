"""The search for a quality: exact where the measure rises, never wrong where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.compression.search import least_reaching, most_within

rising = st.lists(st.integers(0, 300), min_size=100, max_size=100).map(sorted)
anything = st.lists(st.integers(0, 300), min_size=100, max_size=100)
targets = st.integers(-1, 301)


class Measure:
    """Values of the qualities 1 to 100, and which were asked for."""

    def __init__(self, values):
        self.values = values
        self.asked = []

    def __call__(self, quality):
        assert 1 <= quality <= 100
        self.asked.append(quality)
        return self.values[quality - 1]

    def was_thrifty(self):
        return len(self.asked) <= 7 and len(set(self.asked)) == len(self.asked)


@given(rising, targets)
def test_the_highest_that_fits_is_found(values, limit):
    measure = Measure(values)
    found = most_within(measure, lambda value: value <= limit)
    fitting = [quality for quality in range(1, 101) if values[quality - 1] <= limit]
    assert found == ((fitting[-1], values[fitting[-1] - 1]) if fitting else None)
    assert measure.was_thrifty()


@given(rising, targets)
def test_the_lowest_that_reaches_is_found(values, target):
    measure = Measure(values)
    found = least_reaching(measure, lambda value: value >= target)
    reaching = [quality for quality in range(1, 101) if values[quality - 1] >= target]
    assert found == ((reaching[0], values[reaching[0] - 1]) if reaching else None)
    assert measure.was_thrifty()


@pytest.mark.parametrize("answer", range(101))
def test_every_answer_takes_seven_measurements_at_most(answer):
    measure = Measure(range(1, 101))
    assert (most_within(measure, lambda value: value <= answer) or (0, 0))[0] == answer
    assert measure.was_thrifty()
    measure = Measure(range(1, 101))
    assert (least_reaching(measure, lambda value: value > answer) or (101, 0))[0] == answer + 1
    assert measure.was_thrifty()


@given(anything, targets)
def test_a_measure_that_goes_up_and_down_gives_what_fits_or_none(values, limit):
    measure = Measure(values)
    found = most_within(measure, lambda value: value <= limit)
    assert measure.was_thrifty()
    if found is None:
        assert 1 in measure.asked
        assert all(values[quality - 1] > limit for quality in measure.asked)
    else:
        assert values[found[0] - 1] == found[1] <= limit
        assert found[0] == 100 or any(
            values[quality - 1] > limit for quality in measure.asked if quality > found[0]
        )


@given(anything, targets)
def test_a_measure_that_goes_up_and_down_gives_what_reaches_or_none(values, target):
    measure = Measure(values)
    found = least_reaching(measure, lambda value: value >= target)
    assert measure.was_thrifty()
    if found is None:
        assert 100 in measure.asked
        assert all(values[quality - 1] < target for quality in measure.asked)
    else:
        assert values[found[0] - 1] == found[1] >= target


@given(st.integers(-50, 50), st.integers(-1, 60), st.integers(-60, 120))
def test_any_range_can_be_searched(low, length, limit):
    high = low + length
    found = most_within(lambda quality: quality, lambda value: value <= limit, low, high)
    inside = [quality for quality in range(low, high + 1) if quality <= limit]
    assert found == ((inside[-1], inside[-1]) if inside else None)
    found = least_reaching(lambda quality: quality, lambda value: value >= limit, low, high)
    inside = [quality for quality in range(low, high + 1) if quality >= limit]
    assert found == ((inside[0], inside[0]) if inside else None)
