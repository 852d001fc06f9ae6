"""Errors that the guard compares: those of the image that a user gets, at the size of HR."""

import numpy as np
import pytest
import torch

from irncli.engine.guard import HALO
from irncli.engine.original import Original
from irncli.engine.rescaler import Rescaler, bicubic, lr_size
from irncli.engine.tensors import to_pixels
from tests.support.networks import SMALL, shaken


def setting(photo, kind, scale, height=61, width=83):
    """An original at this scale, and an arbitrary restored image of the size of the network's."""
    rescaler = Rescaler(shaken(SMALL[kind]), "cpu")
    hr = np.ascontiguousarray(photo[100 : 100 + height, 200 : 200 + width])
    size = lr_size((width, height), scale)
    low = np.zeros((size[1], size[0], rescaler.network.config.image_channels), np.uint8)
    original = Original.of(rescaler, hr, low, scale)
    return hr, original, 1.4 * torch.rand(1, 3, *original.network) - 0.2


def whole(size):
    return slice(0, size[0]), slice(0, size[1])


def as_array(errors):
    return errors[0].permute(1, 2, 0).round().int().numpy()


@pytest.mark.parametrize("scale", [1.1, 2.5, 3.9])
def test_errors_are_those_of_the_image_rounded_and_resized(photo, scale):
    hr, original, restored = setting(photo, "irn-x4", scale)
    seen = bicubic(to_pixels(restored), *hr.shape[:2]).astype(int)
    found = as_array(original.errors(restored, whole(original.network), neutral=False))
    centres = [
        ((np.arange(size) + 0.5) * target / size).astype(int)
        for size, target in zip(original.network, hr.shape[:2], strict=True)
    ]
    assert np.array_equal(found, (seen - hr)[np.ix_(*centres)])
    assert all(len(set(each)) == side for each, side in zip(centres, hr.shape, strict=False))
    gray = np.rint(seen.mean(axis=2, keepdims=True)) - hr
    found = as_array(original.errors(restored, whole(original.network), neutral=True))
    assert np.array_equal(found, gray[np.ix_(*centres)])


@pytest.mark.parametrize("scale", [1.1, 2.5, 4])
def test_a_part_needs_no_more_than_the_halo_and_has_the_errors_of_the_whole(photo, scale):
    _, original, restored = setting(photo, "irn-x4", scale)
    everywhere = original.errors(restored, whole(original.network), neutral=False)
    for area in [(slice(0, 24), slice(8, 60)), (slice(20, 44), slice(28, original.network[1]))]:
        rows, columns = original.needed(area)
        for needed, part, size in zip((rows, columns), area, original.network, strict=True):
            assert max(0, part.start - 4 * HALO) <= needed.start
            assert needed.stop <= min(size, part.stop + 4 * HALO)
        part = original.errors(restored[:, :, rows, columns], area, neutral=False)
        assert torch.equal(part, everywhere[:, :, area[0], area[1]])


@pytest.mark.parametrize(("kind", "scale"), [("irn-x4", 4), ("irn-x2", 2), ("color-cells", 1)])
def test_at_the_scale_of_the_network_nothing_is_resized(photo, kind, scale):
    hr, original, restored = setting(photo, kind, scale)
    padding = [(0, size - side) for size, side in zip(original.network, hr.shape, strict=False)]
    padded = np.pad(hr, (*padding, (0, 0)), "edge")
    area = (slice(5, 20), slice(7, 31))
    assert original.size == original.network
    assert original.needed(area) == area
    found = original.errors(restored[:, :, *area], area, neutral=False)
    expected = to_pixels(restored).astype(int) - padded
    assert np.array_equal(as_array(found), expected[area])
