"""Figures of the papers, for comparison: PSNR in dB and SSIM, both on Y.

Source: Xiao et al., "Invertible Image Rescaling" (ECCV 2020), and "Invertible Rescaling Network and
Its Extensions" (IJCV 2022, arXiv 2210.04188): their tables of quantitative results.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PAPER", "PAPER_SETS", "PaperRow"]

PAPER_SETS = ("Set5", "Set14", "BSD100", "Urban100", "DIV2K")


@dataclass(frozen=True)
class PaperRow:
    """Figures of a method at one scale.

    Attributes:
        method: name of the method.
        figures: PSNR and SSIM by set; an unknown SSIM is None.
    """

    method: str
    figures: dict[str, tuple[float, float | None]]


def _row(method: str, *figures: tuple[float, float | None]) -> PaperRow:
    return PaperRow(method, dict(zip(PAPER_SETS, figures, strict=True)))


PAPER: dict[int, tuple[PaperRow, ...]] = {
    2: (
        _row(
            "bicubic",
            *((33.66, 0.9299), (30.24, 0.8688), (29.56, 0.8431), (26.88, 0.8403), (31.01, None)),
        ),
        _row(
            "CAR & EDSR",
            *((38.94, 0.9658), (35.61, 0.9404), (33.83, 0.9262), (35.24, 0.9572), (38.26, None)),
        ),
        _row(
            "IRN",
            *((43.99, 0.9871), (40.79, 0.9778), (41.32, 0.9876), (39.92, 0.9865), (44.32, None)),
        ),
    ),
    4: (
        _row(
            "bicubic",
            *((28.42, 0.8104), (26.00, 0.7027), (25.96, 0.6675), (23.14, 0.6577), (26.66, None)),
        ),
        _row(
            "CAR & EDSR",
            *((33.88, 0.9174), (30.31, 0.8382), (29.15, 0.8001), (29.28, 0.8711), (32.82, None)),
        ),
        _row(
            "IRN",
            *((36.19, 0.9451), (32.67, 0.9015), (31.64, 0.8826), (31.41, 0.9157), (35.07, None)),
        ),
    ),
    8: (PaperRow("IRN", {"DIV2K": (30.29, None)}),),
}
"""Rows by scale, weakest method first."""
