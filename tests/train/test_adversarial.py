"""IRN+: VGG19 features from files, the discriminator, and a step of all three."""

import sys
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from irncli.errors import CheckpointError, InputMissingError, UnavailableError
from irncli.train.adversarial import Discriminator, DiscriminatorTrainer
from irncli.train.objective import Draws, RescalingObjective
from irncli.train.parallel import Ranks
from irncli.train.perceptual import Vgg19Features, load_vgg19
from irncli.train.sections import Adversary
from irncli.train.setup import LoadedNetworks, build_trainer
from tests.support.networks import shaken
from tests.support.training import CPU, changed

CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
"""Places of the convolutions of VGG19 in torchvision's `features`; 34 is conv5_4."""

PLUS = changed(
    features_weight=0.01, adversarial_weight=1.0, hr_weight=0.01, crop=128, crop_end=0, head_start=1
)


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return Vgg19Features()


def test_names_and_shapes_are_torchvision_s(vgg):
    names = {name for name in vgg.state_dict() if name.endswith("weight")}
    assert names == {f"features.{k}.weight" for k in CONVOLUTIONS}
    assert vgg.state_dict()["features.34.weight"].shape == (512, 512, 3, 3)
    assert sum(v.numel() for v in vgg.state_dict().values()) == 20_024_384


def test_features_are_before_the_rectifier_and_normalised(vgg):
    picture = torch.rand(1, 3, 32, 48)
    features = vgg(picture)
    assert features.shape == (1, 512, 2, 3)
    assert (features < 0).any()
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    x = (picture - mean) / std
    for layer in vgg.features:
        x = layer(x.clone())
    assert torch.allclose(features, x)
    assert not any(p.requires_grad for p in vgg.parameters())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_come_from_a_file(vgg, tmp_path, suffix):
    path = tmp_path / f"vgg19{suffix}"
    state = {**vgg.state_dict(), "classifier.0.weight": torch.zeros(3)}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = load_vgg19(str(path))
    assert torch.equal(loaded.features[34].weight, vgg.features[34].weight)


def test_files_that_are_not_it_are_said(tmp_path):
    with pytest.raises(InputMissingError, match="set vgg19"):
        load_vgg19(str(tmp_path / "none.pth"))
    (tmp_path / "bad.pth").write_bytes(b"x")
    (tmp_path / "bad.safetensors").write_bytes(b"y" * 30)
    torch.save([1], tmp_path / "list.pth")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    for name in ("bad.pth", "bad.safetensors", "list.pth", "other.pth"):
        with pytest.raises(CheckpointError):
            load_vgg19(str(tmp_path / name))


def test_without_a_file_torchvision_serves_where_it_is(vgg, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(UnavailableError, match="--set vgg19=FILE"):
        load_vgg19("")
    stand_in = ModuleType("torchvision.models")
    stand_in.VGG19_Weights = type("W", (), {"IMAGENET1K_V1": "w"})
    stand_in.vgg19 = lambda weights: vgg
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", stand_in)
    assert torch.equal(load_vgg19("").features[0].weight, vgg.features[0].weight)

    def offline(weights):
        raise OSError("no network")

    stand_in.vgg19 = offline
    with pytest.raises(UnavailableError, match="no network"):
        load_vgg19("")


@pytest.mark.parametrize("side", [128, 144])
def test_the_discriminator_judges_whole_crops(side):
    logits = Discriminator()(torch.rand(2, 3, side, side))
    assert logits.shape == (2, 1)
    assert sum(p.numel() for p in Discriminator().parameters()) == 14_499_401


def test_the_opponent_learns_and_its_loss_reaches_the_pictures():
    torch.manual_seed(0)
    adversary = DiscriminatorTrainer(Adversary(adversary_rate=1e-3), CPU, parallel=False)
    real, fake = torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128) * 0.2
    losses = [float(adversary.learn(real, fake, 1.0)) for _ in range(4)]
    assert losses[-1] < 0.5 * losses[0]
    assert losses[0] == pytest.approx(2 * 0.693, abs=0.5)
    with torch.no_grad():
        judged = adversary.discriminator(torch.cat((real, fake)))
    assert judged[0] > judged[1], "high for the real one"
    fake.requires_grad_()
    loss = adversary.loss_of(fake)
    loss.backward()
    assert fake.grad.abs().sum() > 0
    other = DiscriminatorTrainer(Adversary(), CPU, parallel=False)
    other.restore(adversary.state())
    again = other.loss_of(fake.detach())
    assert again.item() == pytest.approx(loss.item(), rel=1e-3)


def test_a_step_of_irn_plus(vgg, photo):
    hr = torch.from_numpy(photo[:128, :128].copy()).permute(2, 0, 1)[None].float() / 255
    target = torch.nn.functional.avg_pool2d(hr, 2)
    trainer = build_trainer(
        shaken(PLUS.architecture), PLUS, LoadedNetworks(vgg),
        device=CPU, seed=0, ranks=Ranks(), say=print,
    )  # fmt: skip
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    start = trainer.update(hr, target, 0.0)
    after = trainer.network.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items()), "the discriminator comes first"
    assert start.values["adversary_loss"] > 0
    judged = {k: v.clone() for k, v in trainer.adversary.discriminator.state_dict().items()}
    whole = trainer.update(hr, target, 0.0)
    assert {"lr_loss", "hr_loss", "features_loss", "adversarial_loss", "adversary_loss"} <= set(
        whole.values
    )
    parts = (
        "lr_loss",
        "hr_loss",
        "z_loss",
        "means_loss",
        "features_loss",
        "adversarial_loss",
    )
    assert whole.values["loss"] == pytest.approx(sum(whole.values[p] for p in parts), rel=1e-5)
    assert not torch.equal(
        after["operations.1.F.conv1.weight"], before["operations.1.F.conv1.weight"]
    )
    now = trainer.adversary.discriminator.state_dict()
    assert not torch.equal(now["judge.0.weight"], judged["judge.0.weight"])
    again = build_trainer(
        shaken(PLUS.architecture, 9), PLUS, LoadedNetworks(vgg),
        device=CPU, seed=0, ranks=Ranks(), say=print,
    )  # fmt: skip
    again.restore(trainer.state())
    left, right = (t.update(hr, target, 0.1).values["loss"] for t in (trainer, again))
    assert left == right


def test_features_are_compared_with_those_of_hr(vgg):
    network = shaken(PLUS.architecture)
    hr = torch.rand(1, 3, 32, 32)
    objective = RescalingObjective(network, PLUS, features=vgg)
    _, parts = objective(hr, torch.nn.functional.avg_pool2d(hr, 2), Draws(), 0)
    restored = objective.restore(hr, Draws()).image
    difference = vgg(restored) - vgg(hr)
    expected = 0.01 * torch.sqrt(difference.square() + 1e-6).sum()
    assert parts["features_loss"].item() == pytest.approx(expected.item(), rel=1e-4)
