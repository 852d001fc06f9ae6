"""Architectures: validation, and the same after JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.config import CrmConfig, InvertibleConfig, Level, from_json, to_json

levels = st.one_of(
    st.builds(Level, transform=st.just("haar"), factor=st.just(2), blocks=st.integers(0, 64)),
    st.builds(
        Level, transform=st.just("learned"), factor=st.integers(2, 8), blocks=st.integers(0, 64)
    ),
)
networks = st.builds(
    InvertibleConfig,
    levels=st.lists(levels, min_size=1, max_size=2).map(tuple),
    growth=st.integers(1, 256),
)
modules = st.builds(
    CrmConfig,
    blocks=st.integers(1, 99),
    features=st.integers(1, 256),
    growth=st.integers(1, 256),
)


@given(networks | modules)
def test_json_gives_back_the_same(architecture):
    assert from_json(json.loads(json.dumps(to_json(architecture)))) == architecture


@pytest.mark.parametrize(
    ("config", "scale", "latent"),
    [
        (InvertibleConfig.irn(2), 2, 9),
        (InvertibleConfig.irn(4), 4, 45),
        (InvertibleConfig.irn(8), 8, 189),
        (InvertibleConfig.irn_ld(3), 3, 24),
        (InvertibleConfig.irn_e(4), 4, 45),
        (InvertibleConfig.irn_color(), 1, 2),
        (InvertibleConfig.irn_color(cell=2), 1, 8),
        (InvertibleConfig.irn_color(cell=4), 1, 32),
    ],
)
def test_scale_and_latent_channels(config, scale, latent):
    assert (config.scale, config.latent_channels) == (scale, latent)


COLOR = {"transform": "color", "factor": 1, "blocks": 1}
HAAR = {"transform": "haar", "factor": 2, "blocks": 1}


def test_cells_are_of_two_or_four_pixels():
    with pytest.raises(ValueError, match="factor 3"):
        Level(transform="color", factor=3, blocks=1)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"kind": "other"},
        {"kind": "crm", "blocks": 0},
        {"kind": "crm", "unknown": 1},
        {"kind": "invertible"},
        {"kind": "invertible", "levels": []},
        {"kind": "invertible", "levels": [{"transform": "haar", "factor": 3, "blocks": 1}]},
        {"kind": "invertible", "levels": [{"transform": "dct", "factor": 2, "blocks": 1}]},
        {"kind": "invertible", "levels": [{"transform": "haar", "factor": 2, "blocks": 10**9}]},
        {"kind": "invertible", "levels": [{"transform": "color", "factor": 1, "blocks": 1}]},
        {"kind": "invertible", "levels": [COLOR], "low_channels": 4},
        {"kind": "invertible", "levels": [{**COLOR, "factor": 4}], "low_channels": 4},
        {"kind": "invertible", "levels": [{**COLOR, "factor": 2}], "low_channels": 3},
        {"kind": "invertible", "levels": [{**COLOR, "factor": 2}] * 2, "low_channels": 16},
        {"kind": "invertible", "levels": [HAAR, COLOR], "low_channels": 3},
        {"kind": "invertible", "levels": [HAAR, HAAR], "low_channels": 16},
        {"kind": "invertible", "levels": [{"transform": "haar", "factor": True, "blocks": 1}]},
    ],
)
def test_what_is_no_architecture_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        from_json(data)
