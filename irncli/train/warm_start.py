"""Initial weights of a network: fresh, from a checkpoint, or from a smaller network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from irncli.config import Architecture, InvertibleConfig
from irncli.errors import CheckpointError
from irncli.model import InvertibleNetwork, Network, build
from irncli.model.coupling import CouplingBlock
from irncli.model.dense import DenseBlock
from irncli.model.transforms import LearnedDownsampling, dct_matrix
from irncli.train.recipe import Recipe
from irncli.zoo.checkpoint import read_checkpoint

__all__ = ["initial_network"]


def initial_network(recipe: Recipe, init: Path | None) -> Network:
    """Return the network of a recipe, fresh or with the weights of `init`.

    A checkpoint with fewer levels, or fewer blocks in its last level, fills the first operations
    (x4 grows from x2, eight blocks from four). A checkpoint of IRN x2 fills the first blocks of a
    network with larger cells (IRN-E, IRN-LD on the cosine basis), on the slowest waves of the cell.
    The rest starts as the identity.

    Raises:
        CheckpointError: the network cannot start from that checkpoint.
    """
    network = build(recipe.architecture)
    cosines = recipe.network.basis == "dct"
    if cosines:
        _start_from_dct(network)
    if init is None:
        return network
    source = read_checkpoint(init).network
    if source.config == network.config:
        network.load_state_dict(source.state_dict())
    elif not _grow(network, source, cosines=cosines):
        raise CheckpointError(
            f"this {_scale_of(network.config)} network cannot start from {init.name} "
            f"({_scale_of(source.config)}): give other weights with --init, or '--init none'"
        )
    return network


def _start_from_dct(network: Network) -> None:
    for module in network.modules():
        if isinstance(module, LearnedDownsampling):
            module.matrix.data.copy_(dct_matrix(module.factor))


def _scale_of(config: Architecture) -> str:
    return f"x{config.scale}" if isinstance(config, InvertibleConfig) else "CRM"


def _grow(network: Network, source: Network, *, cosines: bool) -> bool:
    """Fill a part of the network from a smaller one; return False if there is no such part."""
    if not (isinstance(network, InvertibleNetwork) and isinstance(source, InvertibleNetwork)):
        return False
    mine, theirs = network.config, source.config
    if (mine.low_channels, mine.growth) != (theirs.low_channels, theirs.growth):
        return False
    if _begins(theirs, mine):
        state = source.state_dict()
        del state["latent_sigma"]
        network.load_state_dict(state, strict=False)
        return True
    if _is_slow_part(theirs, mine, cosines=cosines):
        _take_slow_waves(network, source)
        return True
    return False


def _begins(theirs: InvertibleConfig, mine: InvertibleConfig) -> bool:
    """Tell whether the operations of `theirs` are the first operations of `mine`."""
    *whole, last = theirs.levels
    reached = mine.levels[len(whole)] if len(whole) < len(mine.levels) else None
    return (
        reached is not None
        and list(mine.levels[: len(whole)]) == whole
        and replace(last, blocks=reached.blocks) == reached
        and last.blocks <= reached.blocks
    )


def _is_slow_part(theirs: InvertibleConfig, mine: InvertibleConfig, *, cosines: bool) -> bool:
    """Tell whether the waves of `theirs`, on cells of 2x2 pixels, are the slowest of `mine`.

    This is the case if all transforms of `mine` come before its blocks and are Haar or cosine
    transforms.
    """
    *bare, last = mine.levels
    waves = ("haar", "learned") if cosines else ("haar",)
    return (
        [level.transform for level in theirs.levels] == ["haar"]
        and all(level.transform in waves for level in mine.levels)
        and not any(level.blocks for level in bare)
        and theirs.levels[0].blocks <= last.blocks
    )


def _slow_waves(config: InvertibleConfig) -> torch.Tensor:
    """Return the channels of the slowest horizontal, vertical and diagonal waves.

    Channels are counted within the high part. After the last transform, of factor N, band i N + j
    is the wave with i half periods down the cell and j across; its first three channels belong to
    the averages of the earlier transforms.
    """
    factor = config.levels[-1].factor
    channels = config.state_channels // factor**2
    bands = torch.tensor([1, factor, factor + 1])
    colours = torch.arange(config.low_channels)
    return (bands[:, None] * channels + colours).flatten() - config.low_channels


def _take_slow_waves(network: InvertibleNetwork, source: InvertibleNetwork) -> None:
    """Copy the blocks of IRN x2, which keep acting on their waves and ignore all others."""
    low, high = torch.arange(network.config.low_channels), _slow_waves(network.config)
    # Not strict: blocks beyond those of the source stay the identity.
    for mine, theirs in zip(_blocks(network), _blocks(source), strict=False):
        _fill(mine.F, theirs.F, high, low)
        _fill(mine.G, theirs.G, low, high)
        _fill(mine.H, theirs.H, low, high)


def _blocks(network: InvertibleNetwork) -> list[CouplingBlock]:
    return [module for module in network.operations if isinstance(module, CouplingBlock)]


@torch.no_grad()
def _fill(mine: DenseBlock, theirs: DenseBlock, reads: torch.Tensor, writes: torch.Tensor) -> None:
    """Copy a dense block into a wider one that reads and writes further channels.

    Args:
        mine: dense block to fill; it ignores all other channels, and writes zero to them.
        theirs: dense block to copy, with the same growth.
        reads: input channels of `mine` that correspond to those of `theirs`.
        writes: output channels of `mine` that correspond to those of `theirs`.
    """
    inputs = mine.convs[0].in_channels
    for conv, source in zip(mine.convs, theirs.convs, strict=True):
        features = torch.arange(inputs, conv.in_channels)
        columns = torch.cat((reads, features))
        rows = writes if conv is mine.convs[-1] else torch.arange(conv.out_channels)
        assert conv.bias is not None and source.bias is not None  # noqa: S101, PT018
        conv.weight.zero_()
        conv.bias.zero_()
        conv.weight[rows[:, None], columns] = source.weight
        conv.bias[rows] = source.bias
