"""The fused kernels: what the compiler makes of them, the fastest launches, and cuDNN beside them.

    python benchmarks/kernels.py static --capability 90       (without a GPU)
    python benchmarks/kernels.py tune --json tuned.json
    python benchmarks/kernels.py compare --json compared.json

`static` prints registers, spills and shared memory of the kernels with the default launches. `tune`
times the candidates for each kind of shape and prints the best as entries of `TABLE` in
irncli/kernels/tuning.py. `compare` times dense blocks by the kernels and by cuDNN (channels-last,
float16). Times are medians of CUDA graphs, in microseconds. The laws should have held on the same
GPU before:

    IRN_KERNELS=all pytest -n 8 tests/kernels/laws.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch
from common import finish, hardware
from compiled import Compiled, recording

from irncli.kernels.available import reason, triton_version
from irncli.kernels.dense import dense, evaluate, feature_buffer, gradient_buffer
from irncli.kernels.packing import PackedBlocks
from irncli.kernels.plane import Plane
from irncli.kernels.tuning import TABLE, GradientKernel, Kind, Launch, Tuning, kind_of
from irncli.kernels.weight_gradient import weight_gradient
from irncli.model.dense import DenseBlock

CONVOLUTIONS = [
    Launch(rows=rows, warps=warps, stages=stages)
    for rows, warps, stages in (
        (32, 2, 3),
        (64, 2, 3),
        (64, 4, 2),
        (64, 4, 3),
        (64, 4, 4),
        (128, 4, 2),
        (128, 4, 3),
        (128, 8, 3),
        (256, 8, 2),
    )
]
GRADIENTS = [
    {"gradient_kernel": kernel, "gradient_splits": splits, "gradient": Launch(**launch)}
    for kernel, splits, launch in (
        ("whole", 29, {"rows": 32, "warps": 4, "stages": 3}),
        ("whole", 29, {"rows": 64, "warps": 8, "stages": 2}),
        ("triangle", 29, {"rows": 32, "warps": 4, "stages": 2}),
        ("triangle", 29, {"rows": 32, "warps": 8, "stages": 2}),
        ("triangle", 44, {"rows": 32, "warps": 8, "stages": 3}),
        ("tiles", 29, {"rows": 64, "warps": 4, "stages": 3}),
        ("tiles", 58, {"rows": 32, "warps": 4, "stages": 3}),
        ("tiles", 58, {"rows": 64, "warps": 4, "stages": 3}),
        ("tiles", 58, {"rows": 64, "warps": 8, "stages": 3}),
        ("tiles", 116, {"rows": 64, "warps": 4, "stages": 2}),
    )
]


@dataclass(frozen=True)
class Case:
    """A dense block on images of one size.

    Attributes:
        inputs: input channels.
        outputs: output channels.
        count: number of images.
        side: height and width of each image.
    """

    inputs: int
    outputs: int
    count: int
    side: int

    @property
    def plane(self) -> Plane:
        """The plane of the images."""
        return Plane(self.count, self.side, self.side)

    def operations(self) -> int:
        """Return multiplications and additions of a forward pass."""
        pixels = self.count * self.side**2
        return 18 * pixels * (32 * (4 * self.inputs + 192) + (self.inputs + 128) * self.outputs)


CASES = [
    *(Case(9, 3, 8, 96), Case(3, 9, 8, 96), Case(9, 3, 8, 48), Case(3, 9, 8, 48)),
    *(Case(45, 3, 8, 48), Case(3, 45, 8, 48), Case(45, 3, 8, 96), Case(3, 45, 8, 96)),
    *(Case(189, 3, 8, 32), Case(3, 189, 8, 32), Case(189, 3, 8, 96), Case(3, 189, 8, 96)),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("step", choices=["static", "tune", "compare"])
    parser.add_argument("--capability", type=int, default=90, help="for static: 90 for an H200")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"triton": triton_version()}
    if options.step == "static":
        result |= {"capability": options.capability, "kernels": static(options.capability)}
        finish(result, options.json)
        return
    problem = reason()
    if problem:
        raise SystemExit(f"kernels.py: {problem}")
    result["hardware"] = hardware() | {"gpu": torch.cuda.get_device_name()}
    result["microseconds"] = tune() if options.step == "tune" else compare()
    finish(result, options.json)


def static(capability: int) -> list[dict[str, Any]]:
    """Compile the default of each kind, with each gradient kernel, and print what became of it."""
    rows: list[dict[str, Any]] = []
    for kind, cases in kinds().items():
        for kernel in get_args(GradientKernel) if kind[1] != "wide" else ["tiles"]:
            tuning = replace(TABLE[kind], gradient_kernel=kernel)
            for case in cases[:2]:
                for found in compiled(case, tuning, capability):
                    row = {"kind": " ".join(kind), **asdict(found)}
                    if row not in rows:
                        rows.append(row)
                        print(*row.values(), flush=True)
    return rows


def compiled(case: Case, tuning: Tuning, capability: int) -> list[Compiled]:
    """Compile a dense block, forward and backward, on a small plane in the CPU's memory."""
    block = Work(replace(case, count=1, side=4), torch.device("cpu"))
    with recording(capability) as found:
        block.backward(tuning)
    return found


def kinds() -> dict[Kind, list[Case]]:
    """Return the cases of each kind."""
    found: dict[Kind, list[Case]] = {}
    for case in CASES:
        widths = PackedBlocks([DenseBlock(case.inputs, case.outputs)], torch.float16).widths
        channels = max(widths.padded_inputs, widths.padded_outputs)
        found.setdefault(kind_of(case.plane.rows, channels), []).append(case)
    return found


def candidates(default: Tuning, kind: Kind) -> Iterator[tuple[str, Tuning]]:
    """Yield variations of a tuning, each with the part of the work that it changes."""
    for launch in CONVOLUTIONS:
        yield "convolution", replace(default, convolution=launch)
    for fields in GRADIENTS:
        if kind[1] != "wide" or fields["gradient_kernel"] == "tiles":
            yield "gradient", replace(default, **fields)
    for together in (False, True):
        yield "together", replace(default, together=together)


class Work:
    """A case with random values, ready to be timed."""

    def __init__(self, case: Case, device: torch.device) -> None:
        self.plane = case.plane
        self.blocks = [DenseBlock(case.inputs, case.outputs).to(device) for _ in range(2)]
        for block in self.blocks:
            torch.nn.init.normal_(block.convs[-1].weight, std=0.02)
        self.one = PackedBlocks(self.blocks[:1], torch.float16)
        self.two = PackedBlocks(self.blocks, torch.float16)
        images = torch.rand(case.count, case.inputs, case.side, case.side, device=device)
        self.rows = self.plane.flatten(images).requires_grad_()
        self.gradient = torch.randn(self.plane.rows, case.outputs, device=device)
        self.images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
        self.image_gradient = self.plane.images(self.gradient)
        self.features = feature_buffer(self.one, self.plane)
        self.features_of_two = feature_buffer(self.two, self.plane)
        self.gradients = gradient_buffer(self.one, self.plane).normal_()

    def forward(self, tuning: Tuning | None = None) -> None:
        """Run the block."""
        evaluate(self.one, self.rows.detach(), self.plane, tuning, self.features)

    def input_gradient(self, tuning: Tuning | None = None) -> None:
        """Run the block and compute the gradient of its input."""
        torch.autograd.grad(self._differentiable(tuning), self.rows, self.gradient)

    def weight_gradient(self, tuning: Tuning) -> None:
        """Compute the weight gradient alone."""
        weight_gradient(self.plane, self.features, self.gradients, self.one.widths, tuning)

    def both(self, tuning: Tuning) -> None:
        """Run two blocks on the same input."""
        evaluate(self.two, self.rows.detach(), self.plane, tuning, self.features_of_two)

    def backward(self, tuning: Tuning | None = None) -> None:
        """Run the block and compute all gradients."""
        inputs = [self.rows, *self.blocks[0].parameters()]
        torch.autograd.grad(self._differentiable(tuning), inputs, self.gradient)

    def _differentiable(self, tuning: Tuning | None) -> torch.Tensor:
        return dense(self.one, self.rows, self.plane, tuning, self.features, self.gradients)

    def cudnn(self, *, backward: bool) -> None:
        """Run the block by cuDNN, in channels-last order."""
        with torch.autocast("cuda", dtype=torch.float16):
            y = self.blocks[0](self.images).float()
        if backward:
            inputs = [self.images, *self.blocks[0].parameters()]
            torch.autograd.grad(y, inputs, self.image_gradient)


def microseconds(work: Callable[[], None]) -> float | None:
    """Return the median time of some work, replayed as a CUDA graph; None if it cannot run."""
    import triton

    try:
        milliseconds = triton.testing.do_bench_cudagraph(work, rep=15, return_mode="median")
    except (RuntimeError, triton.TritonError) as error:
        print(f"  cannot run: {str(error).splitlines()[0][:100]}")
        return None
    return round(1000 * float(milliseconds), 1)


def tune() -> dict[str, dict[str, float | None]]:
    """Time all candidates; print the best of each kind."""
    times: dict[str, dict[str, float | None]] = {}
    for kind, cases in kinds().items():
        works = [Work(case, torch.device("cuda")) for case in cases]
        best: dict[str, tuple[float, Tuning]] = {}
        for part, tuning in candidates(TABLE[kind], kind):
            name = {"convolution": "input_gradient", "gradient": "weight_gradient"}.get(
                part, "both"
            )
            each = [microseconds(lambda w=w, n=name: getattr(w, n)(tuning)) for w in works]  # noqa: B023
            total = None if None in each else sum(filter(None, each))
            times.setdefault(" ".join(kind), {})[f"{part} {tuning}"] = total
            if total is not None and (part not in best or total < best[part][0]):
                best[part] = total, tuning
        gradient = best["gradient"][1]
        found = replace(
            gradient,
            convolution=best["convolution"][1].convolution,
            together=best["together"][1].together,
        )
        print(f"    {kind}: {found},", flush=True)
    return times


def compare() -> list[dict[str, Any]]:
    """Time the default launches against cuDNN."""
    found = []
    print("in out images side  forward    cuDNN  TFLOP/s  with backward    cuDNN")
    for case in CASES:
        work = Work(case, torch.device("cuda"))
        row: dict[str, Any] = asdict(case)
        row["forward"] = microseconds(work.forward)
        row["forward_cudnn"] = microseconds(lambda w=work: w.cudnn(backward=False))
        row["backward"] = microseconds(work.backward)
        row["backward_cudnn"] = microseconds(lambda w=work: w.cudnn(backward=True))
        speed = case.operations() / row["forward"] / 1e6 if row["forward"] else 0
        print(
            f"{case.inputs:3} {case.outputs:3} {case.count:4} {case.side:5}"
            f" {row['forward']!s:>8} {row['forward_cudnn']!s:>8} {speed:8.0f}"
            f" {row['backward']!s:>12} {row['backward_cudnn']!s:>9}",
            flush=True,
        )
        found.append(row)
    return found


if __name__ == "__main__":
    main()
