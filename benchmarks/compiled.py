"""What Triton's compiler makes of the fused kernels, without a GPU: registers, spills, memory.

Inside `recording`, launches compile their kernel for a chosen GPU and run nothing. The tensors may
lie in the CPU's memory.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

__all__ = ["Compiled", "recording"]

TYPES = {
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.float32: "*fp32",
    torch.int32: "*i32",
}
LIMIT = 1 << 31


@dataclass(frozen=True)
class Compiled:
    """A compiled kernel.

    Attributes:
        name: name of the kernel.
        constants: its compile-time arguments.
        programs: programs of the launch.
        shared: bytes of shared memory of a program.
        registers: registers of a thread; None where no assembler was found.
        spilled: bytes that a thread spills to memory; None likewise.
    """

    name: str
    constants: dict[str, Any]
    programs: int
    shared: int
    registers: int | None
    spilled: int | None


@contextmanager
def recording(capability: int = 90, *, assemble: bool = True) -> Iterator[list[Compiled]]:
    """Compile launches instead of running them, and yield the list to which they are added.

    Equal kernels are compiled once.

    Args:
        capability: compute capability of the GPU, times ten.
        assemble: whether to run the assembler again to learn about registers and spills.
    """
    found: list[Compiled] = []
    seen: set[str] = set()

    def run(
        kernel: Any, *arguments: Any, grid: tuple[int, ...], warmup: bool, **options: Any
    ) -> None:
        del warmup
        source = _source(kernel, arguments, options)
        rest = {name: value for name, value in options.items() if name not in kernel.arg_names}
        key = f"{kernel.__name__} {source.signature} {source.constants} {source.attrs} {rest}"
        if key in seen:
            return
        seen.add(key)
        target = GPUTarget("cuda", capability, 32)
        compiled = triton.compile(source, target=target, options=rest)
        registers, spilled = (
            _assembled(compiled.asm["ptx"], capability) if assemble else (None, None)
        )
        constants = {name: options[name] for name in kernel.arg_names if name in options}
        programs = 1
        for size in grid:
            programs *= size
        shared = compiled.metadata.shared
        name = kernel.__name__
        found.append(Compiled(name, constants | rest, programs, shared, registers, spilled))

    original = JITFunction.run
    JITFunction.run = run
    try:
        yield found
    finally:
        JITFunction.run = original


def _source(kernel: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> ASTSource:
    """Return what is compiled for a launch, specialised as the launch would do it."""
    values = dict(zip(kernel.arg_names, arguments, strict=False))
    values |= {name: options[name] for name in kernel.arg_names if name in options}
    signature: dict[str, str] = {}
    constants: dict[str, Any] = {}
    attributes: dict[tuple[int], list[list[Any]]] = {}
    for index, parameter in enumerate(kernel.params):
        value = values[parameter.name]
        if isinstance(value, torch.Tensor):
            signature[parameter.name] = TYPES[value.dtype]
            divisible = value.data_ptr() % 16 == 0
        elif parameter.is_constexpr or (value == 1 and not parameter.do_not_specialize):
            signature[parameter.name], constants[parameter.name] = "constexpr", value
            continue
        else:
            signature[parameter.name] = "i32" if -LIMIT <= value < LIMIT else "i64"
            divisible = value % 16 == 0 and not parameter.do_not_specialize
        if divisible:
            attributes[index,] = [["tt.divisibility", 16]]
    return ASTSource(kernel, signature, constants, attributes)


def _assembled(ptx: str, capability: int) -> tuple[int | None, int | None]:
    """Return registers and spilled bytes, of the first assembler of Triton that reads the code."""
    folder = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "kernel.ptx"
        file.write_text(ptx, encoding="utf-8")
        suffix = "a" if capability >= 90 else ""
        for assembler in sorted(folder.glob("ptxas*")):
            result = subprocess.run(
                [assembler, "-v", f"--gpu-name=sm_{capability}{suffix}", file, "-o", "/dev/null"],
                check=False,
                capture_output=True,
                text=True,
            )
            used = re.search(r"Used (\d+) registers", result.stderr)
            spilled = re.search(r"(\d+) bytes spill stores", result.stderr)
            if result.returncode == 0 and used and spilled:
                return int(used[1]), int(spilled[1])
    return None, None
