"""Precision and compilation of the dense blocks in training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from irncli.engine.device import has_bfloat16
from irncli.model.dense import DenseBlock
from irncli.train.fused import can_be_fused
from irncli.train.sections import Compute

__all__ = ["prepare", "training_dtype", "will_be_fused"]


def training_dtype(compute: Compute, device: torch.device) -> torch.dtype | None:
    """Return the dtype to use inside the dense blocks; None means float32.

    `auto` selects bfloat16 on devices with instructions for bfloat16: float16 would need loss
    scaling, and emulated bfloat16 is slower than float32.
    """
    wanted = compute.precision == "bf16"
    if compute.precision == "auto":
        wanted = has_bfloat16(device)
    return torch.bfloat16 if wanted else None


def will_be_fused(network: nn.Module, compute: Compute) -> bool:
    """Tell whether a network is trained through the fused kernels."""
    return compute.precision != "fp32" and not compute.recompute and can_be_fused(network)


def prepare(
    network: nn.Module, compute: Compute, device: torch.device, say: Callable[[str], None]
) -> None:
    """Set the precision and compilation of a network on its device for training, in place.

    If torch.compile does not work, `say` is told, and the blocks run without it.
    """
    blocks = [module for module in network.modules() if isinstance(module, DenseBlock)]
    for block in blocks:
        block.autocast = training_dtype(compute, device)
    if compute.compile == "off" or (compute.compile == "auto" and device.type != "cuda"):
        return
    failure = _try_to_compile(blocks[0], device)
    if failure:
        say(f"torch.compile does not work here ({failure}): continuing without it")
        return
    for block in blocks:
        block.compile(dynamic=True)


def _try_to_compile(block: DenseBlock, device: torch.device) -> str:
    """Compile and run one block; return the reason of a failure, or "" on success."""
    channels = block.convs[0].in_channels
    crops = torch.rand((1, channels, 16, 16), device=device, requires_grad=True)
    try:
        torch.compile(block)(crops).sum().backward()
    except Exception as error:  # compilers raise many kinds of exceptions
        lines = str(error).strip().splitlines()
        return lines[0][:200] if lines else type(error).__name__
    finally:
        block.zero_grad(set_to_none=True)
    return ""
