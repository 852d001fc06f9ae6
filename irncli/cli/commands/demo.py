"""`irn demo`: downscale and restore a bundled photograph, and print the quality."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from irncli.cli import options
from irncli.cli.declare import option
from irncli.cli.help import groups
from irncli.errors import OutputError

if TYPE_CHECKING:
    from irncli.pixels import Pixels

__all__ = ["demo"]

SCALE = 4
PHOTO = Path(__file__).parents[2] / "demo" / "photo.png"
DETAIL = 192
"""Side of the enlarged detail in pixels of the photograph."""


def demo(
    output: Annotated[
        Path,
        option(
            groups.FILES,
            "--output -o FILE",
            "Output image (PNG) with all images side by side, and a detail of each; - is standard "
            "output.",
        ),
    ] = Path("irn-demo.png"),
    overwrite: options.Overwrite = False,
    device: options.Device = "auto",
) -> None:
    """Downscale a bundled photograph by 4, restore it, and compare it with bicubic.

    Examples:
      irn demo -o irn-demo.png
    """
    from irncli.batch.console import Console
    from irncli.io.paths import STREAM, refuse_existing, refuse_terminal

    if output == STREAM:
        refuse_terminal()
    else:
        refuse_existing(output, overwrite)
        if not output.parent.is_dir():
            raise OutputError(
                f"cannot create {output}: no directory {output.parent}; create it first"
            )
    console = Console()
    lines, montage = _made(device)
    console.write(output, montage, overwrite=overwrite)
    if output != STREAM:
        lines.append(f"small, bicubic, irn and original, side by side: {output}")
    for line in lines:
        if output == STREAM:
            console.say(line)
        else:
            print(line, flush=True)  # noqa: T201


def _made(device: str) -> tuple[list[str], bytes]:
    """Return the lines to print, and the montage as a PNG file."""
    from irncli.batch.progress import Progress

    progress = Progress()
    with progress.running(3):
        with progress.file("loading the model") as tick:
            from irncli.api import load
            from irncli.engine.metrics import luma, psnr, ssim
            from irncli.engine.rescaler import bicubic
            from irncli.eval.montage import Panel, comparison
            from irncli.io.encoding import encode
            from irncli.io.image_file import decode
            from irncli.io.picture import Picture

            data = PHOTO.read_bytes()
            hr = decode(data).pixels
            height, width = hr.shape[:2]
            model = load(f"irn-x{SCALE}", device)
            tick(1)
        with progress.file("making it small") as tick:
            low = model.rescaler.downscale(hr, tick=tick)
        with progress.file("restoring it") as tick:
            back = model.rescaler.upscale(
                low, (width, height), seed=0, temperature=model.card.temperature, tick=tick
            )

    def size(pixels: Pixels) -> int:
        return len(encode(Picture(pixels), image_format="png"))

    plain_low = bicubic(hr, height // SCALE, width // SCALE)
    plain = bicubic(plain_low, height, width)
    dimensions = f"{width // SCALE}x{height // SCALE}"
    lines = [
        f"photograph {width}x{height}: {len(data):,} bytes as PNG",
        f"made small {dimensions}: {size(low):,} bytes as PNG",
        f"{'restored by':<22} {'PSNR':>8}  {'SSIM':>6}   (luma)",
    ]
    panels = [Panel(low, ("small image", f"{dimensions}, {size(low):,} bytes"))]
    for name, small, pixels in (("bicubic down and up", plain_low, plain), ("irn", low, back)):
        pair = luma(hr), luma(pixels)
        decibels = f"{psnr(*pair, SCALE):5.2f} dB"
        lines.append(f"{name:<22} {decibels}  {ssim(*pair, SCALE):.4f}")
        panels.append(Panel(pixels, (name, f"{decibels} from {size(small):,} bytes")))
    panels.append(Panel(hr, ("original", f"{width}x{height}, {len(data):,} bytes")))
    montage = comparison(panels, plain, crop=DETAIL, count=1)
    return lines, encode(Picture(montage), image_format="png")
