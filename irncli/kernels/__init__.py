"""Fused CUDA kernels for dense blocks and coupling arithmetic, written in Triton.

The kernels are optional: `available.reason` says why they cannot run on a device. The modules
`convolution`, `weight_gradient`, `dense` and `affine` import Triton, so import them only where
`reason` returned None. Nothing else in irn imports Triton. docs/kernels.md describes the layout of
the data, the kernels, and how to tune them.
"""

from __future__ import annotations
