"""What the kernels share: options of their launches, and the matrix product.

The arguments of kernels are annotated as `tl.tensor`, which is what they are inside: pointers to
the first element of a tensor, or scalars. Triton evaluates annotations and knows only its own
names, so that they cannot say more.

Importing this module imports Triton.
"""

from __future__ import annotations

import os

import triton
import triton.language as tl

__all__ = ["OPTIONS", "multiply_add"]

OPTIONS = {"enable_fp_fusion": True}
"""Options of every launch. Triton 3.9 warns if it is not told whether it may fuse a * b + c."""

_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def multiply_add(a: tl.tensor, b: tl.tensor, total: tl.tensor) -> tl.tensor:
    """Return a @ b + total with 16-bit operands and float32 sums.

    Triton's interpreter stores bfloat16 as integers and would multiply these. The conversion is
    exact, and is compiled for the interpreter only.
    """
    if _INTERPRETED:
        a = a.to(tl.float32)
        b = b.to(tl.float32)
    return tl.dot(a, b, total)
