"""What the tests of training share."""

import pytest
import torch

from tests.support.training import cut


@pytest.fixture(scope="module")
def pictures(photo):
    """Six small images."""
    return cut(photo)


@pytest.fixture
def batch(pictures):
    """HR and its box average."""
    hr = torch.stack([p[:, :32, :32] for p in pictures.pixels[:2]]).float() / 255
    return hr, torch.nn.functional.avg_pool2d(hr, 2)
