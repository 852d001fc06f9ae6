"""Curves compared: against values that follow by hand, and SciPy's interpolation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.eval.rates import Pchip, bd_rate, between, gain

CURVE = [(0.2, 28.0), (0.35, 30.5), (0.5, 31.75), (0.9, 34.0), (1.4, 35.5)]


def scaled(factor):
    return [(rate * factor, level) for rate, level in CURVE]


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25, 3.0])
def test_a_constant_factor_in_rate_is_that_percentage(factor):
    assert bd_rate(scaled(factor), CURVE) == pytest.approx(100 * (factor - 1), abs=1e-9)


def test_straight_lines_by_hand():
    """ln rate 0 to 1 and 0 to 2 over 30 to 40 dB: they differ by half on the mean."""
    one = [(1.0, 30.0), (np.e, 40.0)]
    other = [(1.0, 30.0), (np.e**2, 40.0)]
    assert bd_rate(other, one) == pytest.approx(100 * (np.exp(0.5) - 1))
    assert bd_rate(one, other) == pytest.approx(100 * (np.exp(-0.5) - 1))
    assert gain(one, other, np.e) == pytest.approx(5)
    assert gain(one, other, np.e**0.5) == pytest.approx(2.5)


def test_only_the_stretch_that_both_have_counts():
    """Above 35 dB the longer curve runs wild, and that must not matter."""
    long = [(1.0, 30.0), (2.0, 35.0), (1e6, 60.0)]
    short = [(2.0, 30.0), (4.0, 35.0)]
    straight = [(1.0, 30.0), (2.0, 35.0)]
    assert bd_rate(short, straight) == pytest.approx(100)
    mean = Pchip([(30.0, 0.0), (35.0, np.log(2)), (60.0, np.log(1e6))]).mean(30, 35)
    expected = 100 * (np.exp(np.log(2) * 1.5 - mean) - 1)
    assert bd_rate(short, long) == pytest.approx(expected)


@pytest.mark.parametrize(
    "other",
    [
        [(0.2, 40.0), (0.4, 42.0)],  # better throughout
        [(0.2, 35.5), (0.4, 42.0)],  # one point of PSNR shared
        [(0.5, 31.0)],
        [(0.5, 31.0), (0.6, 31.0)],
        [],
    ],
)
def test_without_a_shared_stretch_there_is_none(other):
    assert bd_rate(CURVE, other) is None
    assert bd_rate(other, CURVE) is None


def test_a_gain_only_where_both_curves_are():
    better = [(rate, level + 1.5) for rate, level in CURVE[1:4]]
    for rate in (0.35, 0.42, 0.9):
        at_start = [point for point in CURVE if point[0] >= 0.35][:3]
        assert gain(better, at_start, rate) == pytest.approx(1.5)
    assert gain(better, CURVE, 0.5) == pytest.approx(1.5)
    assert gain(better, CURVE, 0.34) is None
    assert gain(better, CURVE, 0.91) is None
    assert gain(CURVE[:1], CURVE, 0.2) is None


def test_of_points_of_one_psnr_the_cheapest_and_of_one_rate_the_best_counts():
    assert bd_rate([*CURVE, (0.7, 31.75)], CURVE) == pytest.approx(0, abs=1e-9)
    assert gain([(0.5, 20.0), *CURVE], CURVE, 0.5) == pytest.approx(0)


@given(
    st.lists(
        st.tuples(st.floats(0.1, 5), st.floats(-50, 50)), min_size=2, max_size=7
    ),
    st.floats(0, 1),
)  # fmt: skip
def test_the_interpolation_is_that_of_scipy(steps, share):
    interpolate = pytest.importorskip("scipy.interpolate")
    x = np.cumsum([width for width, _ in steps])
    y = np.array([value for _, value in steps])
    ours, theirs = Pchip(zip(x, y, strict=True)), interpolate.PchipInterpolator(x, y)
    places = np.linspace(x[0], x[-1], 17)
    assert ours(places) == pytest.approx(theirs(places), abs=1e-8)
    low = x[0] + share * 0.9 * (x[-1] - x[0])
    expected = theirs.integrate(low, x[-1]) / (x[-1] - low)
    assert ours.mean(low, x[-1]) == pytest.approx(float(expected), abs=1e-7)


def test_the_part_of_a_curve_between_two_rates():
    line = [(2.0**x, 30.0 + 3 * x) for x in (-4, -2, -1, 1, 2)]
    part = sorted(between(line, 2**-3, 1))
    assert np.allclose(part, [(2**-3, 21), (2**-2, 24), (2**-1, 27), (1, 30)])
    # A curve that ends inside is not extrapolated.
    assert sorted(between(line, 2**-5, 2**-2)) == line[:2]
    assert list(between(line[:1], 0.01, 1)) == line[:1]
    # A factor of bits that holds for some of the curve only.
    other = [(rate * (2 if rate < 1 else 3), level) for rate, level in line]
    assert bd_rate(between(other, 0.1, 1.0), between(line, 0.1, 1.0)) == pytest.approx(100, abs=2)
