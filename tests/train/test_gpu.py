"""Training on CUDA: the crops and the steps of the CPU, and what only a GPU does."""

import pytest
import torch

from irncli.kernels.available import reason as kernels_reason
from irncli.train.crops import CropSampler
from irncli.train.loop import Budget, Run, train
from irncli.train.parallel import Ranks
from irncli.train.setup import LoadedNetworks, build_trainer
from irncli.zoo.checkpoint import read_checkpoint
from tests.support.networks import shaken
from tests.support.training import CPU, RECIPE, changed, cut

pytestmark = pytest.mark.gpu


@pytest.fixture
def cuda():
    return torch.device("cuda")


def build(recipe, device, said):
    return build_trainer(
        shaken(recipe.architecture), recipe, LoadedNetworks(),
        device=device, seed=0, ranks=Ranks(), say=said.append,
    )  # fmt: skip


def test_pictures_lie_on_the_device_and_crops_are_those_of_the_cpu(cuda, photo):
    pictures = cut(photo).pixels
    here, there = (CropSampler(pictures, 2, device, 3) for device in (CPU, cuda))
    assert there.store.values.is_cuda
    for step in range(3):
        for a, b in zip(here.draw(step, 4, 16), there.draw(step, 4, 16), strict=True):
            assert b.is_cuda
            assert torch.allclose(a, b.cpu(), atol=1e-6)


WAYS = [
    {"compile": "off"},
    {"compile": "off", "precision": "bf16"},
    {"compile": "on"},
    {"compile": "off", "recompute": True},
]


@pytest.mark.parametrize("fields", WAYS, ids=str)
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_steps_are_nearly_those_of_the_cpu(cuda, batch, fields):
    tolerance = 0.03 if "precision" in fields else 1e-3
    said = []
    here = build(changed(draw="never"), CPU, said)
    there = build(changed(draw="never", **fields), cuda, said)
    for _ in range(3):
        a = here.update(*batch, 0.1).values
        b = there.update(*(t.to(cuda) for t in batch), 0.1).values
        assert b["loss"] == pytest.approx(a["loss"], rel=tolerance)
    assert not said


@pytest.mark.parametrize("collected", [True, False], ids=["graph", "JPEG"])
def test_fused_steps_are_nearly_those_of_the_cpu(cuda, batch, collected):
    if (reason := kernels_reason(cuda)) is not None:
        pytest.skip(reason)
    said, fields = [], {} if collected else {"jpeg_least": 80, "jpeg_most": 80}
    recipe = changed(draw="never", growth=32, **fields)
    here = build(recipe, CPU, said)
    there = build(recipe.changed({"precision": "auto"}), cuda, said)
    assert (there.graph is not None) == collected
    assert there.objective.fused is not None
    for _ in range(3):
        a = here.update(*batch, 0.1).values
        b = there.update(*(t.to(cuda) for t in batch), 0.1).values
        assert b["loss"] == pytest.approx(a["loss"], rel=0.03)
    assert len(said) == (0 if collected else 1)


def test_a_run_on_cuda_is_resumed(cuda, tmp_path, photo):
    pictures = cut(photo)

    def run(steps, resume):
        out, budget = tmp_path / "a", Budget(steps=steps)
        return train(
            RECIPE, pictures, Run(name="t", out=out, budget=budget, device=cuda, resume=resume)
        )

    assert run(3, False)
    assert run(6, True)
    assert read_checkpoint(tmp_path / "a" / "best.safetensors").architecture == RECIPE.architecture
