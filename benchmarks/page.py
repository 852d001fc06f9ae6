"""Measure the page that `irn page` writes, in a headless Chromium: seconds, and the same pixels.

PYTHONPATH=. python benchmarks/page.py [--model irn-x4] [--megapixels 2]
PYTHONPATH=. python benchmarks/page.py --picture docs/page.jpg

The second form takes the picture of the README: the bundled photograph, restored by the page.
Needs a Chromium, and npm for the first time.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import PHOTO, finish, hardware, photograph
from PIL import Image

from tests.support.browser import Browser, find_browser
from tests.support.pages import served
from tests.support.site_visit import Visit

PATIENCE_SECONDS = 900


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="irn-x4")
    parser.add_argument("--megapixels", type=float, default=2)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        irn("page", folder / "site", "--model", given.model)
        if given.picture:
            irn("downscale", PHOTO, "-o", folder / "parrots_x4.png", "--model", given.model)
            with visiting(folder) as visit:
                take(visit, folder / "parrots_x4.png", given.picture)
            return
        result = hardware() | measured(folder, given.model, given.megapixels)
    print(json.dumps(result, indent=1))
    finish(result, given.output)


def irn(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "irncli", *map(str, words), "-q"], check=True)


@contextmanager
def visiting(folder: Path) -> Iterator[Visit]:
    """Open the page, and wait until it has loaded what it keeps."""
    program = find_browser()
    if program is None:
        raise SystemExit("no Chromium here")
    (folder / "saved").mkdir()
    browser = Browser(program, folder / "profile")
    try:
        with served(folder / "site") as address:
            visit = Visit(browser, folder / "saved")
            visit.open(address, width=1120, height=800)
            visit.until("document.getElementById('offline').textContent.startsWith('Ready')")
            yield visit
    finally:
        browser.close()


def measured(folder: Path, model: str, megapixels: float) -> dict[str, Any]:
    """Restore a photograph by the page and by the command."""
    large, small, back = (folder / f"{name}.png" for name in ("large", "small", "back"))
    pixels = photograph(megapixels)
    Image.fromarray(pixels).save(large)
    irn("downscale", large, "-o", small, "--model", model)
    with visiting(folder) as visit:
        start = time.perf_counter()
        visit.choose(small)
        visit.settled(1, PATIENCE_SECONDS)
        seconds = time.perf_counter() - start
        said = visit.text(".took")
        path = visit.save("small.png")
    start = time.perf_counter()
    irn("upscale", small, "-o", back, "--temperature", 0)
    command = time.perf_counter() - start
    a, b = (np.asarray(Image.open(each)).astype(int) for each in (path, back))
    difference = np.abs(a - b)
    return {
        "model": model,
        "size": pixels.shape[1::-1],
        "seconds": round(seconds, 1),
        "said": said,
        "seconds_of_the_command": round(command, 1),
        "equal": round(float((difference == 0).mean()), 6),
        "within_1": round(float((difference <= 1).mean()), 6),
        "largest_difference": int(difference.max()),
    }


def take(visit: Visit, small: Path, output: Path) -> None:
    """Take a picture of the page with a restored image, down to the button that saves it."""
    visit.choose(small)
    visit.settled(1)
    visit.browser.evaluate("document.querySelector('.zoom input[value=\"2\"]').click()")
    visit.browser.evaluate("document.querySelector('.window').scrollTo(545, 200)")
    button = visit.browser.box(".actions")
    height = button[1] + button[3] + 28
    visit.browser.pixels()
    clip = {"x": 0, "y": 0, "width": 1120, "height": height, "scale": 1}
    shot = visit.browser(
        "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
    )
    data = base64.b64decode(shot["data"])
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.save(output, "JPEG", quality=85, optimize=True)


if __name__ == "__main__":
    main()
