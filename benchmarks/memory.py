"""Peak memory and time of the commands on one large file.

    python benchmarks/memory.py --megapixels 24 --scale 4 --json out.json

Memory is the peak of the whole process above that of `import torch`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from common import bare_torch, child, finish, hardware, photograph

from irncli.io.encoding import encode
from irncli.io.picture import Picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--scale", default="4")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"hardware": hardware(), "megapixels": options.megapixels}
    base = bare_torch()
    with tempfile.TemporaryDirectory() as folder:
        hr, lr, back = (Path(folder) / name for name in ("hr.png", "lr.png", "back.png"))
        hr.write_bytes(encode(Picture(photograph(options.megapixels)), image_format="png"))
        down = ["downscale", str(hr), "--scale", options.scale, "-o", str(lr)]
        up = ["upscale", str(lr), "--seed", "0", "-o", str(back)]
        for command in (down, up):
            began = time.perf_counter()
            _, processor, peak = child(["-m", "irncli", *command])
            seconds = time.perf_counter() - began
            result[command[0]] = {
                "mib_above_torch": round(peak - base, 1),
                "seconds": round(seconds, 1),
                "processor_seconds": round(processor, 1),
            }
            print(
                f"{command[0]:<10} {options.megapixels:g} megapixels, scale {options.scale}: "
                f"{peak - base:.0f} MiB above a bare import torch ({base:.0f}), {seconds:.0f} s",
                flush=True,
            )
    finish(result, options.json)


if __name__ == "__main__":
    main()
