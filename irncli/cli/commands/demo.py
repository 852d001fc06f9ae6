"""`irn demo`: downscale and restore a bundled photograph, and print the quality."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from irncli.cli import options
from irncli.cli.declare import option
from irncli.cli.help import groups

__all__ = ["demo"]

SCALE = 4
PHOTO = Path(__file__).parents[2] / "demo" / "photo.png"


def demo(
    output: Annotated[
        Path,
        option(groups.FILES, "--output -o FILE", "Output image with both side by side."),
    ] = Path("irn-demo.png"),
    overwrite: options.Overwrite = False,
    device: options.Device = "auto",
) -> None:
    """Downscale a bundled photograph by 4, restore it, and compare it with bicubic.

    Examples:
      irn demo -o irn-demo.png
    """
    from irncli.api import load
    from irncli.engine.metrics import luma, psnr, ssim
    from irncli.engine.rescaler import bicubic
    from irncli.eval.montage import side_by_side
    from irncli.io.encoding import encode
    from irncli.io.image_file import decode
    from irncli.io.paths import atomic_write, refuse_existing
    from irncli.io.picture import Picture

    refuse_existing(output, overwrite)
    data = PHOTO.read_bytes()
    hr = decode(data).pixels
    model = load(f"irn-x{SCALE}", device)
    height, width = hr.shape[:2]
    low = model.downscale(hr)
    small = len(encode(Picture(low), image_format="png"))
    bicubic_low = bicubic(hr, height // SCALE, width // SCALE)
    results = {
        "bicubic down and up": bicubic(bicubic_low, height, width),
        "irn": model.upscale(low, seed=0, size=(width, height)),
    }
    typer.echo(f"photograph {width}x{height}: {len(data)} bytes as PNG")
    typer.echo(f"made small {width // SCALE}x{height // SCALE}: {small} bytes as PNG")
    typer.echo(f"{'restored by':<22} {'PSNR':>8}  {'SSIM':>6}   (luma)")
    for name, pixels in results.items():
        pair = luma(hr), luma(pixels)
        typer.echo(f"{name:<22} {psnr(*pair, SCALE):5.2f} dB  {ssim(*pair, SCALE):.4f}")
    row = side_by_side([low, *results.values(), hr])
    atomic_write(output, encode(Picture(row), image_format="png"), overwrite=overwrite)
    typer.echo(f"small, bicubic, irn, original, side by side: {output}")
