"""Bicubic resizing against a slow, direct reading of MATLAB's imresize."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from irncli.engine.metrics import luma, psnr
from irncli.engine.rescaler import bicubic
from irncli.io.image_file import decode
from irncli.model.bicubic import Window, resize, resize_matrix, resize_window, shrink


def kernel(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def imresize_line(values, target):
    """One line, one output at a time; positions count from 1 as in MATLAB."""
    size = len(values)
    ratio = target / size
    squeeze = min(ratio, 1)
    out = []
    for place in range(1, target + 1):
        centre = place / ratio + 0.5 * (1 - 1 / ratio)
        left = math.floor(centre - 2 / squeeze)
        total = weight_sum = 0.0
        for source in range(left, left + math.ceil(4 / squeeze) + 2):
            weight = squeeze * kernel(squeeze * (centre - source))
            mirrored = (source - 1) % (2 * size)
            mirrored = mirrored if mirrored < size else 2 * size - 1 - mirrored
            total += weight * values[mirrored]
            weight_sum += weight
        out.append(total / weight_sum)
    return out


@given(size=st.integers(1, 40), target=st.integers(1, 40), seed=st.integers(0, 99))
def test_agrees_with_imresize(size, target, seed):
    values = np.random.default_rng(seed).random(size)
    ours = resize_matrix(size, target) @ torch.from_numpy(values)
    assert ours.tolist() == pytest.approx(imresize_line(values, target), abs=1e-10)


@given(height=st.integers(1, 30), width=st.integers(1, 30), to=st.tuples(*[st.integers(1, 30)] * 2))
def test_a_constant_stays_constant(height, width, to):
    resized = resize(torch.full((1, 1, height, width), 0.3), *to)
    assert resized.shape == (1, 1, *to)
    assert torch.allclose(resized, torch.tensor(0.3), atol=1e-6)


def test_the_same_size_is_the_identity():
    x = torch.rand(1, 3, 9, 7)
    assert torch.allclose(resize(x, 9, 7), x, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_shrink_is_resize_by_a_whole_number(scale):
    x = torch.rand(2, 3, 6 * scale, 5 * scale)
    assert torch.allclose(shrink(x, scale), resize(x, 6, 5), atol=1e-5)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [("Set5", 2, 33.68), ("Set5", 4, 28.43), ("Set14", 2, 30.33), ("Set14", 4, 26.09)],
)
def test_harness_reproduces_bicubic_of_the_literature(shared, name, scale, expected):
    values = []
    for path in sorted((shared / "bench" / name).glob("*.png")):
        hr = decode(path.read_bytes()).pixels
        height, width = (side // scale * scale for side in hr.shape[:2])
        hr = np.ascontiguousarray(hr[:height, :width])
        low = bicubic(hr, height // scale, width // scale)
        values.append(psnr(luma(hr), luma(bicubic(low, height, width)), scale))
    assert np.mean(values) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("height", "width", "target"), [(40, 52, (10, 13)), (9, 7, (36, 28))])
def test_a_window_is_that_part_of_the_whole(height, width, target):
    x = torch.rand(1, 3, height, width)
    whole = resize(x, *target)
    for rows in (slice(0, 4), slice(3, target[0]), slice(5, 6)):
        for columns in (slice(0, target[1]), slice(2, 9)):
            down = Window(height, target[0], rows)
            across = Window(width, target[1], columns)
            part = resize_window(x[:, :, down.source, across.source], down, across)
            assert torch.equal(part, whole[:, :, rows, columns])
