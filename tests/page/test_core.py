"""Reading of small images by the page, against the command."""

import numpy as np
import pytest

from irncli.engine.latent import draw_row
from tests.support.page_core import drawing, noise, tagged


def test_a_png_is_read(core):
    small = core.read(tagged(drawing()))
    assert small["intact"]
    assert small["warnings"] == []
    assert small["tag"]["model"] == "irn-x2"
    assert np.array_equal(small["pixels"].reshape(13, 17, 3), noise())


@pytest.mark.parametrize("seed", [0, 2**63 + 5, 2**64 - 1])
def test_z_is_that_of_the_engine(core, seed):
    z = core(f"return core.drawRow({seed}n, 7, 3, 41);").reshape(3, 41)
    expected = draw_row(seed, 7, 3, 41)
    assert np.abs(z - expected).max() < 1e-6
