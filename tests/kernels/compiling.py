"""Compile every kernel for GPUs that need not be here.

The interpreter accepts what the compiler refuses, such as names in annotations. test_kernels.py
runs this in a process of its own, since Triton must not be imported for the interpreter here.
"""

import os
from dataclasses import replace

import pytest
import torch
from compiled import recording

from irncli.kernels.affine import affine
from irncli.kernels.dense import dense
from irncli.kernels.latent import fill
from irncli.kernels.packing import PackedBlocks, Widths
from irncli.kernels.plane import Plane
from irncli.kernels.tuning import TABLE, default_tuning
from irncli.kernels.weight_gradient import weight_gradient
from irncli.model.dense import DenseBlock

ALL = os.environ.get("IRN_KERNELS") == "all"
MOST_SHARED = 99 * 1024
"""Bytes of shared memory that a program may have on every GPU of compute capability 8 and more."""


def compiled(inputs, outputs, rows, dtype, capability, *, assemble, **choices):
    """Compile what a dense block needs, forward and backward."""
    images = torch.zeros(1, inputs, 4, 5)
    plane = Plane.of(images)
    packed = PackedBlocks([DenseBlock(inputs, outputs)], dtype)
    w = packed.widths
    tuning = replace(default_tuning(rows, max(w.padded_inputs, w.padded_outputs)), **choices)
    with recording(capability, assemble=assemble) as found:
        dense(packed, plane.flatten(images).requires_grad_(), plane, tuning).sum().backward()
    return found


def names(found):
    return {each.name for each in found}


def test_dense_block():
    found = compiled(9, 3, 1, torch.float16, 90, assemble=False, gradient_kernel="whole")
    assert names(found) == {"_convolve", "_all_columns"}
    assert max(each.shared for each in found) <= MOST_SHARED


def test_tiles():
    plane, w = Plane(1, 4, 5), Widths(63, 64)  # all its tiles have one of two sizes
    features = torch.zeros(plane.rows, w.feature_columns, dtype=torch.float16)
    gradients = torch.zeros(plane.rows, w.gradient_columns, dtype=torch.float16)
    with recording(90, assemble=False) as found:
        weight_gradient(plane, features, gradients, w, TABLE["small", "wide"])
    assert names(found) == {"_tile"}
    assert max(each.shared for each in found) <= MOST_SHARED


def test_affine(monkeypatch):
    monkeypatch.setattr("irncli.kernels.affine._is_large", lambda *_: True)
    b = torch.zeros(4, 12)[:, 3:].requires_grad_()
    h = torch.zeros(4, 9)
    with recording(90, assemble=False) as found:
        for inverse in (False, True) if ALL else (True,):
            affine(b, h, h, inverse=inverse).sum().backward()
    assert names(found) == {"_affine", "_affine_gradient"}


def test_z():
    with recording(90, assemble=ALL) as found:
        fill(torch.zeros(1, 9, 4, 5).contiguous(memory_format=torch.channels_last), 2**64 - 1, 0, 0)
    assert names(found) == {"_fill"}


@pytest.mark.skipif(not ALL, reason="takes minutes: set IRN_KERNELS=all")
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("rows", [1, 10**6], ids=["small", "large"])
@pytest.mark.parametrize("shape", [(9, 3), (45, 3), (3, 45), (189, 3), (3, 189), (1, 1)], ids=str)
def test_all_kinds(shape, rows, capability):
    """With the default tunings, no kernel needs too much shared memory or spills registers.

    The kernels `whole` and `triangle` do spill, the more the older the GPU.
    """
    for kernel in ("whole", "triangle", "tiles") if max(shape) < 64 else ("tiles",):
        found = compiled(
            *shape, rows, torch.bfloat16, capability, assemble=True, gradient_kernel=kernel
        )
        for each in found:
            print(capability, shape, rows, each)
            assert each.shared <= MOST_SHARED
            assert each.name == "_all_columns" or not each.spilled, each
