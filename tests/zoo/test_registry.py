"""Models by name: shipped, imported, verified; failures leave nothing behind."""

import pytest
import torch

from irncli.errors import CheckpointError, OutputError, UnavailableError, UsageError
from irncli.zoo.catalogue import CATALOGUE
from irncli.zoo.checkpoint import Card, serialise
from irncli.zoo.registry import Registry, default_registry
from tests.support.networks import SMALL, shaken


def ship(folder, name, config, seed=0):
    folder.mkdir(exist_ok=True)
    data = serialise(shaken(config, seed), Card(name=name, summary=f"the {name}"))
    (folder / f"{name}.safetensors").write_bytes(data)


@pytest.fixture
def registry(tmp_path):
    ship(tmp_path / "shipped", "two", SMALL["irn-x2"])
    ship(tmp_path / "shipped", "four", SMALL["irn-x4"])
    return Registry(shipped=tmp_path / "shipped", imported=tmp_path / "data" / "models")


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "My Model_G.safetensors"
    path.write_bytes(serialise(shaken(SMALL["irn-ld-x3"], 5), Card(name="whatever")))
    return path


def test_lists_and_loads_by_name_and_by_path(registry, foreign):
    assert [entry.name for entry in registry.entries()] == ["four", "two"]
    assert registry.load("two").architecture.scale == 2
    assert registry.load(str(foreign)).architecture.scale == 3
    assert [s.text for s in registry.summaries()] == ["the four", "the two"]


@pytest.mark.parametrize(("scale", "name"), [(1.5, "two"), (2, "two"), (2.5, "four"), (4, "four")])
def test_the_smallest_sufficient_scale_serves(registry, scale, name):
    assert registry.for_scale(scale) == name


def test_the_plain_model_of_a_scale_goes_before_its_variants(tmp_path):
    for name in ("irn-e-x4", "irn-x4", "a-x4"):
        ship(tmp_path / "shipped", name, SMALL["irn-x4"])
    registry = Registry(shipped=tmp_path / "shipped", imported=tmp_path / "none")
    assert registry.for_scale(4) == "irn-x4"


def test_models_of_the_catalogue_without_weights_say_how_to_train_them(tmp_path):
    ship(tmp_path / "shipped", "irn-x2", SMALL["irn-x2"])
    registry = Registry(shipped=tmp_path / "shipped", imported=tmp_path / "none")
    assert set(registry.untrained()) == set(CATALOGUE) - {"irn-x2"}
    with pytest.raises(UnavailableError, match="irn train --preset irn-x8"):
        registry.load("irn-x8")


def test_a_scale_without_a_model_names_those_there_are(registry):
    with pytest.raises(UnavailableError, match=r"x2 \(two\)|x4 \(four\)"):
        registry.for_scale(8)


def test_an_unknown_name_names_those_there_are(registry):
    with pytest.raises(UnavailableError, match="four, two"):
        registry.load("three")


def test_import_keeps_weights_hash_and_source(registry, foreign):
    before = registry.load(str(foreign))
    entry = registry.import_file(foreign)
    assert entry.name == "My-Model_G"
    assert entry.origin == "imported"
    after = registry.load(entry.name)
    assert after.weights_sha256 == before.weights_sha256
    assert foreign.name in after.card.source
    assert "SHA-256" in after.card.source
    assert registry.for_scale(3) == entry.name


def test_an_imported_model_never_replaces_another(registry, foreign):
    with pytest.raises(UsageError, match="two"):
        registry.import_file(foreign, "two")
    registry.import_file(foreign, "mine")
    with pytest.raises(UsageError, match="mine"):
        registry.import_file(foreign, "mine")


@pytest.mark.parametrize("name", ["../evil", "a/b", "-x", ".", "x" * 65, "a b", ""])
def test_names_that_are_no_names(registry, foreign, name):
    if name == "":
        assert registry.import_file(foreign, name).name == "My-Model_G"
        return
    with pytest.raises(UsageError):
        registry.import_file(foreign, name)
    assert not registry.imported.exists()


def test_a_failed_import_leaves_nothing(registry, tmp_path):
    broken = tmp_path / "broken.pth"
    torch.save({"operations.0.haar_weights": torch.zeros(12, 1, 2, 2)}, broken)
    with pytest.raises(CheckpointError):
        registry.import_file(broken)
    assert not registry.imported.exists()


def test_a_folder_that_cannot_be_made(registry, foreign, tmp_path):
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(OutputError):
        registry.import_file(foreign)


def test_a_damaged_import_does_not_hide_the_others(registry, foreign):
    registry.import_file(foreign, "mine")
    registry.locate("mine").write_bytes(b"damaged")
    assert registry.for_scale(2) == "two"
    assert [s.task for s in registry.summaries()] == ["rescale", "rescale", "damaged"]


def test_shipped_models_are_there():
    names = [entry.name for entry in default_registry().entries() if entry.origin == "shipped"]
    assert {"irn-x2", "irn-x4"} <= set(names)
    for name in ("irn-x2", "irn-x4"):
        checkpoint = default_registry().load(name)
        assert checkpoint.card.name == name
        assert torch.isfinite(checkpoint.network.latent_sigma).all()
        assert (checkpoint.network.latent_sigma > 0).all()


def test_a_renamed_model_keeps_its_weights(registry, foreign):
    before = registry.import_file(foreign, "mine")
    sha256 = registry.load("mine").weights_sha256
    assert registry.rename("mine", "yours").name == "yours"
    assert registry.load("yours").weights_sha256 == sha256
    assert not before.path.exists()
    with pytest.raises(UnavailableError):
        registry.load("mine")


def test_renaming_never_replaces_a_file(registry, foreign, monkeypatch):
    registry.import_file(foreign, "mine")
    other = registry.imported / "yours.safetensors"
    real = Registry._refuse_name

    def appears(self, name, how):
        real(self, name, how)
        other.write_bytes(b"of another process")

    monkeypatch.setattr(Registry, "_refuse_name", appears)
    with pytest.raises(OutputError, match="exists already"):
        registry.rename("mine", "yours")
    assert other.read_bytes() == b"of another process"
    assert registry.load("mine").card.name == "mine"


def test_a_damaged_model_can_be_removed_and_a_shipped_one_of_its_name_stays(registry, foreign):
    registry.imported.mkdir(parents=True)
    (registry.imported / "two.safetensors").write_bytes(b"damaged")
    registry.remove("two")
    assert registry.load("two").architecture.scale == 2
    with pytest.raises(UsageError, match="shipped"):
        registry.remove("two")
