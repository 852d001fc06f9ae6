"""Several processes train one network: the same gradients, crops of their own, one that writes."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from PIL import Image

from irncli.errors import UsageError
from irncli.train.crops import CropSampler
from irncli.train.parallel import Ranks, ranks_of
from irncli.zoo.checkpoint import read_checkpoint
from tests.support.training import CPU, RECIPE, changed, cut, trainer


def test_what_torchrun_says():
    assert ranks_of({}) == Ranks()
    assert ranks_of({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}) == Ranks(3, 8, 1)
    assert Ranks(0, 8).leads
    assert not Ranks(3, 8).leads
    for broken in ({"RANK": "x", "WORLD_SIZE": "2"}, {"RANK": "2", "WORLD_SIZE": "2"}):
        with pytest.raises(UsageError):
            ranks_of(broken)


def test_alone_nothing_is_exchanged():
    values = torch.tensor([1.0, 2.0])
    assert Ranks().mean(values) is values
    assert Ranks().from_leader(0.25) == 0.25


WORKER = textwrap.dedent(
    """
    import os, sys
    sys.path[:0] = sys.argv[2:]
    import torch
    from irncli.io.image_file import decode
    from irncli.train.crops import CropSampler
    from irncli.train.parallel import process_group, ranks_of
    from tests.support.places import ROOT
    from tests.support.training import CPU, changed, cut, trainer

    torch.set_num_threads(1)
    ranks = ranks_of(os.environ)
    photo = decode((ROOT / "irncli" / "demo" / "photo.png").read_bytes()).pixels
    recipe = changed(draw="never", lr_target=60.0, learning_rate=2e-4)
    with process_group(ranks, CPU):
        sampler = CropSampler(cut(photo).pixels, 2, CPU, 0, rank=ranks.rank, ranks=ranks.count)
        learner = trainer(recipe, ranks=ranks)
        hr, target = sampler.draw(0, 4, 16)
        assert hr.shape[0] == 2
        learner.module(hr, target, learner._draws(hr, 0.0), 0.0)[0].backward()
        gradients = {n: p.grad.clone() for n, p in learner.network.named_parameters()}
        learner.network.zero_grad()
        values = [learner.update(*sampler.draw(k, 4, 16), 0.0).values for k in range(3)]
        sums = [ranks.mean(p.detach().clone()) - p for p in learner.network.parameters()]
        assert max(float(s.abs().max()) for s in sums) == 0, "all ranks hold the same weights"
        shared = {"gradients": gradients, "network": learner.network.state_dict(),
                  "average": learner.average.state_dict(), "values": values, "hr": hr}
        torch.save(shared, f"{sys.argv[1]}/{ranks.rank}.pt")
    """
)


def launch(arguments, *, count=2, where=None):
    """torchrun on this machine; the rendezvous takes any free port."""
    run = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*run, f"--nproc-per-node={count}", *map(str, arguments)],
        capture_output=True, text=True, env=environment, cwd=where,
    )  # fmt: skip


FORKS = textwrap.dedent(
    """
    import os, socket, sys
    import torch
    import torch._dynamo  # by optimisers, in every fork, if it is not here

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    program = sys.stdin.read()
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    children = []
    for rank in "01":
        child = os.fork()
        if not child:
            os.environ |= {"RANK": rank, "LOCAL_RANK": rank}
            exec(program, {"__name__": "__main__"})
            os._exit(0)
        children.append(child)
    sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
    """
)


def two_ranks(program, out):
    """Run a program in two processes, as torchrun would; forks, so that torch is loaded once."""
    paths = [Path(__file__).parent, Path(__file__).parents[1]]
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, *map(str, (out, *paths))],
        input=program, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_two_processes_take_the_step_of_one_on_the_joined_batch(tmp_path, photo):
    two_ranks(WORKER, tmp_path)
    first, second = (torch.load(tmp_path / f"{k}.pt", weights_only=True) for k in (0, 1))
    assert not torch.equal(first["hr"], second["hr"]), "every rank draws its own crops"

    recipe = changed(draw="never", lr_target=60.0, learning_rate=2e-4)
    alone = trainer(recipe)
    sampler = CropSampler(cut(photo).pixels, 2, CPU, 0)
    hr, target = sampler.draw(0, 4, 16)
    assert torch.equal(hr[0::2], first["hr"])
    alone.module(hr, target, alone._draws(hr, 0.0), 0.0)[0].backward()
    for name, parameter in alone.network.named_parameters():
        scale = parameter.grad.abs().max().item()
        for rank in (first, second):
            assert torch.allclose(
                rank["gradients"][name], parameter.grad, rtol=1e-4, atol=1e-5 * scale
            ), name
    alone.network.zero_grad()
    values = [alone.update(*sampler.draw(k, 4, 16), 0.0).values for k in range(3)]
    for key in ("loss", "hr_psnr", "lr_psnr", "gradient_norm"):
        assert [v[key] for v in first["values"]] == pytest.approx(
            [v[key] for v in values], rel=1e-3
        )
        assert [v[key] for v in first["values"]] == [v[key] for v in second["values"]]
    for name, value in alone.network.state_dict().items():
        assert torch.allclose(first["network"][name], value, rtol=1e-3, atol=2e-4), name
        assert torch.equal(first["average"][name], second["average"][name])


OTHERS = textwrap.dedent(
    """
    import os, sys
    sys.path[:0] = sys.argv[2:]
    import torch
    from irncli.train.adversarial import DiscriminatorTrainer
    from irncli.train.objective import RescalingObjective, RestorationObjective
    from irncli.train.parallel import process_group, ranks_of
    from irncli.train.step import Trainer
    from tests.support.networks import SMALL, shaken
    from tests.support.training import CPU, CRM, changed

    torch.set_num_threads(1)
    ranks = ranks_of(os.environ)
    torch.manual_seed(ranks.rank)
    with process_group(ranks, CPU):
        crm = RestorationObjective(shaken(CRM.architecture), shaken(SMALL["irn-x2"]), CRM)
        plus = changed(adversarial_weight=1.0, hr_weight=0.01, crop=128, crop_end=0,
                       head_start=1)
        objective = RescalingObjective(shaken(plus.architecture), plus)
        adversary = DiscriminatorTrainer(plus.adversary, CPU, parallel=True)
        objective.adversary = adversary.loss_of
        broken = torch.full((1, 3, 128, 128), float("nan") if ranks.rank else 0.5)
        for name, trainer in (
            ("crm", Trainer(crm, CRM, 0, ranks=ranks)),
            ("plus", Trainer(objective, plus, 0, adversary=adversary, ranks=ranks)),
        ):
            values = []
            for _ in range(2):
                hr = torch.rand(1, 3, 128, 128)
                target = torch.nn.functional.avg_pool2d(hr, 2)
                values.append(trainer.update(hr, target, 0.0).values)
            skipped = trainer.update(broken, torch.nn.functional.avg_pool2d(broken, 2), 0.0).skipped
            held = {**trainer.network.state_dict(), **dict(trainer.network.named_parameters())}
            if trainer.adversary:
                held |= trainer.adversary.discriminator.named_parameters()
            torch.save({"held": {k: v.detach() for k, v in held.items()}, "values": values,
                        "skipped": skipped}, f"{sys.argv[1]}/{name}-{ranks.rank}.pt")
    """
)


@pytest.mark.slow
def test_crm_and_irn_plus_stay_alike_on_all_ranks_and_skip_together(tmp_path):
    two_ranks(OTHERS, tmp_path)
    for name in ("crm", "plus"):
        first, second = (torch.load(tmp_path / f"{name}-{k}.pt", weights_only=True) for k in (0, 1))
        assert first["values"] == second["values"]
        assert first["skipped"]
        assert second["skipped"], "one rank's nan is every rank's"
        for key, value in first["held"].items():
            assert torch.equal(value, second["held"][key]), (name, key)
            assert value.isfinite().all(), (name, key)


@pytest.mark.slow
def test_the_command_under_torchrun_and_its_run_resumed_by_one(tmp_path, photo, quick_irn):
    data, out = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    pictures = cut(photo)
    for name, pixels in zip(pictures.names, pictures.pixels, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(data / name)
    small = ("batch=3", "crop=16", "crop_end=16", "blocks=1", "log_every=1", "validate_every=2",
             "draw_from=0.0")  # fmt: skip
    fields = [word for field in small for word in ("--set", field)]
    command = ["train", "--preset", "irn-x2", "--data", data, "--out", out,
               "--device", "cpu", "--threads", "1", *fields]  # fmt: skip
    together = launch(["-m", "irncli", *command, "--steps", "3"])
    assert together.returncode == 0, together.stderr
    assert together.stderr.count("images to train on") == 1, "one rank speaks"
    assert not list(out.glob(".*"))
    alone = subprocess.run(
        [quick_irn, *map(str, command), "--steps", "6", "--resume"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stderr
    assert f"continuing {out} at step 3" in alone.stderr
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if "training" in r] == [1, 2, 3, 4, 5, 6]
    assert read_checkpoint(out / "best.safetensors").architecture.scale == RECIPE.network.scale
