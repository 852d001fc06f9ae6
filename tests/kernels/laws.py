"""Laws of the fused kernels against PyTorch in float64.

test_kernels.py runs these in a process of their own: in Triton's interpreter, and, where there is a
GPU, on that. The interpreter must be chosen before Triton is imported.

    TRITON_INTERPRET=1 pytest -n 0 tests/kernels/laws.py
    IRN_KERNELS=all TRITON_INTERPRET=1 pytest -n 0 tests/kernels/laws.py     (six minutes)
    IRN_KERNELS=all pytest -n 8 tests/kernels/laws.py     (on a GPU; eight processes compile)

All are the shapes that our networks have and some odd ones, with every kernel and dtype.

The reference rounds what the kernels round: the operands of products to 16 bits. What is left are
the order of float32 sums, and values that round differently because of it.
"""

import os
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn import functional

from irncli.config import InvertibleConfig, Level
from irncli.engine.dense import DenseBlocks, Evaluator
from irncli.engine.latent import draw_row
from irncli.engine.passes import Passes
from irncli.kernels.affine import affine
from irncli.kernels.dense import dense, evaluate, feature_buffer, gradient_buffer
from irncli.kernels.latent import fill
from irncli.kernels.packing import PackedBlocks, Widths
from irncli.kernels.plane import Plane
from irncli.kernels.tuning import GradientKernel, Launch, Tuning
from irncli.kernels.weight_gradient import weight_gradient
from irncli.model.coupling import CouplingBlock, log_scale
from irncli.model.dense import SLOPE, DenseBlock
from irncli.train.fused import FusedPasses
from irncli.train.objective import RescalingObjective
from irncli.train.presets import preset
from irncli.train.step import Trainer
from tests.support.networks import shaken

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
ALL = os.environ.get("IRN_KERNELS") == "all"
SLOW = pytest.mark.skipif(not ALL, reason="slow in the interpreter: set IRN_KERNELS=all")

FEW = Tuning(convolution=Launch(rows=64), gradient=Launch(rows=64), gradient_splits=2)
"""Few and large programs, since each takes the interpreter its time."""

SHAPES = [
    # in, out, images, height, width
    (9, 3, 2, 7, 6),  # x2
    (3, 9, 1, 5, 8),
    (45, 3, 1, 5, 7),  # x4
    (3, 45, 2, 3, 5),
    (24, 3, 2, 6, 5),  # x3
    (3, 24, 1, 9, 2),
    (189, 3, 1, 4, 3),  # x8
    (3, 189, 1, 3, 4),
    (32, 16, 1, 5, 4),  # colour
    (16, 32, 2, 3, 3),
    (2, 1, 1, 6, 6),
    (1, 2, 1, 6, 6),
    (64, 64, 1, 4, 4),  # restoration of JPEG
    (9, 3, 1, 1, 1),
    (9, 3, 3, 1, 20),
    (3, 9, 2, 20, 1),
]
LARGE_SHAPES = [
    (9, 3, 5, 95, 97),
    (3, 9, 5, 97, 95),
    (45, 3, 5, 91, 97),
    (3, 45, 8, 48, 48),
    (189, 3, 2, 33, 31),
    (3, 189, 2, 33, 31),
]
"""For GPUs only; most of them have planes that are `large` in tuning.py."""

HALVES = {torch.float16: "float16", torch.bfloat16: "bfloat16"}


def rounded(x, dtype):
    return x.to(dtype).to(x.dtype)


def stored(x, dtype):
    """Values of x, float64, as the kernels store them: the interpreter truncates to bfloat16."""
    if INTERPRETED and dtype == torch.bfloat16:
        return (x.float().view(torch.int32) & -(1 << 16)).view(torch.float32).double()
    return rounded(x, dtype)


class Operand(torch.autograd.Function):
    """Convert values by one function, and gradients by another."""

    @staticmethod
    def forward(ctx, x, dtype, values, gradients):
        ctx.dtype, ctx.gradients = dtype, gradients
        return values(x, dtype)

    @staticmethod
    def backward(ctx, gradient):
        return ctx.gradients(gradient, ctx.dtype), None, None, None


def unchanged(x, dtype):
    return x.clone()


def reference(block, x, dtype):
    """The block in float64, with the operands of all products rounded, forward and backward."""

    def convolve(conv, features, gradients):
        weight, bias = (
            Operand.apply(p, dtype, rounded, unchanged) for p in (conv.weight, conv.bias)
        )
        out = functional.conv2d(features, weight, bias, padding=1)
        return Operand.apply(out, dtype, unchanged, gradients)

    *hidden, last = block.convs
    features = Operand.apply(x, dtype, rounded, unchanged)
    for conv in hidden:
        output = functional.leaky_relu(convolve(conv, features, stored), SLOPE)
        features = torch.cat((features, Operand.apply(output, dtype, stored, unchanged)), dim=1)
    return convolve(last, features, rounded)


def random_block(inputs, outputs):
    block = DenseBlock(inputs, outputs)
    for conv in block.convs:
        torch.nn.init.normal_(conv.weight, std=0.7 / (9 * conv.in_channels) ** 0.5)
        torch.nn.init.normal_(conv.bias, std=0.05)
    return block


def error(got, expected):
    """Norm of the difference relative to that of what was expected."""
    expected = expected.detach().double()
    return float((got.detach().double().cpu() - expected).norm() / expected.norm())


def border(plane, rows):
    inside = plane.inside(rows.device)
    return float(rows.detach().masked_fill(inside, 0).abs().max())


def run(block, x, dy, dtype, tuning):
    """Output, input gradient, and parameter gradients of the kernels; borders are checked.

    The border rows of what they get hold nonsense, and so do the buffers in columns that are to be
    computed; neither must matter.
    """
    plane = Plane.of(x)
    inside = plane.inside(DEVICE)
    rows = plane.flatten(x.to(DEVICE)).masked_fill(~inside, 7.0).requires_grad_()
    own = [p for conv in block.convs for p in (conv.weight, conv.bias)]
    block.zero_grad()
    packed = PackedBlocks([block], dtype)
    features, gradients = feature_buffer(packed, plane), gradient_buffer(packed, plane)
    features[:, packed.widths.padded_inputs :] = float("nan")
    gradients[:, packed.widths.padded_outputs :] = float("nan")
    y = dense(packed, rows, plane, tuning, features, gradients)
    y.backward(plane.flatten(dy.to(DEVICE)).masked_fill(~inside, -5.0))
    assert border(plane, y) == border(plane, rows.grad) == 0.0
    return [plane.images(y), plane.images(rows.grad), *(p.grad.clone() for p in own)]


def check(shape, dtype, tuning):
    inputs, outputs, count, height, width = shape
    torch.manual_seed(sum(shape))
    block = random_block(inputs, outputs).to(DEVICE)
    x = torch.randn(count, inputs, height, width)
    dy = torch.randn(count, outputs, height, width)
    got = run(block, x, dy, dtype, tuning)
    exact = random_block(inputs, outputs).double()
    exact.load_state_dict(block.state_dict())
    x64 = x.double().requires_grad_()
    y64 = reference(exact, x64, dtype)
    y64.backward(dy.double())
    own = [p for conv in exact.convs for p in (conv.weight, conv.bias)]
    expected = [y64, x64.grad, *(p.grad for p in own)]
    errors = [error(a, b) for a, b in zip(got, expected, strict=True)]
    print(shape, HALVES[dtype], [f"{each:.1e}" for each in errors])
    assert max(errors) < TOLERANCE[dtype], errors


TOLERANCE = {torch.float16: 3e-4, torch.bfloat16: 2e-3}
"""Relative; measured in the interpreter on all shapes: at most 4.9e-5 and 2.9e-4."""


@pytest.mark.parametrize(
    ("shape", "kernel", "dtype"),
    [
        ((9, 3, 2, 7, 6), "whole", torch.float16),
        ((3, 9, 1, 4, 5), "triangle", torch.bfloat16),
        ((3, 9, 1, 5, 8), "tiles", torch.float16),
    ],
)
def test_dense_block(shape, kernel, dtype):
    check(shape, dtype, replace(FEW, gradient_kernel=kernel))


@SLOW
@pytest.mark.parametrize("dtype", HALVES, ids=HALVES.get)
@pytest.mark.parametrize("kernel", get_args(GradientKernel))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_shapes(shape, kernel, dtype):
    if max(shape[:2]) > 63 and kernel != "tiles":
        pytest.skip("only tiles has so many channels")
    check(shape, dtype, replace(FEW, gradient_kernel=kernel))


@SLOW
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_default_tunings(shape):
    check(shape, torch.float16, None)


@pytest.mark.skipif(INTERPRETED, reason="takes the interpreter too long")
@pytest.mark.parametrize("shape", LARGE_SHAPES, ids=str)
def test_default_tunings_on_large_images(shape):
    check(shape, torch.float16, None)


def dense_images(packed, images):
    """Outputs of blocks for images [N, C, H, W], as the engine computes them."""
    plane = Plane.of(images)
    rows = evaluate(packed, plane.flatten(images), plane)
    return tuple(plane.images(out) for out in rows)


def test_blocks_together_and_apart():
    """Two blocks on one input: in the same launches and a used buffer, or apart in a new one.

    What a used buffer holds in the columns of hidden outputs does not matter.
    """
    torch.manual_seed(0)
    blocks = [random_block(3, 9).to(DEVICE) for _ in range(2)]
    packed = PackedBlocks(blocks, torch.float16)
    images = torch.randn(1, 3, 4, 5, device=DEVICE)
    plane = Plane.of(images)
    together, features = replace(FEW, together=True), feature_buffer(packed, plane)
    rows = plane.flatten(images)
    features[:, packed.widths.padded_inputs :] = float("nan")
    outputs = evaluate(packed, rows, plane, together, features)
    for out, rows, block in zip(dense_images(packed, images), outputs, blocks, strict=True):
        assert torch.equal(out, plane.images(rows))
        exact = reference(block.cpu().double(), images.cpu().double(), torch.float16)
        assert error(out, exact) < TOLERANCE[torch.float16]


def test_only_what_needs_gradients_gets_them():
    torch.manual_seed(0)
    block = random_block(3, 9).to(DEVICE).requires_grad_(False)
    images = torch.randn(1, 3, 2, 3, device=DEVICE)
    plane = Plane.of(images)
    rows = plane.flatten(images).requires_grad_()
    dense(PackedBlocks([block], torch.float16), rows, plane, FEW).sum().backward()
    assert rows.grad.abs().max() > 0
    assert all(p.grad is None for p in block.parameters())


def test_wide_shapes_need_tiles():
    w = Widths(189, 3)
    plane = Plane(1, 2, 2)
    features = plane.zeros(w.feature_columns, torch.float16, DEVICE)
    gradients = plane.zeros(w.gradient_columns, torch.float16, DEVICE)
    with pytest.raises(ValueError, match="at most 64 channels, use 'tiles'"):
        weight_gradient(plane, features, gradients, w, FEW)


@SLOW
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_overflow_shows_and_stays_in_its_image():
    torch.manual_seed(0)
    images = torch.randn(3, 9, 6, 5, device=DEVICE)
    images[1, 4, 2, 2] = 1e5
    (out,) = dense_images(PackedBlocks([random_block(9, 3).to(DEVICE)], torch.float16), images)
    assert not out[1, :, 2, 2].isfinite().any()
    assert out[::2].isfinite().all()


AFFINE_TOLERANCE = 1e-6
"""Relative; measured in the interpreter: at most 1.0e-7."""


@pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # 1 / (1 + inf) is right: 0
@pytest.mark.parametrize("inverse", [False, True], ids=["forward", "inverse"])
@pytest.mark.parametrize("large", [False, True], ids=["32 bits", "64 bits"])
def test_affine(inverse, large, monkeypatch):
    monkeypatch.setattr("irncli.kernels.affine._is_large", lambda *_: large)
    torch.manual_seed(0)
    state = torch.randn(500, 12, device=DEVICE)
    b = state[:, 3:].requires_grad_()  # rows that are not contiguous
    h, g = (torch.randn(500, 9, device=DEVICE) for _ in range(2))
    h[0] = torch.tensor([-200.0, -90.0, -20.0, -1.0, 0.0, 1.0, 20.0, 90.0, 200.0])
    dy = torch.randn(500, 9, device=DEVICE)
    exact = [x.detach().cpu().double().requires_grad_() for x in (b, h, g)]
    scale = log_scale(exact[1])
    if inverse:
        expected = (exact[0] - exact[2]) * torch.exp(-scale)
    else:
        expected = exact[0] * torch.exp(scale) + exact[2]
    expected.backward(dy.cpu().double())
    y = affine(b, h.requires_grad_(), g.requires_grad_(), inverse=inverse)
    got = torch.autograd.grad(y, (b, h, g), dy)
    errors = [error(y, expected), *(error(a, e.grad) for a, e in zip(got, exact, strict=True))]
    print(inverse, [f"{each:.1e}" for each in errors])
    assert max(errors) < AFFINE_TOLERANCE, errors


def test_affine_inverts_itself():
    torch.manual_seed(0)
    b, h, g = (torch.randn(70, 9, device=DEVICE) for _ in range(3))
    assert error(affine(affine(b, h, g), h, g, inverse=True), b.cpu()) < AFFINE_TOLERANCE


@pytest.mark.parametrize(
    ("seed", "top", "left", "size"),
    [
        (0, 0, 0, (2, 2, 5)),
        (2**63 + 5, 7, 0, (2, 1, 5)),
        (2**64 - 1, 10**6, 6, (9, 3, 11)),
        (5, 3, 1, (45, 1, 1)),
    ],
)
def test_z_is_that_of_the_cpu(seed, top, left, size):
    channels, rows, width = size
    z = torch.full((1, *size), torch.nan, device=DEVICE)
    z = z.contiguous(memory_format=torch.channels_last)
    fill(z, seed, top, left)
    drawn = [draw_row(seed, top + row, channels, left + width)[:, left:] for row in range(rows)]
    expected = torch.from_numpy(np.stack(drawn, axis=1))
    # On a GPU, the logarithm and the cosine may differ in their last bit, of 53.
    assert (z[0].cpu() - expected).abs().max() <= (0 if INTERPRETED else 1e-6)


def test_passes_of_the_engine():
    """One network forward and back, against float32."""
    network = small_network()
    image = torch.rand(1, 3, 6, 8, device=DEVICE)
    states, images = [], []
    with torch.inference_mode():
        for dtype in (torch.float32, torch.float16):
            blocks = DenseBlocks(network, dtype, fused=dtype != torch.float32)
            passes = Passes(network, blocks, tile=0)
            state = passes.forward(lambda rows: image[:, :, rows], 6, 8)
            states.append(state)
            rows = []
            passes.inverse(state.clone, lambda _, values, rows=rows: rows.append(values))
            images.append(torch.cat(rows, dim=2))
    assert 1e-6 < (states[1] - states[0]).abs().max() < 5e-3
    assert (images[1] - image).abs().max() < 5e-3


def test_windows_of_several_sizes():
    """Buffers are used again for windows of the same size, and replaced for others."""
    torch.manual_seed(1)
    network = CouplingBlock(12, 3).to(DEVICE)
    for block in (network.G, network.H):
        torch.nn.init.normal_(block.convs[-1].weight, std=0.03)
    evaluate = Evaluator(DenseBlocks(network, torch.float16, fused=True))
    for size in ((3, 5), (3, 5), (2, 4), (3, 5)):
        window = torch.rand(1, 3, *size, device=DEVICE)
        with torch.no_grad():
            found = evaluate(window, network.H, network.G)
            for output, block in zip(found, (network.H, network.G), strict=True):
                assert (output - block(window)).abs().max() < 2e-3
    assert not evaluate.overflowed()


def small_network():
    level = Level(transform="haar", factor=2, blocks=1)
    network = shaken(InvertibleConfig(levels=(level,))).to(DEVICE).requires_grad_(True)
    return network.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "undo", [False, pytest.param(True, marks=SLOW)], ids=["forward", "inverse"]
)
def test_passes_of_the_trainer(undo, monkeypatch):
    """Values and collected gradients of one pass, against float32."""
    monkeypatch.setattr("irncli.kernels.dense._default", lambda *_: FEW)
    network = small_network()
    fused = FusedPasses(network, torch.float16, collect=True)
    torch.manual_seed(2)
    image, low, z = (torch.rand(1, c, s, s, device=DEVICE) for c, s in ((3, 4), (3, 2), (9, 2)))
    parameters = list(network.parameters())

    def value(passes):
        if undo:
            return (passes.inverse(low, z) * image).sum()
        return sum((a * b).sum() for a, b in zip(passes.forward(image), (low, z), strict=True))

    expected = value(network)
    gradients = torch.autograd.grad(expected, parameters)
    fused.update()
    found = value(fused)
    found.backward()
    fused.store_gradients()
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)
    for parameter in parameters:
        assert parameter.grad.stride() == parameter.stride()
    # Not parameter by parameter: where a hidden value is nearly 0, its slope may be the other one.
    expected, found = (
        torch.cat([each.flatten() for each in those])
        for those in (gradients, [parameter.grad for parameter in parameters])
    )
    assert (found - expected).norm() < 1e-2 * expected.norm()


def test_steps_of_the_trainer(monkeypatch):
    """50 steps in the layout of the kernels, which float32 convolutions stand in for."""

    def dense_by_convolutions(packed, rows, plane, features, gradients):
        return plane.flatten(packed.blocks[0](plane.images(rows)))

    monkeypatch.setattr("irncli.kernels.dense.dense", dense_by_convolutions)
    recipe = preset("irn-x2").changed(
        {"blocks": 1, "precision": "fp32", "hard": 0.0, "draw_from": 0.0, "psnr_from": 0.5}
    )
    plain, fused = (
        Trainer(RescalingObjective(small_network(), recipe), recipe, seed=0) for _ in range(2)
    )
    fused.objective.fused = FusedPasses(fused.network, torch.float16, collect=False)
    hr = torch.rand(2, 3, 8, 8, device=DEVICE).contiguous(memory_format=torch.channels_last)
    target = torch.nn.functional.avg_pool2d(hr, 2)
    first = plain.update(hr, target, 0.0).values["loss"]
    fused.update(hr, target, 0.0)
    for step in range(1, 50):
        expected, found = (one.update(hr, target, step / 50).values for one in (plain, fused))
        assert found["loss"] == pytest.approx(expected["loss"], rel=2e-3)
    assert expected["loss"] < 0.9 * first
