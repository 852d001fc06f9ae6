"""The nodes of an ONNX graph that computes an invertible network in one direction.

The graph is built from the modules, not traced, so all sizes are free, and it holds nothing but the
arithmetic: per dense block five Conv, four LeakyRelu and four Concat. Tensors are named after the
modules as in the checkpoint, such as `operations.3.F.conv1.weight`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from onnx import TensorProto, helper, numpy_helper

from irncli.model import InvertibleNetwork
from irncli.model.coupling import CouplingBlock
from irncli.model.dense import SLOPE, DenseBlock
from irncli.model.transforms import HAAR_BANDS, ColorTransform, Haar, Transform

__all__ = ["IR_VERSION", "OPSET", "Part", "build_graph"]

Part = Literal["forward", "inverse"]

OPSET = 17
"""Version of the ONNX operators, which ONNX Runtime reads since 1.12 (2022)."""

IR_VERSION = 8
"""Version of the file format that came with the operators."""


@dataclass
class _Nodes:
    """Nodes and constants of a graph that is being built.

    Attributes:
        half: compute the dense blocks in float16.
    """

    half: bool
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def apply(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add a node, and return the name of its output, which is also its own."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: torch.Tensor, name: str) -> str:
        """Add a constant, and return its name."""
        self.constants.append(numpy_helper.from_array(values.detach().numpy(), name))
        return name

    def dense(self, block: DenseBlock, x: str, name: str, factor: float = 1.0) -> str:
        """Add a dense block whose output is multiplied by `factor`."""
        features = self.apply("Cast", [x], f"{name}.x", to=TensorProto.FLOAT16) if self.half else x
        *hidden, last = block.convs
        for k, conv in enumerate(hidden, 1):
            place = f"{name}.conv{k}"
            output = self._convolution(conv, features, place, 1.0)
            output = self.apply("LeakyRelu", [output], f"{place}.activation", alpha=SLOPE)
            features = self.apply("Concat", [features, output], f"{place}.features", axis=1)
        output = self._convolution(last, features, f"{name}.conv5", factor)
        if self.half:
            return self.apply("Cast", [output], f"{name}.output", to=TensorProto.FLOAT)
        return output

    def _convolution(self, conv: torch.nn.Conv2d, x: str, name: str, factor: float) -> str:
        assert conv.bias is not None  # noqa: S101 -- those of a dense block have one
        dtype = torch.float16 if self.half else torch.float32
        weight = self.constant((conv.weight * factor).to(dtype), f"{name}.weight")
        bias = self.constant((conv.bias * factor).to(dtype), f"{name}.bias")
        return self.apply("Conv", [x, weight, bias], name, kernel_shape=[3, 3], pads=[1] * 4)

    def mix(self, matrix: torch.Tensor, x: str, name: str) -> str:
        """Add a matrix that mixes the channels of each pixel."""
        weight = self.constant(matrix.float()[:, :, None, None].contiguous(), f"{name}.matrix")
        return self.apply("Conv", [x, weight], f"{name}.mix", kernel_shape=[1, 1])

    def to_depth(self, x: str, side: int, name: str) -> str:
        """Move the pixels of cells into channels, pixel-major; nothing for cells of one pixel."""
        return x if side == 1 else self.apply("SpaceToDepth", [x], name, blocksize=side)

    def to_space(self, x: str, side: int, name: str) -> str:
        """Undo `to_depth`."""
        return x if side == 1 else self.apply("DepthToSpace", [x], name, blocksize=side)

    def join(self, pair: Sequence[str], name: str) -> str:
        """Join the low and the high part of a state."""
        return self.apply("Concat", pair, name, axis=1)

    def split(self, state: str, channels: Sequence[int], name: str) -> tuple[str, str]:
        """Split a state into a low and a high part with these numbers of channels."""
        sizes = self.constant(torch.tensor(channels), f"{name}.sizes")
        low, high = f"{name}.low", f"{name}.high"
        node = helper.make_node("Split", [state, sizes], [low, high], name=f"{name}.split", axis=1)
        self.nodes.append(node)
        return low, high

    def repeat_over(self, z: str, low: str) -> str:
        """Repeat z over the batch and the pixels of `low`, where it has only one of them."""
        shape = [
            self.apply("Shape", [low], "z.batch", start=0, end=1),
            self.constant(torch.tensor([1]), "z.one"),
            self.apply("Shape", [low], "z.sides", start=2),
        ]
        return self.apply("Expand", [z, self.apply("Concat", shape, "z.shape", axis=0)], "z.whole")

    def clip(self, image: str, name: str) -> None:
        """Add an output that is an image."""
        bounds = [self.constant(torch.tensor(float(n)), f"{name}.{n}") for n in (0, 1)]
        self.apply("Clip", [image, *bounds], name)


def build_graph(network: InvertibleNetwork, part: Part, *, half: bool) -> Any:
    """Return the graph of a direction of a network as an `onnx.GraphProto`.

        forward   hr -> lr, z;     inverse   lr, z -> hr

    All are float32 [N, C, H, W], images clipped to [0, 1]. The z of the inverse may have a batch of
    1, or height and width 1: it is then repeated.

    Args:
        network: the network, on the CPU.
        part: direction.
        half: compute the dense blocks in float16; the state stays float32.
    """
    nodes = _Nodes(half)
    inputs, outputs = (_forward if part == "forward" else _inverse)(nodes, network)
    return helper.make_graph(nodes.nodes, f"irn {part}", inputs, outputs, nodes.constants)


def _forward(nodes: _Nodes, network: InvertibleNetwork) -> tuple[list[Any], list[Any]]:
    config = network.config
    channels = (config.low_channels, config.latent_channels)
    state, pair = "hr", ("", "")
    split = False
    for index, operation in enumerate(network.chain):
        name = f"operations.{index}"
        if isinstance(operation, CouplingBlock):
            if not split:
                pair = nodes.split(state, operation.split, name)
            pair, split = _coupled(nodes, operation, pair, name), True
            continue
        if split:
            state = nodes.join(pair, f"{name}.state")
        state, split = _transformed(nodes, operation, state, name, _channels(network, index)), False
    low, z = pair if split else nodes.split(state, channels, "state")
    nodes.clip(nodes.to_space(low, config.cell, "low.image"), "lr")
    nodes.apply("Identity", [z], "z")
    return (
        [_image("hr", 3, ("batch", "height", "width"), _HR.format(config.reduction))],
        [
            _image("lr", config.image_channels, ("batch", "lr_height", "lr_width"), _LR),
            _image("z", channels[1], ("batch", "z_height", "z_width"), _Z),
        ],
    )


def _inverse(nodes: _Nodes, network: InvertibleNetwork) -> tuple[list[Any], list[Any]]:
    config = network.config
    channels = (config.low_channels, config.latent_channels)
    low = nodes.to_depth("lr", config.cell, "low.cells")
    pair, state = (low, nodes.repeat_over("z", low)), ""
    for index, operation in reversed(list(enumerate(network.chain))):
        name = f"operations.{index}"
        if isinstance(operation, CouplingBlock):
            if state:
                pair, state = nodes.split(state, operation.split, name), ""
            pair = _uncoupled(nodes, operation, pair, name)
            continue
        state = state or nodes.join(pair, f"{name}.state")
        state = _restored(nodes, operation, state, name, _channels(network, index))
    nodes.clip(state, "hr")
    return (
        [
            _image("lr", config.image_channels, ("batch", "height", "width"), _LR),
            _image("z", channels[1], ("z_batch", "z_height", "z_width"), _Z + _Z_INPUT),
        ],
        [_image("hr", 3, ("batch", "hr_height", "hr_width"), _HR.format(config.reduction))],
    )


_HR = "Image, float32 RGB in [0, 1]; height and width are multiples of {}."
_LR = "Small image (RGB), or gray image of a colour model, float32 in [0, 1]."
_Z = "Latent, float32: one value per channel and cell of the image; see latent_sigma."
_Z_INPUT = " Zeros [1, C, 1, 1] give z = 0: a z of one cell is repeated."


def _image(name: str, channels: int, sizes: Sequence[str], text: str) -> Any:
    """Describe an input or output whose batch, height and width are free."""
    batch, height, width = sizes
    shape = [batch, channels, height, width]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape, doc_string=text)


def _coupled(
    nodes: _Nodes, block: CouplingBlock, pair: tuple[str, str], name: str
) -> tuple[str, str]:
    """Add a coupling block: a' = a + F(b), b' = b exp(tanh(H(a') / 2)) + G(a')."""
    a, b = pair
    a = nodes.apply("Add", [a, nodes.dense(block.F, b, f"{name}.F")], f"{name}.a")
    scaled = nodes.apply("Mul", [b, _scale(nodes, block, a, name, 0.5)], f"{name}.scaled")
    return a, nodes.apply("Add", [scaled, nodes.dense(block.G, a, f"{name}.G")], f"{name}.b")


def _uncoupled(
    nodes: _Nodes, block: CouplingBlock, pair: tuple[str, str], name: str
) -> tuple[str, str]:
    """Add the inverse of a coupling block: b = (b' - G(a')) exp(-tanh(H(a') / 2)), a = a' - F(b).

    The sign is that of H: the hyperbolic tangent is odd.
    """
    a, b = pair
    rest = nodes.apply("Sub", [b, nodes.dense(block.G, a, f"{name}.G")], f"{name}.rest")
    b = nodes.apply("Mul", [rest, _scale(nodes, block, a, name, -0.5)], f"{name}.b")
    return nodes.apply("Sub", [a, nodes.dense(block.F, b, f"{name}.F")], f"{name}.a"), b


def _scale(nodes: _Nodes, block: CouplingBlock, a: str, name: str, factor: float) -> str:
    """Add exp(tanh(factor H(a)))."""
    h = nodes.dense(block.H, a, f"{name}.H", factor)
    return nodes.apply("Exp", [nodes.apply("Tanh", [h], f"{name}.log_scale")], f"{name}.scale")


def _transformed(nodes: _Nodes, transform: Transform, x: str, name: str, channels: int) -> str:
    cells = nodes.to_depth(x, transform.factor, f"{name}.cells")
    return nodes.mix(_matrix(transform, channels), cells, name)


def _restored(nodes: _Nodes, transform: Transform, x: str, name: str, channels: int) -> str:
    cells = nodes.mix(torch.linalg.inv(_matrix(transform, channels)), x, name)
    return nodes.to_space(cells, transform.factor, f"{name}.image")


def _channels(network: InvertibleNetwork, index: int) -> int:
    """Return the number of channels before an operation."""
    before = network.chain[:index]
    factors = [each.factor for each in before if not isinstance(each, CouplingBlock)]
    return 3 * int(torch.tensor(factors).square().prod()) if factors else 3


def _matrix(transform: Transform, channels: int) -> torch.Tensor:
    """Return the matrix of a transform, float64, with columns pixel * channels + channel."""
    if isinstance(transform, ColorTransform):
        columns: torch.Tensor = transform.matrix.double().unflatten(1, (channels, -1))
        return columns.transpose(1, 2).flatten(1)
    mixed = torch.tensor(HAAR_BANDS) / 4 if isinstance(transform, Haar) else transform.matrix
    return torch.kron(mixed.double(), torch.eye(channels, dtype=torch.float64))
