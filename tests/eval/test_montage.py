"""Pictures of comparisons."""

import numpy as np

from irncli.eval.montage import side_by_side


def test_side_by_side_has_all_pictures():
    low, high = np.zeros((4, 6, 3), "u1"), np.full((8, 12, 3), 9, "u1")
    joined = side_by_side([low, high])
    assert joined.shape[0] == 8
    assert joined.shape[1] >= 18
