"""The choice between networks of different scales: by size, or by PSNR within a size."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.compression.target import Target
from irncli.operations.coded import Coded, MissedTargetError
from irncli.operations.network_files import best_trial

HR_PIXELS = 8000


def files(name, sizes, psnrs):
    """Stand-in for the files of a network: sizes and PSNRs that rise with the quality, 1 to 4."""

    def at(quality):
        return Coded(bytes(sizes[quality - 1]), quality)

    def level(coded):
        return psnrs[coded.quality - 1]

    def search(target, growth=1):
        qualities = range(1, len(sizes) + 1)
        if target.psnr is not None:
            enough = [q for q in qualities if psnrs[q - 1] >= target.psnr]
            if not enough:
                raise MissedTargetError(f"{name}: out of reach")
            return at(enough[0])
        limit = target.most_bytes(HR_PIXELS)
        if limit is None:
            return at(target.quality)
        fitting = [q for q in qualities if growth * sizes[q - 1] <= limit]
        if not fitting and growth == 1:
            raise MissedTargetError(f"{name}: too small")
        return at(fitting[-1] if fitting else 1)

    return SimpleNamespace(
        name=name, hr_pixels=HR_PIXELS, search=search, psnr=level, restored=lambda coded: coded
    )


def rising(values):
    return st.lists(values, min_size=4, max_size=4, unique=True).map(sorted)


networks = st.tuples(rising(st.integers(10, 90)), rising(st.integers(10, 40)))


@given(networks, networks, st.integers(1, 100))
def test_within_a_size_the_better_image_wins(fine, coarse, limit):
    candidates = [files("x2", *fine), files("x4", *coarse)]
    possible = [
        (psnrs[k], name)
        for name, (sizes, psnrs) in (("x2", fine), ("x4", coarse))
        for k in range(4)
        if sizes[k] <= limit
    ]
    if not possible:
        with pytest.raises(MissedTargetError, match="x4"):
            best_trial(candidates, Target(bytes=limit), 1)
        return
    trial = best_trial(candidates, Target(bytes=limit), 1)
    assert len(trial.coded.data) <= limit
    assert trial.files.psnr(trial.coded) == max(psnr for psnr, _ in possible)


@given(networks, networks, st.integers(5, 45))
def test_for_a_psnr_the_smaller_file_wins(fine, coarse, wanted):
    candidates = [files("x2", *fine), files("x4", *coarse)]
    possible = [sizes[k] for sizes, psnrs in (fine, coarse) for k in range(4) if psnrs[k] >= wanted]
    if not possible:
        with pytest.raises(MissedTargetError, match="x2"):
            best_trial(candidates, Target(psnr=wanted), 1)
        return
    trial = best_trial(candidates, Target(psnr=wanted), 1)
    assert len(trial.coded.data) == min(possible)
    assert trial.files.psnr(trial.coded) >= wanted


def test_for_a_quality_the_first_file_sets_the_size():
    fine = files("x2", [20, 40, 60, 80], [20, 25, 30, 35])
    coarse = files("x4", [10, 30, 50, 70], [24, 26, 27, 28])
    low = best_trial([fine, coarse], Target(quality=2), 1)
    assert (low.files.name, len(low.coded.data), low.target) == ("x4", 30, Target(bytes=40))
    high = best_trial([fine, coarse], Target(quality=4), 1)
    assert (high.files.name, high.coded.quality, high.target) == ("x2", 4, Target(quality=4))


def test_what_is_too_large_loses_even_if_it_may_shrink():
    fine = files("x2", [50, 60, 70, 80], [30, 31, 32, 33])
    coarse = files("x4", [20, 30, 40, 50], [20, 21, 22, 23])
    trial = best_trial([fine, coarse], Target(bytes=44), 1.1)
    assert (trial.files.name, trial.coded.quality) == ("x4", 3)


def test_a_file_that_would_outgrow_its_limit_loses_to_one_that_would_not():
    fine = files("x2", [42, 60, 70, 80], [30, 31, 32, 33])
    coarse = files("x4", [20, 30, 40, 50], [20, 21, 22, 23])
    trial = best_trial([fine, coarse], Target(bytes=44), 1.1)
    assert (trial.files.name, trial.coded.quality) == ("x4", 3)


def test_with_growth_the_others_may_become_as_large():
    fine = files("x2", [20, 40, 60, 80], [20, 25, 30, 35])
    coarse = files("x4", [10, 30, 40, 70], [24, 26, 27, 28])
    trial = best_trial([fine, coarse], Target(quality=2), 1.1)
    assert (trial.files.name, len(trial.coded.data), trial.target) == ("x4", 40, Target(bytes=44))


def test_one_network_is_not_restored_for_a_choice():
    only = files("x2", [20, 40, 60, 80], [])
    assert best_trial([only], Target(quality=3), 1).coded.quality == 3
