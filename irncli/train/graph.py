"""A training step as a CUDA graph: hundreds of kernels are launched at once, without waiting."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch

from irncli.engine.device import is_out_of_memory
from irncli.train.objective import Draws

__all__ = ["CapturedStep", "Outcome", "StepInputs"]

WARM_UP = 2
"""Number of steps that are run, but change nothing, before one is captured: they compile kernels,
choose algorithms and allocate buffers."""


@dataclass(frozen=True, eq=False)
class StepInputs:
    """What a step depends on besides the weights, as tensors on the device.

    Attributes:
        hr: HR crops, [N, 3, H, W] in [0, 1].
        target: bicubic LR of the crops, or their luma.
        draws: random numbers of the step.
        rate: learning rate.
        average_weight: weight of the live weights in their average.
        enabled: false if the step should change nothing.
    """

    hr: torch.Tensor
    target: torch.Tensor
    draws: Draws
    rate: torch.Tensor
    average_weight: torch.Tensor
    enabled: torch.Tensor

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by name; a part of the draws that is None has none."""
        pairs = [(each.name, getattr(self, each.name)) for each in fields(self)]
        pairs += [("z", self.draws.z), ("noise", self.draws.noise)]
        return {name: value for name, value in pairs if isinstance(value, torch.Tensor)}


class Outcome(NamedTuple):
    """What a step measured, still on the device.

    Attributes:
        names: names of the values.
        values: measured values, before their conversion to decibels.
        finite: whether loss and gradients were finite, bool.
        restored: restored images.
    """

    names: tuple[str, ...]
    values: torch.Tensor
    finite: torch.Tensor
    restored: torch.Tensor | None


class CapturedStep:
    """A step that is captured once and replayed for new inputs.

    It is captured anew when the inputs change their shapes, or the recipe its phase. Values of an
    outcome are overwritten by the next step. If a step cannot be captured, `say` is told, and steps
    are taken one by one.

    Args:
        take: function that takes a step, given its inputs and the spent share of the budget.
        phase: function of that share which returns the phase of the recipe.
        forget: function that frees buffers for inputs of other shapes.
        say: function that is told why a step cannot be captured.
    """

    def __init__(
        self,
        take: Callable[[StepInputs, float], Outcome],
        phase: Callable[[float], Hashable],
        forget: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._take, self._phase, self._forget, self._say = take, phase, forget, say
        self._captured_for: Hashable = None
        self._failed = False

    def run(self, inputs: StepInputs, share: float) -> Outcome:
        """Take a step, as `take` does."""
        given = inputs.tensors()
        wanted = tuple((name, value.shape) for name, value in given.items()), self._phase(share)
        if self._captured_for != wanted and not self._failed:
            self._captured_for = None
            self._try_to_capture(inputs, share)
            self._captured_for = wanted
        if self._failed:
            return self._take(inputs, share)
        for name, value in self._inputs.tensors().items():
            value.copy_(given[name])
        self._graph.replay()
        return self._outcome

    def _try_to_capture(self, inputs: StepInputs, share: float) -> None:
        try:
            self._capture(inputs, share)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            self._failed = True
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self._say(f"no CUDA graph here ({reason[:200]}): continuing without it")

    def _capture(self, inputs: StepInputs, share: float) -> None:
        self._graph = torch.cuda.CUDAGraph()  # the memory of an old one is free from here on
        self._forget()
        self._inputs = _copied(inputs)
        self._inputs.enabled.fill_(False)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._take(self._inputs, share)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(self._graph):
            self._outcome = self._take(self._inputs, share)


def _copied(inputs: StepInputs) -> StepInputs:
    """Return inputs in memory of their own."""
    own = {name: value.clone() for name, value in inputs.tensors().items()}
    draws = Draws(own.pop("z", None), own.pop("noise", None))
    return replace(inputs, draws=draws, **own)
