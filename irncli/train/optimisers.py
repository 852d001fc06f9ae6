"""Optimisers of the weights: Adam, or Muon for hidden convolutions and Adam for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn

from irncli.model import Network
from irncli.model.dense import DenseBlock
from irncli.train.sections import Optimiser

__all__ = ["Optimisers"]


def _hidden_kernels(network: Network) -> list[nn.Parameter]:
    """Return the kernels of convolutions 1 to 4 of every dense block.

    The fifth convolution starts at zero and writes into the state: it is an output layer, which is
    left to Adam.
    """
    blocks = (module for module in network.modules() if isinstance(module, DenseBlock))
    return [cast("nn.Parameter", conv.weight) for block in blocks for conv in block.convs[:-1]]


MOMENTUM = 0.95
"""Share of the old value that the momentum of Muon keeps in a step."""
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the polynomial a x + b x^3 + c x^5, which drives singular values towards 1."""
ITERATIONS = 5


def _matrix(values: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """View values in the shape of a kernel as a matrix [out, 9 in], columns in memory order.

    Muon's update does not depend on the order of columns.
    """
    if kernel.is_contiguous():
        return values.flatten(1)
    return values.permute(0, 2, 3, 1).flatten(1)


def _orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """Return matrices [N, rows, columns] with singular values of about 1, by Newton and Schulz.

    They are computed in bfloat16 on GPUs. Most CPUs only emulate that.
    """
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).to(matrices.dtype)


@dataclass(frozen=True, eq=False)
class _Group:
    """Kernels of one shape, with their momentum [N, out, 9 in]."""

    numbers: list[int]
    kernels: list[nn.Parameter]
    momentum: torch.Tensor


class _Muon:
    """Muon on kernels as matrices [out, 9 in], all kernels of one shape at once.

    torch.optim.Muon makes the same moves, but for one kernel after another, and its learning rate
    must be a number: a CUDA graph would repeat the rate of its first step.
    """

    def __init__(self, kernels: list[nn.Parameter]) -> None:
        shapes: dict[torch.Size, list[int]] = {}
        for number, kernel in enumerate(kernels):
            shapes.setdefault(kernel.shape, []).append(number)
        self._groups = []
        for numbers in shapes.values():
            members = [kernels[number] for number in numbers]
            momentum = torch.stack([torch.zeros_like(_matrix(k.detach(), k)) for k in members])
            self._groups.append(_Group(numbers, members, momentum))

    @torch.no_grad()
    def step(self, rate: torch.Tensor, finite: torch.Tensor) -> None:
        """Move all kernels, or none if `finite` is false."""
        for group in self._groups:
            gradients = []
            for kernel in group.kernels:
                assert kernel.grad is not None  # noqa: S101
                gradients.append(_matrix(kernel.grad, kernel))
            gradient = torch.where(finite, torch.stack(gradients), 0)
            group.momentum.lerp_(gradient, (1 - MOMENTUM) * finite)
            # Nesterov's momentum: the next momentum if the gradient stays as it is.
            move = _orthogonal(gradient.lerp(group.momentum, MOMENTUM))
            factor = 0.2 * max(move.shape[1:]) ** 0.5
            move *= -factor * rate * finite
            matrices = [_matrix(kernel, kernel) for kernel in group.kernels]
            torch._foreach_add_(matrices, list(move))

    def state(self) -> dict[str, Any]:
        """Return the momentum of each kernel, in the form of torch.optim.Muon."""
        momenta = {
            number: {"momentum_buffer": momentum}
            for group in self._groups
            for number, momentum in zip(group.numbers, group.momentum, strict=True)
        }
        return {"state": dict(sorted(momenta.items()))}

    def restore(self, state: dict[str, Any]) -> None:
        """Load a state that `state`, or torch.optim.Muon, returned."""
        for group in self._groups:
            for number, momentum in zip(group.numbers, group.momentum, strict=True):
                momentum.copy_(state["state"][number]["momentum_buffer"])


class Optimisers:
    """Optimisers of a recipe for the parameters of a network.

    Adam moves every value by about the learning rate. Muon moves a hidden kernel, as a matrix, by
    its momentum with all singular values set to 1, scaled to a root mean square of 0.2 times the
    rate, so that no direction in feature space is left behind.

    Args:
        network: network on its final device and in its final layout; gradients are read from its
            parameters.
        recipe: optimiser section of the recipe.
        fused: whether Adam is fused; None: on CUDA.

    Source: Adam, Kingma and Ba 2015; Muon, Jordan 2024; its scale, Liu et al. 2025.
    """

    def __init__(self, network: Network, recipe: Optimiser, *, fused: bool | None = None) -> None:
        self._recipe = recipe
        kernels = _hidden_kernels(network) if recipe.method == "muon" else []
        self._muon = _Muon(kernels) if kernels else None
        device = next(network.parameters()).device
        self._fused = device.type == "cuda" if fused is None else fused
        self.adam = torch.optim.Adam(
            self._groups(network, {id(kernel) for kernel in kernels}),
            betas=(0.9, recipe.beta2),
            weight_decay=recipe.weight_decay,
            fused=self._fused,
            capturable=device.type == "cuda",
        )

    def _groups(self, network: Network, left_out: set[int]) -> list[dict[str, Any]]:
        """Group parameters by the factor on their learning rate."""
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in network.named_parameters():
            if id(parameter) not in left_out:
                factor = self._recipe.matrix_factor if name.endswith("matrix") else 1.0
                groups.setdefault(factor, []).append(parameter)
        device = next(network.parameters()).device
        return [
            {
                "params": parameters,
                "factor": factor,
                "lr": torch.zeros((), device=device) if self._fused else 0.0,
            }
            for factor, parameters in groups.items()
        ]

    def step(self, rate: torch.Tensor, finite: torch.Tensor) -> None:
        """Update all parameters from their gradients, or nothing if `finite` is false.

        Where Adam is fused, this neither waits for the device nor depends on the values of its
        arguments, so that it can be captured in a CUDA graph.

        Args:
            rate: learning rate, before the factors of the groups; on the device if Adam is fused.
            finite: whether loss and gradients are finite, bool.
        """
        if not self._fused and not finite:
            return
        for group in self.adam.param_groups:
            if self._fused:
                torch.mul(rate, group["factor"], out=group["lr"])
            else:
                group["lr"] = float(rate) * group["factor"]
        if self._fused:
            # With this attribute, which torch.amp.GradScaler sets as well, it may skip a step.
            self.adam.found_inf = (~finite).float()  # type: ignore[attr-defined]
        self.adam.step()
        if self._muon is not None:
            self._muon.step(rate * self._recipe.muon_factor, finite)

    def state(self) -> dict[str, Any]:
        """Return the state that the next step depends on, besides weights and gradients."""
        muon = self._muon.state() if self._muon else {}
        return {"adam": self.adam.state_dict(), "muon": muon}

    def restore(self, state: dict[str, Any]) -> None:
        """Load a state that `state` returned."""
        rates = [group["lr"] for group in self.adam.param_groups]
        self.adam.load_state_dict(state["adam"])
        for group, rate in zip(self.adam.param_groups, rates, strict=True):
            group["lr"] = rate  # a tensor stays the same tensor
        if self._muon is not None:
            self._muon.restore(state["muon"])
