"""Optimisers of the weights: Adam, or Muon for hidden convolutions and Adam for the rest."""

from __future__ import annotations

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


class _Muon:
    """Torch's Muon, which takes matrices, on kernels viewed as [out, 9 in] without copies."""

    def __init__(self, kernels: list[nn.Parameter]) -> None:
        self._kernels = kernels
        self._matrices = [nn.Parameter(self._view(k.detach(), k)) for k in kernels]
        self.optimiser = torch.optim.Muon(
            self._matrices, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
        )

    @staticmethod
    def _view(values: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        """View values in the shape of a kernel as a matrix, with columns in memory order.

        Muon's update does not depend on the order of columns.
        """
        if kernel.is_contiguous():
            return values.flatten(1)
        return values.permute(0, 2, 3, 1).flatten(1)

    def step(self) -> None:
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            assert kernel.grad is not None  # noqa: S101
            assert matrix.data_ptr() == kernel.data_ptr()  # noqa: S101
            matrix.grad = self._view(kernel.grad, kernel)
        self.optimiser.step()
        for matrix in self._matrices:
            matrix.grad = None


class Optimisers:
    """Optimisers of a recipe for the parameters of a network.

    Adam moves every value by about the learning rate. Muon moves a hidden kernel, as a matrix, by
    its momentum with all singular values set to 1, scaled to a root mean square of 0.2 times the
    rate, so that no direction in feature space is left behind.

    Args:
        network: network on its final device and in its final layout; gradients are read from its
            parameters.
        recipe: optimiser section of the recipe.

    Source: Adam, Kingma and Ba 2015; Muon, Jordan 2024; its scale, Liu et al. 2025.
    """

    def __init__(self, network: Network, recipe: Optimiser) -> None:
        self._recipe = recipe
        kernels = _hidden_kernels(network) if recipe.method == "muon" else []
        self._muon = _Muon(kernels) if kernels else None
        self.adam = torch.optim.Adam(
            self._groups(network, {id(kernel) for kernel in kernels}),
            betas=(0.9, recipe.beta2),
            weight_decay=recipe.weight_decay,
            fused=next(network.parameters()).device.type == "cuda",
        )

    def _groups(self, network: Network, left_out: set[int]) -> list[dict[str, Any]]:
        """Group parameters by the factor on their learning rate."""
        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in network.named_parameters():
            if id(parameter) not in left_out:
                factor = self._recipe.matrix_factor if name.endswith("matrix") else 1.0
                groups.setdefault(factor, []).append(parameter)
        return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]

    def step(self, rate: float) -> None:
        """Update all parameters from their gradients.

        Args:
            rate: learning rate, before the factors of the groups.
        """
        for group in self.adam.param_groups:
            group["lr"] = rate * group["factor"]
        self.adam.step()
        if self._muon is not None:
            for group in self._muon.optimiser.param_groups:
                group["lr"] = rate * self._recipe.muon_factor
            self._muon.step()

    def state(self) -> dict[str, Any]:
        """Return the state that the next step depends on, besides weights and gradients."""
        muon = self._muon.optimiser.state_dict() if self._muon else {}
        return {"adam": self.adam.state_dict(), "muon": muon}

    def restore(self, state: dict[str, Any]) -> None:
        """Load a state that `state` returned."""
        self.adam.load_state_dict(state["adam"])
        if self._muon is not None:
            self._muon.optimiser.load_state_dict(state["muon"])
