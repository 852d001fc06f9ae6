"""Steps that are replayed, with a stand-in for CUDA's graphs that replays in Python."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch

from irncli.train.graph import WARM_UP, CapturedStep
from irncli.train.loop import Budget, Run, train
from tests.support.training import RECIPE, changed, cut, trainer


class Graph:
    """Replays by running again what was captured, on the same tensors."""

    captured = 0

    def replay(self):
        outcome = self.step._take(self.step._inputs, self.share)
        for old, new in zip(self.step._outcome, outcome, strict=True):
            if isinstance(old, torch.Tensor):
                old.copy_(new)


@pytest.fixture
def graphs(monkeypatch):
    """Replace CUDA's graphs; return the class of the replacement."""
    stream = SimpleNamespace(wait_stream=lambda other: None)

    @contextmanager
    def capture(graph):
        Graph.captured += 1
        yield

    monkeypatch.setattr(Graph, "captured", 0)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    return Graph


def captured(recipe):
    """A trainer whose steps are replayed, and the calls that were made."""
    learner, calls, forgotten = trainer(recipe), [], []

    def take(inputs, share):
        calls.append("replay" if inputs.enabled else "preparation")
        return learner.take(inputs, share)

    step = CapturedStep(take, recipe.loss.in_psnr_phase, lambda: forgotten.append(1), print)
    capture, run = step._capture, step.run

    def remembered(inputs, share):
        capture(inputs, share)
        step._graph.step, step._graph.share = step, share

    step._capture, step.run, learner.graph = remembered, run, step
    return learner, calls, forgotten


def test_replayed_steps_are_steps(graphs, batch):
    recipe = changed(draw="mixed", draw_from=0, psnr_from=0.5)
    plain, (replayed, calls, forgotten) = trainer(recipe), captured(recipe)
    hr, target = batch
    smaller = hr[:, :, :16, :16].contiguous(), target[:, :, :8, :8].contiguous()
    broken = torch.full_like(hr, torch.inf), target
    steps = [(batch, 0.0), (batch, 0.1), (broken, 0.2), (smaller, 0.3), (batch, 0.4), (batch, 0.6)]
    for crops, share in steps:
        expected, found = (one.update(*crops, share) for one in (plain, replayed))
        assert found.skipped == expected.skipped
        assert found.values == pytest.approx(expected.values, nan_ok=True)
        for name, value in plain.network.state_dict().items():
            assert torch.equal(replayed.network.state_dict()[name], value), name
    for name, value in plain.average.state_dict().items():
        assert torch.equal(replayed.average.state_dict()[name], value), name
    assert (replayed.skipped, replayed.skipped_in_a_row) == (1, 0)
    assert graphs.captured == len(forgotten) == 4  # at first, two new sizes, the phase of PSNR
    assert calls.count("replay") == len(steps)
    assert calls.count("preparation") == 4 * (WARM_UP + 1)  # a real capture would run nothing


def test_what_cannot_be_captured_is_taken_step_by_step(batch, graphs, monkeypatch):
    @contextmanager
    def failing(graph):
        yield
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(torch.cuda, "graph", failing)
    said, plain, learner = [], trainer(), trainer()
    learner.graph = CapturedStep(learner.take, lambda _: 0, lambda: None, said.append)
    for _ in range(3):
        expected, found = (one.update(*batch, 0.0) for one in (plain, learner))
        assert found.values == expected.values
    reason = "operation not permitted when stream is capturing"
    assert said == [f"no CUDA graph here ({reason}): continuing without it"]


def test_steps_in_between_are_not_measured(batch, graphs):
    learner, _, _ = captured(RECIPE)
    assert learner.update(*batch, 0.0, measure=False) is None
    assert learner.update(*batch, 0.0).values["loss"] > 0
    assert learner.step == 2


def test_the_loop_reports_every_few_steps(tmp_path, photo, graphs, monkeypatch):
    from irncli.train import loop
    from irncli.train.setup import build_trainer

    def replaying(network, recipe, *others, **options):
        learner = build_trainer(network, recipe, *others, **options)
        learner.graph = SimpleNamespace(run=learner.take)
        return learner

    monkeypatch.setattr(loop, "build_trainer", replaying)
    reports = []
    recipe = changed(log_every=3)
    run = Run(name="t", out=tmp_path / "a", budget=Budget(steps=7))
    assert train(recipe, cut(photo), run, hooks=loop.Hooks(report=reports.append))
    assert [each.step for each in reports] == [3, 6]
    assert all(each.steps_per_second > 0 and each.data_wait > 0 for each in reports)
