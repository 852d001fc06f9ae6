"""Recipes: the paper's to the letter, the same after JSON and TOML, changed by name."""

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irncli.errors import UsageError
from irncli.train.presets import PRESETS, VARIANTS, preset
from irncli.train.recipe import Recipe, parse_assignments, parse_toml
from irncli.train.sections import SECTIONS
from irncli.zoo.catalogue import CATALOGUE

ALL = [(name, variant) for name in PRESETS for variant in VARIANTS]
X2 = PRESETS["irn-x2"]["irn"]


def test_every_preset_exists_twice_and_is_in_the_catalogue():
    assert list(PRESETS) == list(CATALOGUE)
    assert all(set(variants) == set(VARIANTS) for variants in PRESETS.values())


@pytest.mark.parametrize(("name", "variant"), ALL)
def test_json_and_toml_give_back_the_same(name, variant):
    recipe = preset(name, variant)
    assert Recipe.from_record(json.loads(json.dumps(recipe.as_record()))) == recipe
    other = PRESETS["irn-x2"]["irn"]
    assert other.changed(parse_toml(recipe.as_toml())) == recipe


def test_field_names_are_unique_so_that_the_section_may_be_left_out():
    names = [field.name for section in SECTIONS.values() for field in fields(section)]
    assert len(names) == len(set(names))
    assert not set(names) & set(SECTIONS)


@pytest.mark.parametrize(
    ("name", "lr_weight", "parameters"),
    [
        ("irn-x2", 4, 1_668_000),
        ("irn-x3", 9, 3_139_029),
        ("irn-x4", 16, 4_355_376),
        ("irn-x8", 64, 11_120_256),
        ("irn-e-x4", 16, 2 * (2_687_424 - 240) + 240),
    ],
)
def test_the_paper_s_rescaling(name, lr_weight, parameters):
    from irncli.model import build

    recipe = preset(name, "paper")
    loss, optimiser, data = recipe.loss, recipe.optimiser, recipe.data
    assert (loss.lr_norm, loss.lr_weight, loss.lr_target) == ("l2", lr_weight, 0)
    assert (loss.hr_weight, loss.z_weight, loss.psnr_from) == (1, 1, 1)
    assert (recipe.latent.draw, recipe.latent.draw_from, recipe.latent.draw_width) == (
        "normal", 0, 1,
    )  # fmt: skip
    assert (optimiser.learning_rate, optimiser.beta2, optimiser.weight_decay) == (2e-4, 0.999, 1e-5)
    assert (optimiser.steps, optimiser.clip, optimiser.ema) == (500_000, 10, 0)
    assert (data.batch, data.crop, data.crop_end, data.zoom_least) == (16, 144, 0, 1)
    assert recipe.compute.precision == "fp32"
    network = build(recipe.architecture)
    haar = {2: 48, 4: 48 + 192, 8: 48 + 192 + 768, 3: 0}  # the reference counts its fixed filters
    own = sum(p.numel() for p in network.parameters())
    assert own + haar[recipe.network.scale] == parameters


def test_the_paper_s_schedule_halves_four_times():
    optimiser = preset("irn-x2", "paper").optimiser
    rates = [optimiser.rate_at(step, step / 500_000) for step in
             (0, 99_999, 100_000, 200_000, 300_000, 400_000, 499_999)]  # fmt: skip
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 5e-5, 2.5e-5, 1.25e-5, 1.25e-5])


def test_the_paper_s_variants():
    color = preset("irn-color", "paper")
    assert (color.loss.lr_weight, color.data.batch, color.latent.draw) == (3, 8, "never")
    robust = preset("irn-x2-robust", "paper")
    assert (robust.loss.lr_norm, robust.loss.lr_weight) == ("l1", 4)
    assert (robust.network.init, robust.optimiser.schedule) == ("irn-x2", "constant")
    assert robust.optimiser.rate_at(99_999, 1.0) == robust.optimiser.learning_rate == 1e-5
    assert (robust.codec.noise_chance, robust.codec.noise_width) == (0.5, 0.01)
    assert robust.optimiser.steps == 100_000
    plus = preset("irn-plus-x4", "paper")
    assert (plus.network.init, plus.loss.lr_weight, plus.loss.hr_weight) == ("irn-x4", 16, 0.01)
    assert (plus.loss.features_weight, plus.loss.adversarial_weight) == (0.01, 1)
    assert (plus.adversary.adversary_rate, plus.adversary.adversary_beta2) == (1e-4, 0.99)
    assert (plus.adversary.head_start, plus.optimiser.steps) == (5_000, 400_000)
    assert plus.optimiser.halve_at == (50_000, 100_000, 200_000, 300_000)
    assert plus.optimiser.learning_rate == 1e-4
    crm = preset("crm-q75", "paper")
    assert (crm.codec.jpeg_least, crm.codec.jpeg_most) == (75, 75)
    assert (crm.optimiser.steps, crm.optimiser.weight_decay) == (50_000, 0)
    assert crm.optimiser.halve_at == (10_000, 20_000, 30_000, 40_000)
    assert not crm.network.conditioned
    assert preset("crm-jpeg", "paper").network.conditioned


def test_ours_has_hard_crops_and_the_paper_s_has_none():
    for name in PRESETS:
        shares = {variant: preset(name, variant).data.hard for variant in VARIANTS}
        assert shares["paper"] == 0
        assert (shares["irn"] > 0.1) is not name.startswith("crm"), name


def test_ours_draws_z_late_and_wide_and_decays_to_zero():
    recipe = preset("irn-x4")
    assert (recipe.latent.draw, recipe.latent.draw_width) == ("mixed", 2.5)
    assert recipe.network.init == "irn-x2"
    assert recipe.optimiser.rate_at(1000, 1.0) == pytest.approx(0, abs=1e-12)
    assert recipe.optimiser.rate_at(1000, 0.5) == pytest.approx(recipe.optimiser.learning_rate / 2)
    assert recipe.optimiser.rate_at(0, 0.0) == pytest.approx(
        recipe.optimiser.learning_rate / recipe.optimiser.warm_up
    )


def test_fields_are_changed_by_name_with_or_without_section():
    changed = X2.changed(
        parse_assignments(
            [
                "batch=3",
                "optimiser.learning_rate=1e-3",
                "lr_target=40",
                "vgg19=a.pth",
                "recompute=true",
                "halve_at=[1, 2]",
                "draw=never",
            ]
        )
    )
    assert (changed.data.batch, changed.optimiser.learning_rate) == (3, 1e-3)
    assert changed.loss.lr_target == 40.0
    assert isinstance(changed.loss.lr_target, float)
    assert (changed.loss.vgg19, changed.compute.recompute) == ("a.pth", True)
    assert (changed.optimiser.halve_at, changed.latent.draw) == ((1, 2), "never")
    assert X2.changed({}) == X2


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("batch", "name=value"),
        ("batch=", "whole number"),
        ("batch=1.5", "whole number"),
        ("batch=true", "whole number"),
        ("learning_rate=fast", "a number"),
        ("learning_rate=NaN", "a number"),
        ("recompute=1", "true or false"),
        ("draw=always", "never, normal, own"),
        ("halve_at=5", "list"),
        ("halve_at=[2, 1]", "increasing"),
        ("vgg19=3", "text"),
        ("bacth=3", "did you mean batch?"),
        ("data.bacth=3", "did you mean data.batch?"),
        ("loss.batch=3", "did you mean batch?"),
        ("foo=1", "no recipe field 'foo': 'irn train --show PRESET' shows all fields"),
        ("crop=47", "multiple of 2"),
        ("batch=0", "1 to"),
        ("draw_from=1.5", "0 to 1"),
        ("clip=0", "above 0"),
        ("blocks=-1", "blocks"),
        ("jpeg_least=50", "least <= most"),
        ("adversarial_weight=1", "128 to 159"),
    ],
)
def test_what_cannot_be_changed_is_said(assignment, said):
    with pytest.raises(UsageError) as caught:
        X2.changed(parse_assignments([assignment]))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_toml_files():
    assert parse_toml("batch = 3\n[loss]\nlr_weight = 2\n") == {"batch": 3, "loss.lr_weight": 2}
    with pytest.raises(UsageError, match="TOML"):
        parse_toml("batch = ")


@pytest.mark.parametrize(
    "record", [None, {}, {"network": {}}, {**X2.as_record(), "loss": {"a": 1}}]
)
def test_foreign_records_are_refused(record):
    with pytest.raises(UsageError):
        Recipe.from_record(record)


def test_differences_are_named():
    other = X2.changed({"batch": 9, "clip": 1.0})
    assert X2.differences(X2) == []
    assert X2.differences(other) == ["data.batch: 6, not 9", "optimiser.clip: 10.0, not 1.0"]


def test_unknown_presets_name_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean irn-x2\?"):
        preset("irnx2")
    with pytest.raises(UsageError, match="irn or paper"):
        preset("irn-x2", "mine")


@given(share=st.floats(0, 1))
def test_crops_have_about_as_many_pixels_throughout(share):
    data = preset("irn-x4").data
    count, side = data.crops_at(share)
    assert side % 4 == 0
    assert count * side**2 == pytest.approx(data.batch * data.crop**2, rel=0.5)


def test_bits_are_only_weighed_where_there_is_a_codec():
    with pytest.raises(UsageError, match="rate_weight needs jpeg_least"):
        preset("irn-x2").changed({"rate_weight": 0.5})


def test_cells_are_of_colour_networks_whose_crops_they_divide():
    color = preset("irn-color")
    assert (color.network.cell, color.architecture.cell, color.network.reduction) == (4, 4, 4)
    assert preset("irn-color", "paper").network.cell == 1
    with pytest.raises(UsageError, match="crop is 82, expected a multiple of 4"):
        color.changed({"crop": 82})
    with pytest.raises(UsageError, match="cell"):
        preset("irn-x2").changed({"cell": 2})
