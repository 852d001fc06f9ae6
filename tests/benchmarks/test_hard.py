"""The judge of hard images: its own bicubic reference, its verdicts and its table."""

import json

import hard
import numpy as np
import pytest
from hard_images import hard_images

from irncli.engine.rescaler import bicubic
from tests.support.places import ROOT

PHOTOS = [ROOT / "irncli" / "demo" / "photo.png"]
FINE = {"restored": 30.0, "bicubic": 29.0, "lr": 40.0, "shift": 1.0}


@pytest.fixture(scope="module")
def images():
    return dict(hard_images(0, PHOTOS))


def test_there_are_44_and_a_seed_gives_the_same_again(images):
    assert len(images) == 44
    again = dict(hard_images(0, PHOTOS))
    assert all(np.array_equal(image, again[name]) for name, image in images.items())
    assert all(
        image.shape == (192, 192, 3) and image.dtype == np.uint8 for image in images.values()
    )
    other = dict(hard_images(1, PHOTOS))
    assert not np.array_equal(images["noise-pure"], other["noise-pure"])


@pytest.mark.parametrize("name", ["text-red-on-blue", "interlaced", "zone-plate"])
@pytest.mark.parametrize("size", [(96, 96), (77, 48), (250, 200)])
def test_the_reference_is_bicubic(images, name, size):
    ours = bicubic(images[name], *size)
    assert np.abs(hard.resized(images[name].astype(float), *size) - ours).max() <= 1


@pytest.mark.parametrize(
    ("change", "bad"),
    [
        ({}, False),
        ({"restored": 28.9}, False),
        ({"restored": 28.7}, True),
        ({"restored": 50.0, "bicubic": 78.0}, False),
        ({"restored": 49.0, "bicubic": 78.0}, True),
        ({"lr": 21.9}, True),
        ({"shift": 8.1}, True),
    ],
)
def test_verdicts(change, bad):
    assert hard.is_bad(FINE | change, hard.WAYS[0]) is bad


def test_the_table_counts(images):
    row = {"repaired": 0.5, "bicubic_share": 0.25, "seconds": 1.0}
    rows = [FINE | row | {"name": "a"}, FINE | row | {"name": "b", "restored": 20.0, "lr": 10.0}]
    record = hard.summary("irn-x2", hard.WAYS[0], rows)
    assert (record["images"], record["bad"], record["worse"], record["lr_far"]) == (2, 1, 1, 1)
    (line,) = [text for text in hard.table({"records": [record]}) if text.startswith("| irn-x2")]
    assert line == "| irn-x2 | PNG | 2 | 1 | 1 | 1 | 0 | -4.00 dB | 50.0% | 25.0% |"


def test_means_of_squares():
    image = np.arange(12.0).reshape(3, 4, 1)
    assert hard.means(image, 2)[..., 0].tolist() == [[2.5, 4.5]]


def test_what_was_measured_is_kept_with_a_line_for_each_image():
    row = FINE | {"repaired": 0.5, "bicubic_share": 0.25, "seconds": 1.0}
    rows = [row | {"name": name} for name in ("dots", "lines")]
    result = {"guard": "on", "records": [hard.summary("irn-x2", hard.WAYS[0], rows)]}
    lines = hard.dumps(result).splitlines()
    assert json.loads("".join(lines)) == result
    assert not [line for line in lines if "dots" in line and "lines" in line]
